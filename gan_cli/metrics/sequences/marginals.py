"""The values of each feature by themselves, at whatever step of a sequence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gan_cli.metrics.base import Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.points.wasserstein import transport_cost_1d
from gan_cli.metrics.sequences.base import SequenceMetric, validate_sequence_pair


def marginal_distances(real: Tensor, fake: Tensor) -> Tensor:
    """W₁ between the values of each feature, over all sequences and steps: ``[N, T, F]``, ``[M, T, F]`` -> float64 ``[F]``.

    In the samples' units: of values scaled to [0, 1] a part of the feature's range. A shift by t costs |t|.
    """
    x, y = (samples.double().flatten(0, 1).T.contiguous() for samples in (real, fake))
    return transport_cost_1d(x, y, 1)


@dataclass(frozen=True)
class Marginals(SequenceMetric):
    """W₁ of each feature's values, the mean over the features and the worst of them; blind to the order of the steps."""

    n_samples: int = 2000

    @property
    def name(self) -> str:
        """``marginal_w1``."""
        return "marginal_w1"

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """``marginal_w1`` and ``marginal_w1_worst``."""
        found = marginal_distances(*validate_sequence_pair(self.name, real.x, fake.x))
        return {self.name: Value(float(found.mean())), "marginal_w1_worst": Value(float(found.max()))}

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """``per_feature``."""
        return {"per_feature": marginal_distances(*validate_sequence_pair(self.name, real.x, fake.x)).tolist()}
