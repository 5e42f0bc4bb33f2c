"""What is soon said of sequences, often enough to follow training."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.metrics.base import Metric
from gan_cli.metrics.combined import Combined
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.points.sliced_wasserstein import SlicedWassersteinDistance
from gan_cli.metrics.sequences.base import check_sequences
from gan_cli.metrics.sequences.correlations import Correlations
from gan_cli.metrics.sequences.marginals import Marginals


@dataclass(frozen=True)
class SequenceDistances(Combined):
    """What is soon said of sequences: the sliced Wasserstein distance of whole windows (chief), marginals and correlations.

    A window is a point of T·F numbers for the first, which sees values, steps and features together; the others say what it
    is that differs. ``lags``: of the correlations. Raises UserError for data other than sequences.
    """

    n_samples: int = 2000
    lags: int = 10

    def __post_init__(self):
        super().__post_init__()
        checks.count("lags", self.lags)

    def parts(self) -> Sequence[Metric]:
        """Those for any sequences."""
        words = (Identity(), self.n_samples, self.split)
        return [SlicedWassersteinDistance(*words), Marginals(*words), Correlations(*words, self.lags)]

    def fitted(self, data: Data, device: torch.device) -> Metric:
        """All parts for sequences such as these, of the samples themselves, whatever the features."""
        check_sequences("metric=sequence_distances", data)
        return dataclasses.replace(self, features=Identity())
