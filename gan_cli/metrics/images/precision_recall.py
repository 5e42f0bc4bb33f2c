"""Precision, recall, density and coverage: do samples lie in balls that reach to their kth neighbours?

Kynkäänniemi et al.: Improved Precision and Recall Metric for Assessing Generative Models (2019),
https://arxiv.org/abs/1904.06991. Naeem et al.: Reliable Fidelity and Diversity Metrics for Generative Models (2020),
https://arxiv.org/abs/2002.09797.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded

CURVE = 10
"""``details`` shows every k up to this one."""

ENTRIES = 1 << 22
"""Squared distances held at a time: 32 MiB in float64."""

ROUNDING = 1e-13
"""Relative error allowed for in a squared distance, of the squared norms that it is the difference of."""


class Neighbourhoods(NamedTuple):
    """In which balls N real and M generated samples lie, for k = 1…K. A ball reaches to the kth neighbour in its own set.

    ``in_real``: int64 ``[K, M]``, how many real balls hold each generated sample; ``in_fake``: int64 ``[K, N]``, how many
    generated balls hold each real sample; ``covered``: bool ``[K, N]``, whether each real ball holds a generated sample.

    The methods give one score a sample; their mean is the measure.
    """

    in_real: Tensor
    in_fake: Tensor
    covered: Tensor

    def precision(self, k: int) -> Tensor:
        """``[M]``: 1 where a generated sample lies in a real ball, else 0."""
        return (self.in_real[k - 1] > 0).double()

    def recall(self, k: int) -> Tensor:
        """``[N]``: 1 where a real sample lies in a generated ball, else 0."""
        return (self.in_fake[k - 1] > 0).double()

    def density(self, k: int) -> Tensor:
        """``[M]``: number of real balls that hold a generated sample, over k."""
        return self.in_real[k - 1].double() / k

    def coverage(self, k: int) -> Tensor:
        """``[N]``: 1 where a real ball holds a generated sample, else 0."""
        return self.covered[k - 1].double()


def neighbourhoods(real: Tensor, fake: Tensor, max_k: int) -> Neighbourhoods:
    """All four measures' scores for k = 1…``max_k`` in one pass, for features ``[N, d]`` and ``[M, d]``.

    The ball around a sample is closed and its radius the distance to its kth neighbour in its own set, itself not counted.
    Distances are float64, from matrix products of features centred at the real mean. A distance that equals a radius up
    to rounding counts as inside: copies and ties are found whatever the machine. About 4·N·M·d operations where N = M; no
    N × M matrix is held.

    Raises UserError for ``max_k`` samples or fewer in a set, different d, NaN or Inf.
    """
    _require(real, fake, f"Precision and recall with k={max_k}", max_k + 1)
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


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> tuple[float, float]:
    """The share of generated samples in real balls, and of real samples in generated balls; both in [0, 1].

    Features ``[N, d]`` and ``[M, d]``. Both depend on N, M and k: compare only equal ones. Raises UserError as
    ``neighbourhoods`` does.
    """
    near = neighbourhoods(real, fake, k)
    return float(near.precision(k).mean()), float(near.recall(k).mean())


def density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> tuple[float, float]:
    """The number of real balls around a generated sample over k, and the share of real balls that hold one.

    Features ``[N, d]`` and ``[M, d]``. Density is >= 0, about 1 for the data's own law, above it where samples crowd into
    its dense parts; coverage lies in [0, 1], ``expected_coverage`` for the data's own law. Raises UserError as
    ``neighbourhoods`` does.
    """
    near = neighbourhoods(real, fake, k)
    return float(near.density(k).mean()), float(near.coverage(k).mean())


def expected_coverage(n_real: int, n_fake: int, k: int) -> float:
    """1 − Π_{i=1…k} (N − i)/(N + M − i): the coverage of M samples from the law of the N real ones, whatever that law."""
    return 1 - math.prod((n_real - i) / (n_real + n_fake - i) for i in range(1, k + 1))


def nearest(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The Euclidean distance of each of ``x`` ``[N, d]`` to its nearest of ``y`` ``[M, d]``, and which one that is.

    Returns float64 and int64 ``[N]``; the distance of copies is exactly 0. Raises UserError for an empty set, different d,
    NaN or Inf.
    """
    _require(y, x, "Nearest neighbours", 1)
    centre = _centre(y)
    y = _centred(y, centre)
    lengths = _squared_lengths(y)
    distances, indices = torch.empty(len(x), dtype=torch.float64), torch.empty(len(x), dtype=torch.int64)
    for rows in _blocks(len(x), len(y)):
        block = _centred(x[rows], centre)
        indices[rows] = _squared_distances(block, y, lengths).argmin(1)
        distances[rows] = (block - y[indices[rows]]).norm(dim=1)
    return distances, indices


