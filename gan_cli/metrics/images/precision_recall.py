"""Precision, recall, density and coverage, from balls that reach to kth neighbours.

Kynkäänniemi et al.: Improved Precision and Recall Metric for Assessing Generative Models (2019),
https://arxiv.org/abs/1904.06991. Naeem et al.: Reliable Fidelity and Diversity Metrics for Generative Models (2020),
https://arxiv.org/abs/2002.09797.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

from torch import Tensor

from gan_cli import checks
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.images.neighbourhoods import Neighbourhoods, neighbourhoods

CURVE = 10
"""Largest k of the curves in ``details``."""


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> tuple[float, float]:
    """Return the share of generated samples in real balls and the share of real samples in generated balls.

    Both lie in [0, 1] and depend on N, M and k: compare only numbers from the same values.

    Args:
        real: Real features ``[N, d]``.
        fake: Generated features ``[M, d]``.
        k: Neighbour that the balls reach to.

    Raises:
        UserError: As in ``neighbourhoods``.
    """
    near = neighbourhoods(real, fake, k)
    return float(near.precision(k).mean()), float(near.recall(k).mean())


def density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> tuple[float, float]:
    """Return the mean number of real balls around a generated sample, divided by k, and the share of real balls that hold one.

    Density is >= 0, about 1 for samples of the data distribution, and above 1 if samples concentrate in its dense regions.
    Coverage lies in [0, 1]; ``expected_coverage`` is its expectation for samples of the data distribution.

    Args:
        real: Real features ``[N, d]``.
        fake: Generated features ``[M, d]``.
        k: Neighbour that the balls reach to.

    Raises:
        UserError: As in ``neighbourhoods``.
    """
    near = neighbourhoods(real, fake, k)
    return float(near.density(k).mean()), float(near.coverage(k).mean())


def expected_coverage(n_real: int, n_fake: int, k: int) -> float:
    """Return 1 − Π_{i=1…k} (N − i)/(N + M − i), the expected coverage of M samples from the distribution of the N real ones.

    It holds for every continuous distribution.
    """
    return 1 - math.prod((n_real - i) / (n_real + n_fake - i) for i in range(1, k + 1))


@dataclass(frozen=True)
class PrecisionRecall(Metric):
    """Precision, recall, density and coverage in the space of ``features``, and their curves over k.

    Each pair has the k of its paper, 3 and 5: with k = 3 the coverage of real samples would be 0.88 instead of 0.97.

    The standard errors are those of a mean over the scored samples (generated ones for precision and density, real ones for
    recall and coverage). Those of precision and density are the scatter over other generated samples with the real ones fixed.
    Those of recall and coverage ignore that a generated sample decides about several real ones: in the plane they are 0.33 to
    0.73 of that scatter (recall) and 0.67 to 1.1 (coverage), in 8 dimensions 0.3 to 1.0 and 0.8 to 1.5. If the real samples
    vary too, precision and density scatter more than their errors say: density 1.5 times as much for 500 samples of equal
    Gaussians in 8 dimensions.

    Args:
        features: The feature space.
        n_samples: Number of samples of each kind.
        split: Part of the data set that the real samples come from, ``train`` or ``heldout``.
        k: Neighbour that the balls of precision and recall reach to.
        k_density: The same for density and coverage.

    Raises:
        UserError: If a k is below 1.
    """

    within_classes: ClassVar[bool] = True
    higher_is_better: ClassVar[bool] = True
    selects_checkpoint: ClassVar[bool] = False  # a collapsed generator has the best precision
    k: int = 3
    k_density: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.count("k", self.k)
        checks.count("k_density", self.k_density)

    @property
    def least_samples(self) -> int:  # type: ignore[override]
        """One sample more than the neighbour that the balls reach to."""
        return max(self.k, self.k_density) + 1

    @property
    def name(self) -> str:
        """``precision_<features>``."""
        return self.features.label("precision")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``precision``, ``recall``, ``density`` and ``coverage``."""
        near = self._neighbourhoods(real, fake)
        scores = {
            "precision": near.precision(self.k),
            "recall": near.recall(self.k),
            "density": near.density(self.k_density),
            "coverage": near.coverage(self.k_density),
        }
        return {self.features.label(measure): _mean(score) for measure, score in scores.items()}

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """Return the four curves over ``k``, and the coverage expected for samples of the data distribution."""
        near = self._neighbourhoods(real, fake)
        ks = range(1, len(near.covered) + 1)
        return {
            "k": list(ks),
            "precision": [float(near.precision(k).mean()) for k in ks],
            "recall": [float(near.recall(k).mean()) for k in ks],
            "density": [float(near.density(k).mean()) for k in ks],
            "coverage": [float(near.coverage(k).mean()) for k in ks],
            "expected_coverage": [expected_coverage(len(real), len(fake), k) for k in ks],
        }

    def _neighbourhoods(self, real: Encoded, fake: Encoded) -> Neighbourhoods:
        longest = min(CURVE, len(real) - 1, len(fake) - 1)
        return _neighbourhoods(real.features, fake.features, max(self.k, self.k_density, longest))


# Tensors are hashed by identity, so the numbers and the curves share one pass.
_neighbourhoods = lru_cache(maxsize=1)(neighbourhoods)


def _mean(scores: Tensor) -> Value:
    return Value(float(scores.mean()), float(scores.std() / math.sqrt(len(scores))), higher_is_better=True)
