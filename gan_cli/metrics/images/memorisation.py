"""Does a generator repeat its training set? Distances to the nearest training samples, beside those of held-out ones.

Meehan, Chaudhuri, Dasgupta: A Non-Parametric Test to Detect Data-Copying in Generative Models (2020),
https://arxiv.org/abs/2004.05675, on why the held-out baseline is needed. A distance to the training set means nothing alone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data, Dataset, generator
from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric, Picture, Value
from gan_cli.metrics.features.base import Encoded, to_metric_input
from gan_cli.metrics.features.cache import content_key, encode_cached
from gan_cli.metrics.images.frechet import frechet_distance
from gan_cli.metrics.images.precision_recall import nearest

SHARE = 0.01
"""The share of held-out samples that is as near to the training set as a copy."""

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)

PAIRS, COLUMNS = 32, 8

BATCH = 500
"""Training samples read at a time."""


def copies(fake_distances: Tensor, heldout_distances: Tensor) -> float:
    """The share of generated samples as near to a training sample as the nearest 1 % of held-out samples; in [0, 1].

    Distances ``[N]`` and ``[M]`` to the nearest training sample. The 1 % quantile is the one at rank 0.01(M + 1), so that
    samples of the data's own law, never trained on, are expected at 0.01: at 1/(M + 1) for fewer than 99 held-out samples,
    and above it where more than 1 % of the held-out samples are copies themselves.
    """
    return float((fake_distances <= copy_distance(heldout_distances)).double().mean())


def copy_distance(heldout_distances: Tensor) -> float:
    """How near the nearest 1 % of held-out samples are to the training set, from their distances ``[M]``."""
    return float(np.quantile(heldout_distances.numpy(), SHARE, method="weibull"))


def frechet_gap(fake: Tensor, train: Tensor, heldout: Tensor) -> float:
    """FD(held-out, generated) − FD(training, generated), for the first n features of each, n the size of the smallest set.

    The sets ``[·, d]`` must be in random order. At equal n both distances have the same bias, and samples of the data's own
    law, never trained on, are expected at 0. Above it the generated samples are nearer to the training set than to others.

    Raises UserError as ``frechet_distance`` does.
    """
    n = min(len(fake), len(train), len(heldout))
    return frechet_distance(heldout[:n], fake[:n]) - frechet_distance(train[:n], fake[:n])


class Training(NamedTuple):
    """What may have been memorised: ``samples``, which of them were taken, int64 ``[N]``, and their features ``[N, d]``."""

    samples: Dataset
    indices: Tensor
    features: Tensor


@dataclass(frozen=True)
class Memorisation(Metric):
    """Distances of generated samples to their nearest training samples, in the space of ``features``.

    ``max_train``: how many training samples are searched, drawn at random, always the same ones. What was memorised from the
    others goes unnoticed.

    The real samples are held-out ones, never trained on: the baseline. The standard errors are those of means over samples,
    with the training set and, for ``copies``, the distance that makes a copy as given.

    Raises UserError for a ``max_train`` below 2 and for data without a held-out part.
    """

    n_samples: int = 1000
    split: str = field(default="heldout", init=False)
    needs_samples: ClassVar[bool] = True
    selects_checkpoint: ClassVar[bool] = False  # nobody copies less than who has learnt nothing
    max_train: int = 10_000
    training: Training | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self):
        super().__post_init__()
        checks.count("max_train", self.max_train, least=2)

    def fitted(self, data: Data, device: torch.device) -> Self:
        """This metric with the training samples it searches, read and encoded."""
        if not len(data.heldout):
            raise UserError("metric=memorisation compares with held-out samples, and this data set has none.")
        ready = replace(self, features=self.features.fitted(data, device))
        order = torch.randperm(len(data.train), generator=generator("memorisation"))
        indices = order[: self.max_train]
        batches = (to_metric_input(data.train.batch(chunk).x, ready.features) for chunk in indices.split(BATCH))
        found = torch.cat([encode_cached(ready.features, x).features for x in batches])
        object.__setattr__(ready, "training", Training(data.train, indices, found))
        return ready

    @property
    def name(self) -> str:
        """``copies_<features>``."""
        return self.features.label("copies")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """``copies``, mean distances ``nearest`` and ``nearest_heldout``, and ``fd_gap``; ``real``: held-out samples."""
        train = self._known().features
        (baseline, _), (distances, _) = _nearest(real.features, train), _nearest(fake.features, train)
        share, n = copies(distances, baseline), len(distances)
        label = self.features.label
        return {
            label("copies"): Value(share, math.sqrt(share * (1 - share) / n)),
            label("nearest"): _mean(distances),
            label("nearest_heldout"): _mean(baseline),
            **self.jackknife_values(real, fake),
        }

    def jackknife_values(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """The gap alone: shares and means know their errors."""
        gap = frechet_gap(fake.features, self._known().features, real.features)
        return {self.features.label("fd_gap"): Value(gap)}

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """Quantiles of the distances, the distance that makes a copy, the share expected there, and the sets' sizes."""
        train = self._known().features
        baseline, distances = (_nearest(side.features, train)[0] for side in (real, fake))
        return {
            "quantile": list(QUANTILES),
            "nearest": np.quantile(distances.numpy(), QUANTILES).tolist(),
            "nearest_heldout": np.quantile(baseline.numpy(), QUANTILES).tolist(),
            "copy_distance": copy_distance(baseline),
            "expected_copies": max(SHARE, 1 / (len(baseline) + 1)),
            "n_train": len(train),
            "n_fd_gap": min(len(fake), len(train), len(real)),
        }

    def pictures(self, real: Encoded, fake: Encoded) -> Mapping[str, Picture]:
        """``memorisation``: the generated images nearest to the training set, each followed by its training image."""
        if not _are_images(fake.x):
            return {}
        training = self._known()
        distances, indices = _nearest(fake.features, training.features)
        chosen = distances.argsort(stable=True)[:PAIRS]
        trained = training.samples.batch(training.indices[indices[chosen]]).x
        pairs = torch.stack([to_metric_input(x, self.features) for x in (fake.x[chosen], trained)], 1)
        return {"memorisation": Picture(pairs.flatten(0, 1), COLUMNS)}

    def settings(self) -> dict[str, Any]:
        """``max_train``, and which training samples are searched, by their number and a hash of their features."""
        if self.training is None:
            return {"max_train": self.max_train}
        known = self.training.features
        return {"max_train": self.max_train, "searched": len(known), "training": content_key("training", known)[:12]}

    def _known(self) -> Training:
        if self.training is None:
            raise UserError("metric=memorisation knows no training samples yet: call metric.fitted(data, device) first.")
        return self.training


# Tensors are equal only to themselves. Numbers, details and pictures share one search.
_nearest = lru_cache(maxsize=2)(nearest)


def _mean(distances: Tensor) -> Value:
    error = float(distances.std() / math.sqrt(len(distances))) if len(distances) > 1 else None
    return Value(float(distances.mean()), error, higher_is_better=True)


def _are_images(x: Tensor) -> bool:
    return x.ndim == 4 and x.shape[1] in (1, 3)
