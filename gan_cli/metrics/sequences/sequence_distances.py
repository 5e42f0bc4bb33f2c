"""Distances between sequences that are cheap enough to be logged during training."""

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
    """Sliced Wasserstein distance of whole windows (primary), marginal distances and correlations.

    For the sliced distance a window is a point of T·F numbers, so it depends on values, steps and features together; the other
    two show what differs.

    Args:
        features: Not used.
        n_samples: Number of sequences of each kind.
        split: Part of the data set that the real sequences come from, ``train`` or ``heldout``.
        lags: Largest lag of the correlations, in steps.

    Raises:
        UserError: If ``lags`` is below 1. In ``fitted``, if the data are not sequences.
    """

    n_samples: int = 2000
    lags: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.count("lags", self.lags)

    def parts(self) -> Sequence[Metric]:
        """Return the metrics for any sequences."""
        settings = (Identity(), self.n_samples, self.split)
        return [SlicedWassersteinDistance(*settings), Marginals(*settings), Correlations(*settings, self.lags)]

    def fitted(self, data: Data, device: torch.device) -> Metric:
        """Return this metric of the samples themselves, whatever the features."""
        check_sequences("metric=sequence_distances", data)
        return dataclasses.replace(self, features=Identity())
