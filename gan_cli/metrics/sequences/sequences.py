"""All that can be said of sequences, in numbers and pictures."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from gan_cli import drawing
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

SHOWN = 500
"""Sequences of either kind in a picture; the time of t-SNE grows faster than they do."""


@dataclass(frozen=True)
class Sequences(Combined):
    """All that can be said of sequences: discriminative score (chief), predictive score, and ``SequenceDistances``.

    ``seeds``, ``discriminative_iterations``, ``predictive_iterations``: of the networks that score; where there is one feature
    only it is predicted from its own past. ``lags``: of the correlations. Pictures: PCA and t-SNE of whole windows, and some
    windows as they are. Raises UserError for data other than sequences.
    """

    n_samples: int = 2000
    seeds: int = 5
    discriminative_iterations: int = 2000
    predictive_iterations: int = 5000
    lags: int = 10
    series: Series | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self):
        super().__post_init__()
        self.parts()

    def parts(self) -> Sequence[Metric]:
        """Those for any sequences."""
        words = (Identity(), self.n_samples, self.split)
        one = self.series is not None and len(self.series.names) == 1
        return [
            DiscriminativeScore(*words, iterations=self.discriminative_iterations, seeds=self.seeds),
            PredictiveScore(*words, iterations=self.predictive_iterations, seeds=self.seeds, one_step_ahead=one),
            *SequenceDistances(*words, self.lags).parts(),
        ]

    def fitted(self, data: Data, device: torch.device) -> Metric:
        """All parts for sequences such as these, of the samples themselves, whatever the features."""
        check_sequences("metric=sequences", data)
        ready = dataclasses.replace(self, features=Identity())
        object.__setattr__(ready, "series", data.series or unnamed(data.shape[1]))  # no key of the config
        return ready

    def pictures(self, real: Encoded, fake: Encoded) -> Mapping[str, Picture]:
        """``pca``, ``tsne`` of up to ``SHOWN`` windows of either kind, and ``windows``, real beside generated."""
        series = self.series or unnamed(real.x.shape[2])
        x, y = real.x[:SHOWN], fake.x[:SHOWN]
        plane, share = pca(x, y)
        said = f"PCA of whole windows, flattened; the axes are those of the data and hold {share:.0%} of its variance"
        named = {
            "pca": drawing.clouds(*plane, said),
            "tsne": drawing.clouds(*tsne(x, y), "t-SNE of whole windows, flattened"),
            "windows": drawing.sequences(series.scaling.to_units(y), series.names, series.scaling.to_units(x)),
        }
        return {name: Picture(torch.from_numpy(pixels).permute(2, 0, 1)[None], 1) for name, pixels in named.items()}
