"""Balls that reach to kth neighbours, the samples that lie in them, and nearest neighbours."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli.errors import UserError

ENTRIES = 1 << 22
"""Number of squared distances held at a time: 32 MiB in float64."""

ROUNDING = 1e-13
"""Allowed error of a squared distance, relative to the squared norms that it is computed from."""


class Neighbourhoods(NamedTuple):
    """Number of balls that hold each of N real and M generated samples, for k = 1…K.

    A ball around a sample reaches to its kth neighbour in its own set. The methods return one score per sample, whose mean is
    the measure.

    Attributes:
        in_real: Number of real balls that hold each generated sample, int64 ``[K, M]``.
        in_fake: Number of generated balls that hold each real sample, int64 ``[K, N]``.
        covered: True if the ball around a real sample holds a generated one, bool ``[K, N]``.
    """

    in_real: Tensor
    in_fake: Tensor
    covered: Tensor

    def precision(self, k: int) -> Tensor:
        """Return ``[M]``: 1 if a generated sample lies in a real ball, else 0."""
        return (self.in_real[k - 1] > 0).double()

    def recall(self, k: int) -> Tensor:
        """Return ``[N]``: 1 if a real sample lies in a generated ball, else 0."""
        return (self.in_fake[k - 1] > 0).double()

    def density(self, k: int) -> Tensor:
        """Return ``[M]``: the number of real balls that hold a generated sample, divided by k."""
        return self.in_real[k - 1].double() / k

    def coverage(self, k: int) -> Tensor:
        """Return ``[N]``: 1 if a real ball holds a generated sample, else 0."""
        return self.covered[k - 1].double()


def neighbourhoods(real: Tensor, fake: Tensor, max_k: int) -> Neighbourhoods:
    """Compute the scores of all four measures for k = 1…``max_k`` in one pass.

    The ball around a sample is closed; its radius is the distance to the sample's kth neighbour in its own set, the sample
    itself not counted. Distances are float64, from matrix products of features centred at the real mean. A distance that equals
    a radius up to rounding counts as inside, so copies and ties are found on every machine. The cost is about 4·N·M·d
    operations for N = M; no N × M matrix is held.

    Args:
        real: Real features ``[N, d]``.
        fake: Generated features ``[M, d]``.
        max_k: Largest k.

    Raises:
        UserError: If a set has at most ``max_k`` samples, the dimensions differ, or there are NaN or Inf.
    """
    _validate(real, fake, f"Precision and recall with k={max_k}", max_k + 1)
    centre = _centre(real)
    fake_radii = _squared_radii(_centred(fake, centre), max_k)
    y = _centred(real, centre)
    real_radii, lengths = _squared_radii(y, max_k), _squared_lengths(y)

    in_real = torch.zeros(max_k, len(fake), dtype=torch.int64)
    in_fake = torch.zeros(max_k, len(real), dtype=torch.int64)
    closest = y.new_full((len(real),), math.inf)
    for rows in _blocks(len(fake), len(real)):
        D = _squared_distances(_centred(fake[rows], centre), y, lengths)
        in_real[:, rows] = _count_balls(D, real_radii)
        in_fake += _count_balls(D.T, fake_radii[rows])
        closest = torch.minimum(closest, D.amin(0))
    return Neighbourhoods(in_real, in_fake, (closest[:, None] <= real_radii).T)


def nearest_neighbours(x: Tensor, y: Tensor, excluded: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return the Euclidean distance of each sample of ``x`` to its nearest sample of ``y``, and the index of that sample.

    Args:
        x: ``[N, d]``.
        y: ``[M, d]``.
        excluded: For each sample of ``x`` the index of a sample of ``y`` that does not count, such as the sample itself, int64
            ``[N]``. None: all count.

    Returns:
        Distances, float64 ``[N]``, exactly 0 for copies; indices into ``y``, int64 ``[N]``.

    Raises:
        UserError: If a set is empty, the dimensions differ, or there are NaN or Inf.
    """
    _validate(y, x, "Nearest neighbours", 1)
    centre = _centre(y)
    y = _centred(y, centre)
    lengths = _squared_lengths(y)
    distances, indices = torch.empty(len(x), dtype=torch.float64), torch.empty(len(x), dtype=torch.int64)
    for rows in _blocks(len(x), len(y)):
        block = _centred(x[rows], centre)
        D = _squared_distances(block, y, lengths)
        if excluded is not None:
            D.scatter_(1, excluded[rows, None], math.inf)
        indices[rows] = D.argmin(1)
        distances[rows] = (block - y[indices[rows]]).norm(dim=1)
    return distances, indices


def _squared_radii(x: Tensor, max_k: int) -> Tensor:
    """Return the squared radii ``[N, max_k]`` of the balls in ``x`` ``[N, d]``, enlarged by the rounding error."""
    lengths = _squared_lengths(x)
    smallest = x.new_full((len(x), max_k), math.inf)
    for rows in _blocks(len(x), len(x)):
        # The matrix is symmetric: the columns to the left of a block were covered by the rows of earlier blocks.
        D = _squared_distances(x[rows], x[rows.start :], lengths[rows.start :])
        D.fill_diagonal_(math.inf)  # a sample is not its own neighbour
        later = D[:, rows.stop - rows.start :].T
        for part, more in ((rows, D), (slice(rows.stop, None), later)):
            smallest[part] = torch.cat([smallest[part], more], 1).topk(max_k, largest=False).values
    radii = smallest.clamp(min=0)
    return radii + ROUNDING * (lengths[:, None] + radii)


def _count_balls(D: Tensor, radii: Tensor) -> Tensor:
    """Count the balls that hold each point, int64 ``[K, n]``, given squared distances ``[n, m]`` and radii ``[m, K]``."""
    point, ball = (radii[:, -1] >= D).nonzero(as_tuple=True)  # radii grow with k, so these few pairs are enough
    distance = D[point, ball]
    return torch.stack([point[distance <= radius[ball]].bincount(minlength=len(D)) for radius in radii.unbind(1)])


def _squared_distances(x: Tensor, y: Tensor, lengths: Tensor) -> Tensor:
    """Return ‖x‖² + ‖y‖² − 2⟨x, y⟩, ``[n, m]``, with ``lengths`` = ‖y‖²."""
    return torch.addmm(lengths, x, y.T, alpha=-2).add_(_squared_lengths(x)[:, None])


def _squared_lengths(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x, dim=1).square()


def _centre(x: Tensor) -> Tensor:
    """Return the mean of the features, float64 ``[d]``; a common offset would cost digits of every distance."""
    return x.detach().cpu().mean(0, dtype=torch.float64)


def _centred(x: Tensor, centre: Tensor) -> Tensor:
    return x.detach().cpu() - centre


def _blocks(n: int, m: int) -> Iterator[slice]:
    """Yield ``n`` rows in blocks of at most ``ENTRIES`` numbers at ``m`` columns."""
    step = max(1, ENTRIES // m)
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def _validate(real: Tensor, fake: Tensor, measure: str, minimum: int) -> None:
    if min(len(real), len(fake)) < minimum:
        raise UserError(
            f"{measure}: needs at least {minimum} real and generated samples and got {len(real)} real, {len(fake)} generated."
        )
    if real.shape[1] != fake.shape[1]:
        raise UserError(f"{measure}: real features have {real.shape[1]} dimensions, generated features {fake.shape[1]}.")
    for kind, features in (("real", real), ("generated", fake)):
        if not features.isfinite().all():
            raise UserError(f"{measure}: the {kind} features hold NaN or Inf.")
