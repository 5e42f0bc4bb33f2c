"""All metrics of sequences as one, with pictures."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from gan_cli import checks, drawing
from gan_cli.data.base import Data
from gan_cli.data.scaling import Series, unnamed
from gan_cli.metrics.base import Metric, Picture
from gan_cli.metrics.combined import Combined
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.sequences.base import check_sequences
from gan_cli.metrics.sequences.discriminative import DiscriminativeScore
from gan_cli.metrics.sequences.predictive import PredictiveScore
from gan_cli.metrics.sequences.projections import pca, tsne
from gan_cli.metrics.sequences.sequence_distances import SequenceDistances

MAX_PLOTTED = 500
"""Largest number of sequences of each kind in a picture; the time of t-SNE grows faster than linearly."""


@dataclass(frozen=True)
class AllSequenceMetrics(Combined):
    """All metrics of sequences: discriminative score (primary), predictive score, and those of ``SequenceDistances``.

    A single feature is predicted from its own past. The pictures are PCA and t-SNE of whole windows, and some windows.

    Args:
        features: Not used.
        n_samples: Number of sequences of each kind.
        split: Part of the data set that the real sequences come from, ``train`` or ``heldout``.
        seeds: Number of networks for each of the two scores.
        discriminative_iterations: Training batches of the classifiers.
        predictive_iterations: Training batches of the predictors.
        lags: Largest lag of the correlations, in steps.

    Raises:
        UserError: If a field is out of range. In ``fitted``, if the data are not sequences.
    """

    n_samples: int = 2000
    seeds: int = 5
    discriminative_iterations: int = 2000
    predictive_iterations: int = 5000
    lags: int = 10
    series: Series | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._all_parts()

    def parts(self) -> Sequence[Metric]:
        """Return the metrics for any sequences that can be computed from ``n_samples`` of them."""
        return [part for part in self._all_parts() if part.shortage(self.n_samples) is None]

    @property
    def left_out(self) -> Mapping[str, str]:
        """The other metrics for any sequences, each with the reason."""
        needs = {part.name: part.shortage(self.n_samples) for part in self._all_parts()}
        return {name: f"it {need}, and there are {self.n_samples}." for name, need in needs.items() if need is not None}

    @property
    def least_samples(self) -> int:  # type: ignore[override]
        """The number from which any of the metrics can be computed."""
        return min(part.least_samples for part in self._all_parts())

    def _all_parts(self) -> Sequence[Metric]:
        settings = (Identity(), self.n_samples, self.split)
        univariate = self.series is not None and len(self.series.names) == 1
        return [
            DiscriminativeScore(*settings, iterations=self.discriminative_iterations, seeds=self.seeds),
            PredictiveScore(*settings, iterations=self.predictive_iterations, seeds=self.seeds, one_step_ahead=univariate),
            *SequenceDistances(*settings, self.lags).parts(),
        ]

    def fitted(self, data: Data, device: torch.device) -> Metric:
        """Return this metric of the samples themselves, whatever the features."""
        check_sequences("metric=sequences", data)
        checks.package("scikit-learn", "sequences", "metric=sequences")
        ready = dataclasses.replace(self, features=Identity())
        object.__setattr__(ready, "series", data.series or unnamed(data.shape[1]))  # not a config key
        return ready

    def pictures(self, real: Encoded, fake: Encoded) -> Mapping[str, Picture]:
        """Return ``pca`` and ``tsne`` of up to ``MAX_PLOTTED`` windows of each kind, and ``windows``, real beside generated."""
        series = self.series or unnamed(real.x.shape[2])
        x, y = real.x[:MAX_PLOTTED], fake.x[:MAX_PLOTTED]
        plane, share = pca(x, y)
        title = f"PCA of whole windows, flattened; the axes of the data, with {share:.0%} of its variance"
        plots = {
            "pca": drawing.scatter(*plane, title),
            "tsne": drawing.scatter(*tsne(x, y), "t-SNE of whole windows, flattened"),
            "windows": drawing.sequences(series.scaling.to_units(y), series.names, series.scaling.to_units(x)),
        }
        return {name: Picture(torch.from_numpy(pixels).permute(2, 0, 1)[None], 1) for name, pixels in plots.items()}