@dataclass(frozen=True)
class PrecisionRecall(Metric):
    """Precision, recall, density and coverage in the space of ``features``, and their curves over k.

    ``k``: the neighbour that the balls of precision and recall reach to; ``k_density``: the same for density and coverage.
    Each pair has its paper's own k, 3 and 5: with k = 3 the data themselves would have a coverage of 0.88, not 0.97.

    The standard errors are those of a mean over the samples that are scored, generated ones for precision and density, real
    ones for recall and coverage, with the balls as given. On Gaussians they agree within a quarter with what other generated
    samples change; with other real samples too, the numbers scatter up to half as much again.

    Raises UserError for a k below 1.
    """

    higher_is_better: ClassVar[bool] = True
    selects_checkpoint: ClassVar[bool] = False  # a generator that has collapsed has the best precision
    k: int = 3
    k_density: int = 5

    def __post_init__(self):
        super().__post_init__()
        checks.count("k", self.k)
        checks.count("k_density", self.k_density)

    @property
    def name(self) -> str:
        """``precision_<features>``."""
        return self.features.label("precision")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """``precision``, ``recall``, ``density`` and ``coverage``."""
        near = self._neighbourhoods(real, fake)
        scores = {
            "precision": near.precision(self.k),
            "recall": near.recall(self.k),
            "density": near.density(self.k_density),
            "coverage": near.coverage(self.k_density),
        }
        return {self.features.label(measure): _mean(score) for measure, score in scores.items()}

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """The four curves over ``k``, and the coverage that samples of the data's own law would have."""
        near = self._neighbourhoods(real, fake)
        ks = range(1, len(near.covered) + 1)
        return {
            "k": list(ks),
            "precision": [float(near.precision(k).mean()) for k in ks],
            "recall": [float(near.recall(k).mean()) for k in ks],
            "density": [float(near.density(k).mean()) for k in ks],
            "coverage": [float(near.coverage(k).mean()) for k in ks],
            "expected_coverage": [expected_coverage(len(real), len(fake), k) for k in ks],
        }

    def _neighbourhoods(self, real: Encoded, fake: Encoded) -> Neighbourhoods:
        longest = min(CURVE, len(real) - 1, len(fake) - 1)
        return _neighbourhoods(real.features, fake.features, max(self.k, self.k_density, longest))


# Tensors are equal only to themselves. The numbers and the curves share one pass.
_neighbourhoods = lru_cache(maxsize=1)(neighbourhoods)


def _squared_radii(x: Tensor, max_k: int) -> Tensor:
    """The squared radii ``[N, max_k]`` of the balls in ``x`` ``[N, d]``, with room for rounding."""
    lengths = _squared_lengths(x)
    smallest = x.new_full((len(x), max_k), math.inf)
    for rows in _blocks(len(x), len(x)):
        # The matrix is symmetric: a block's columns to its left were seen as earlier blocks' rows.
        D = _squared_distances(x[rows], x[rows.start :], lengths[rows.start :])
        D.fill_diagonal_(math.inf)  # nothing is its own neighbour
        later = D[:, rows.stop - rows.start :].T
        for part, more in ((rows, D), (slice(rows.stop, None), later)):
            smallest[part] = torch.cat([smallest[part], more], 1).topk(max_k, largest=False).values
    radii = smallest.clamp(min=0)
    return radii + ROUNDING * (lengths[:, None] + radii)


def _count_balls(D: Tensor, radii: Tensor) -> Tensor:
    """How many balls hold each point, int64 ``[K, n]``, from squared distances ``[n, m]`` and squared radii ``[m, K]``."""
    point, ball = (radii[:, -1] >= D).nonzero(as_tuple=True)  # few pairs; the radii grow with k
    distance = D[point, ball]
    return torch.stack([point[distance <= radius[ball]].bincount(minlength=len(D)) for radius in radii.unbind(1)])


def _squared_distances(x: Tensor, y: Tensor, lengths: Tensor) -> Tensor:
    """‖x‖² + ‖y‖² − 2⟨x, y⟩, ``[n, m]``, with ``lengths`` = ‖y‖²."""
    return torch.addmm(lengths, x, y.T, alpha=-2).add_(_squared_lengths(x)[:, None])


def _squared_lengths(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x, dim=1).square()


def _centre(x: Tensor) -> Tensor:
    """Where the features are moved to the origin, float64 ``[d]``: a common offset would cost digits of every distance."""
    return x.detach().cpu().mean(0, dtype=torch.float64)


def _centred(x: Tensor, centre: Tensor) -> Tensor:
    return x.detach().cpu() - centre


def _blocks(n: int, m: int) -> Iterator[slice]:
    """``n`` rows in blocks of at most ``ENTRIES`` numbers at ``m`` columns."""
    step = max(1, ENTRIES // m)
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def _mean(scores: Tensor) -> Value:
    return Value(float(scores.mean()), float(scores.std() / math.sqrt(len(scores))), higher_is_better=True)


def _require(real: Tensor, fake: Tensor, measure: str, minimum: int) -> None:
    if min(len(real), len(fake)) < minimum:
        raise UserError(
            f"{measure}: needs at least {minimum} real and generated samples and got {len(real)} real, {len(fake)} generated."
        )
    if real.shape[1] != fake.shape[1]:
        raise UserError(f"{measure}: real features have {real.shape[1]} dimensions, generated ones {fake.shape[1]}.")
    for kind, features in (("real", real), ("generated", fake)):
        if not features.isfinite().all():
            raise UserError(f"{measure}: the {kind} features hold NaN or Inf.")
