"""The C_T test for data-copying: are generated samples nearer to the training set than held-out samples are?

Meehan, Chaudhuri, Dasgupta: A Non-Parametric Test to Detect Data-Copying in Generative Models (2020),
https://arxiv.org/abs/2004.05675.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.metrics.base import Value
from gan_cli.metrics.features.base import Encoded, validate_pair
from gan_cli.metrics.images.neighbourhoods import nearest_neighbours
from gan_cli.metrics.images.training_set import AgainstTraining

CELLS, COMPONENTS = 3, 64
"""Number of cells, and of principal components that they are found in: the values of dgm-eval (Stein et al., 2023)."""

LEAST_GENERATED = 20
"""A cell takes part if more generated samples than this lie in it."""

TRIES, ITERATIONS = 10, 100
"""Number of initialisations of k-means, and of iterations of each."""


class Cell(NamedTuple):
    """The test in one cell.

    Attributes:
        heldout: Number of held-out samples in the cell.
        generated: Number of generated samples in the cell.
        z: The standardised U statistic, 0 if the cell takes no part.
        error: Its standard error over generated samples.
    """

    heldout: int
    generated: int
    z: float
    error: float


def u_test(fake_distances: Tensor, heldout_distances: Tensor) -> tuple[float, float]:
    """Return the standardised Mann-Whitney statistic z = (U − MN/2)/√(MN(M + N + 1)/12) and its standard error.

    U counts the pairs in which the generated sample has the larger distance; ties count half. For equal distributions z has
    mean 0 and variance 1. The error covers other generated samples; the held-out ones are fixed.

    Args:
        fake_distances: ``[M]``.
        heldout_distances: ``[N]``.
    """
    m, n = len(fake_distances), len(heldout_distances)
    ordered = heldout_distances.sort().values
    below, up_to = (torch.searchsorted(ordered, fake_distances, right=right).double() for right in (False, True))
    smaller = (below + up_to) / 2
    scale = (m * n * (m + n + 1) / 12) ** 0.5
    return float((smaller.sum() - m * n / 2) / scale), float(smaller.std() * m**0.5 / scale)


def data_copying(fake: Tensor, train: Tensor, heldout: Tensor, cells: int = CELLS, components: int = COMPONENTS) -> list[Cell]:
    """Run the test in each cell.

    The cells are the clusters of the training samples by k-means, always the same for the same samples. In each of them the
    distances of generated and of held-out samples to their nearest training sample of the cell are compared by ``u_test``.

    Args:
        fake: Features of generated samples, ``[M, d]``.
        train: Features of training samples, ``[N, d]``.
        heldout: Features of held-out samples, ``[L, d]``.
        cells: Number of cells.
        components: The features are projected on so many principal components of the training samples if they have more.

    Raises:
        UserError: If dimensions differ, sets are empty, or there are NaN or Inf.
    """
    validate_pair("Data copying", fake, heldout)
    train, fake = (z.double() for z in validate_pair("Data copying", train, fake))
    basis, centre = _principal_components(train, components), train.mean(0)
    train, fake, heldout = ((z - centre) @ basis for z in (train, fake, heldout.detach().cpu().double()))
    centres = _cluster_centres(train, min(cells, len(train)))
    own = [nearest_neighbours(z, centres)[1] for z in (fake, train, heldout)]
    return [_test(*(z[cell == c] for z, cell in zip((fake, train, heldout), own, strict=True))) for c in range(len(centres))]


def combine(cells: list[Cell]) -> tuple[float, float]:
    """Return C_T, the mean of z over the cells that take part, weighted by their held-out samples, and its standard error.

    NaN if no cell takes part. C_T is about 0 for samples of the data distribution, and at most about −3 where they are copied.
    """
    used = [cell for cell in cells if _takes_part(cell.heldout, cell.generated)]
    total = sum(cell.heldout for cell in used)
    if not total:
        return math.nan, math.nan
    variance = sum((cell.heldout / total * cell.error) ** 2 for cell in used)
    return sum(cell.heldout / total * cell.z for cell in used), variance**0.5


@dataclass(frozen=True)
class DataCopying(AgainstTraining):
    """The statistic C_T of the test for data-copying, in the space of ``features``.

    It is negative if generated samples are nearer to the training samples than held-out ones are, positive if they are further
    from them, as noise is, and grows with the square root of the number of samples: compare only at equal counts.

    Args:
        features: The feature space.
        n_samples: Number of generated and of held-out samples.
        split: Part of the data set that the real samples come from: ``heldout``.
        max_train: Largest number of training samples that are searched, drawn at random and always the same. Copies of other
            training samples are not detected.
        cells: Number of cells.
        components: Number of principal components of the training samples; all features if they have no more dimensions.

    Raises:
        UserError: If a field is out of range. In ``fitted``, if the data have no held-out part.
    """

    higher_is_better: ClassVar[bool] = True
    cells: int = CELLS
    components: int = COMPONENTS

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.counts(cells=self.cells, components=self.components)

    @property
    def name(self) -> str:
        """``ct_<features>``."""
        return self.features.label("ct")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``ct`` with its standard error, NaN if no cell has more than 20 generated samples."""
        return {self.name: Value(*combine(self._cells(real, fake)), higher_is_better=True)}

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """Return the numbers of held-out and generated samples and the statistic of each cell."""
        return {"cells": [cell._asdict() for cell in self._cells(real, fake)]}

    def _cells(self, real: Encoded, fake: Encoded) -> list[Cell]:
        train = self.require_training().features
        return data_copying(fake.features, train, real.features, self.cells, self.components)


def _takes_part(heldout: int, generated: int) -> bool:
    return heldout > 0 and generated > LEAST_GENERATED


def _test(fake: Tensor, train: Tensor, heldout: Tensor) -> Cell:
    if not _takes_part(len(heldout), len(fake)):
        return Cell(len(heldout), len(fake), 0.0, 0.0)
    distances = [nearest_neighbours(z, train)[0] for z in (fake, heldout)]
    return Cell(len(heldout), len(fake), *u_test(*distances))


def _principal_components(x: Tensor, count: int) -> Tensor:
    """Return the directions of largest variance of ``x`` ``[N, d]``, ``[d, count]``; the identity if d <= ``count``."""
    d = x.shape[1]
    if d <= count:
        return torch.eye(d, dtype=x.dtype)
    return torch.linalg.eigh(x.T.cov()).eigenvectors[:, -count:]


def _cluster_centres(x: Tensor, count: int) -> Tensor:
    """Return the centres of the best of ``TRIES`` runs of k-means on ``x`` ``[N, d]``, ``[count, d]``."""
    from scipy.cluster.vq import kmeans2  # here: most runs need no scipy

    random = np.random.default_rng(0)
    tries = [kmeans2(x.numpy(), count, ITERATIONS, minit="++", rng=random) for _ in range(TRIES)]
    spreads = [float((x - torch.from_numpy(centres)[labels]).square().sum()) for centres, labels in tries]
    return torch.from_numpy(tries[int(np.argmin(spreads))][0])
