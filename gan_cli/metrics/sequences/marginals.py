"""Distances between the distributions of single features, over all steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gan_cli.metrics.base import Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.points.wasserstein import transport_cost_1d
from gan_cli.metrics.sequences.base import SequenceMetric, validate_sequence_pair


def marginal_distances(real: Tensor, fake: Tensor) -> Tensor:
    """Return W₁ between the values of each feature, over all sequences and steps.

    The distances are in the units of the samples: for values scaled to [0, 1] they are fractions of the feature's range. A
    shift by t costs |t|.

    Args:
        real: ``[N, T, F]``.
        fake: ``[M, T, F]``.

    Returns:
        float64 ``[F]``.
    """
    x, y = (samples.double().flatten(0, 1).T.contiguous() for samples in (real, fake))
    return transport_cost_1d(x, y, 1)


@dataclass(frozen=True)
class Marginals(SequenceMetric):
    """W₁ between the values of each feature: the mean over features and the largest; the order of the steps is ignored."""

    n_samples: int = 2000

    @property
    def name(self) -> str:
        """``marginal_w1``."""
        return "marginal_w1"

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``marginal_w1``, the mean, and ``marginal_w1_worst``, the largest."""
        w1 = marginal_distances(*validate_sequence_pair(self.name, real.x, fake.x))
        return {self.name: Value(float(w1.mean())), "marginal_w1_worst": Value(float(w1.max()))}

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """Return ``per_feature``."""
        return {"per_feature": marginal_distances(*validate_sequence_pair(self.name, real.x, fake.x)).tolist()}
