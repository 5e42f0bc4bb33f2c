"""Distances of generated samples to their nearest training samples, compared with those of held-out samples.

Meehan, Chaudhuri, Dasgupta: A Non-Parametric Test to Detect Data-Copying in Generative Models (2020),
https://arxiv.org/abs/2004.05675, explain why the held-out baseline is needed: a distance to the training set alone does not
show whether a generator copies.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from gan_cli.metrics.base import Picture, Value
from gan_cli.metrics.features.base import Encoded, to_metric_input
from gan_cli.metrics.images.frechet import frechet_distance
from gan_cli.metrics.images.neighbourhoods import nearest_neighbours
from gan_cli.metrics.images.training_set import AgainstTraining

COPY_QUANTILE = 0.01
"""A sample counts as a copy if it is as near to the training set as this share of held-out samples."""

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Levels of the quantiles of distances in ``details``."""

PAIRS, COLUMNS = 32, 8
"""Number of pairs in the picture, and of images per row."""


def copy_share(fake_distances: Tensor, heldout_distances: Tensor) -> float:
    """Return the share of generated samples that are as near to a training sample as the nearest 1 % of held-out samples.

    The 1 % quantile is the one at rank 0.01(M + 1). Samples of the data distribution that were never trained on are therefore
    expected to have a share of 0.01, or 1/(M + 1) for fewer than 99 held-out samples. They have a larger share if more than 1 %
    of the held-out samples are themselves copies of training samples.

    Args:
        fake_distances: Distances of generated samples to their nearest training samples, ``[N]``.
        heldout_distances: Distances of held-out samples to their nearest training samples, ``[M]``.

    Returns:
        A number in [0, 1].
    """
    return float((fake_distances <= copy_distance(heldout_distances)).double().mean())


def copy_distance(heldout_distances: Tensor) -> float:
    """Return the distance to the training set at which a sample counts as a copy, given those of held-out samples, ``[M]``."""
    return float(np.quantile(heldout_distances.numpy(), COPY_QUANTILE, method="weibull"))


def frechet_gap(fake: Tensor, train: Tensor, heldout: Tensor) -> float:
    """Return FD(held-out, generated) − FD(training, generated), each for n samples, where n is the size of the smallest set.

    At equal n both distances have the same bias, and samples of the data distribution that were never trained on are expected
    at 0. A positive gap means that the generated samples are nearer to the training set than to other samples.

    Args:
        fake: Features of generated samples, ``[N, d]``, in random order; the first n of each set are used.
        train: Features of training samples, ``[M, d]``, in random order.
        heldout: Features of held-out samples, ``[L, d]``, in random order.

    Raises:
        UserError: As in ``frechet_distance``.
    """
    n = min(len(fake), len(train), len(heldout))
    return frechet_distance(heldout[:n], fake[:n]) - frechet_distance(train[:n], fake[:n])


@dataclass(frozen=True)
class Memorisation(AgainstTraining):
    """Distances of generated samples to their nearest training samples, in the space of ``features``.

    The real samples are held-out ones, never trained on; they are the baseline. The standard errors are those of means over
    samples; the training set and, for ``copies``, the distance of a copy are taken as given.

    Args:
        features: The feature space.
        n_samples: Number of generated and of held-out samples.
        split: Part of the data set that the real samples come from: ``heldout``.
        max_train: Largest number of training samples that are searched, drawn at random and always the same. Copies of other
            training samples are not detected.

    Raises:
        UserError: If ``split`` is another one or ``max_train`` is below 2. In ``fitted``, if the data have no held-out part.
    """

    needs_samples: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """``copies_<features>``."""
        return self.features.label("copies")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``copies``, the mean distances ``nearest`` and ``nearest_heldout``, and ``fd_gap``.

        Args:
            real: Encoded held-out samples.
            fake: Encoded generated samples.
        """
        train = self.require_training().features
        (baseline, _), (distances, _) = _nearest_cached(real.features, train), _nearest_cached(fake.features, train)
        share, n = copy_share(distances, baseline), len(distances)
        label = self.features.label
        return {
            label("copies"): Value(share, math.sqrt(share * (1 - share) / n)),
            label("nearest"): _mean(distances),
            label("nearest_heldout"): _mean(baseline),
            **self.jackknife_values(real, fake),
        }

    def jackknife_values(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``fd_gap`` alone, since shares and means have errors of their own."""
        gap = frechet_gap(fake.features, self.require_training().features, real.features)
        return {self.features.label("fd_gap"): Value(gap)}

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """Return quantiles of the distances, the distance of a copy, the share of copies expected by chance, and set sizes."""
        train = self.require_training().features
        baseline, distances = (_nearest_cached(side.features, train)[0] for side in (real, fake))
        return {
            "quantile": list(QUANTILES),
            "nearest": np.quantile(distances.numpy(), QUANTILES).tolist(),
            "nearest_heldout": np.quantile(baseline.numpy(), QUANTILES).tolist(),
            "copy_distance": copy_distance(baseline),
            "expected_copies": max(COPY_QUANTILE, 1 / (len(baseline) + 1)),
            "n_train": len(train),
            "n_fd_gap": min(len(fake), len(train), len(real)),
        }

    def pictures(self, real: Encoded, fake: Encoded) -> Mapping[str, Picture]:
        """Return ``memorisation``: the generated images nearest to the training set, each followed by its training image."""
        if not _are_images(fake.x):
            return {}
        training = self.require_training()
        distances, indices = _nearest_cached(fake.features, training.features)
        chosen = distances.argsort(stable=True)[:PAIRS]
        trained = training.samples.batch(training.indices[indices[chosen]]).x
        pairs = torch.stack([to_metric_input(x, self.features) for x in (fake.x[chosen], trained)], 1)
        return {"memorisation": Picture(pairs.flatten(0, 1), COLUMNS)}


# Tensors are hashed by identity, so numbers, details and pictures share one search.
_nearest_cached = lru_cache(maxsize=2)(nearest_neighbours)


def _mean(distances: Tensor) -> Value:
    error = float(distances.std() / math.sqrt(len(distances))) if len(distances) > 1 else None
    return Value(float(distances.mean()), error, higher_is_better=True)


def _are_images(x: Tensor) -> bool:
    return x.ndim == 4 and x.shape[1] in (1, 3)
