"""Distances between distributions on finitely many points: optimal transport, its duals, and divergences.

Villani: Topics in Optimal Transportation (2003). Weights are vectors, Tensors or sequences; everything is computed in float64.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import scipy.sparse
import torch
from scipy.optimize import linprog
from scipy.special import rel_entr
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.metrics.features.base import validate_pair

Vector = Tensor | Sequence[float]

EXACT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
"""The solver's least tolerances; its own, 1e-7, leave values wrong in the ninth digit."""


class Transport(NamedTuple):
    """An optimal transport: its cost, and how much goes from point i to point j, ``plan [n, m]``."""

    value: float
    plan: Tensor


class Potentials(NamedTuple):
    """Optimal dual potentials ``f [n]``, ``g [m]``, each fixed up to a constant, and the value they reach."""

    value: float
    f: Tensor
    g: Tensor


class Support(NamedTuple):
    """The distinct points ``[n, d]`` of two sets of samples, and each set's share of every point, ``p [n]``, ``q [n]``."""

    points: Tensor
    p: Tensor
    q: Tensor


def optimal_transport(p: Vector, q: Vector, cost: Tensor) -> Transport:
    """min Σᵢⱼ πᵢⱼ cᵢⱼ over plans π ≥ 0 with row sums p ``[n]`` and column sums q ``[m]``; cost ``[n, m]``.

    A linear programme of n·m unknowns (Kantorovich). p and q may be any weights of equal total: heaps of 10 shovelfuls
    give shovelfuls times distance, probabilities give the Wasserstein-1 distance where the cost is a distance.

    Raises UserError for weights below 0 or of different totals, a cost of another shape, NaN or Inf.
    """
    p, q, cost = _problem(p, q, cost)
    result = _solved(cost.flatten(), A_eq=_sums(*cost.shape), b_eq=torch.cat([p, q]))
    return Transport(result.fun, torch.from_numpy(result.x).view_as(cost))


def kantorovich_dual(p: Vector, q: Vector, cost: Tensor) -> Potentials:
    """max Σᵢ pᵢfᵢ + Σⱼ qⱼgⱼ over potentials with fᵢ + gⱼ ≤ cᵢⱼ: the value of ``optimal_transport``, with f₁ = 0.

    Raises UserError as ``optimal_transport`` does.
    """
    p, q, cost = _problem(p, q, cost)
    fixed = [(0, 0)] + [(None, None)] * (len(p) + len(q) - 1)  # f + c, g − c is as good for every c
    result = _solved(-torch.cat([p, q]), A_ub=_sums(*cost.shape).T, b_ub=cost.flatten(), bounds=fixed)
    f, g = torch.from_numpy(result.x).split([len(p), len(q)])
    return Potentials(-result.fun, f, g)


def kantorovich_rubinstein(p: Vector, q: Vector, distance: Tensor) -> Potentials:
    """max Σᵢ fᵢ(pᵢ − qᵢ) over 1-Lipschitz f: fᵢ − fⱼ ≤ dᵢⱼ, for p and q ``[n]`` on the same points; f₁ = 0 and g = −f.

    Equals ``optimal_transport`` where ``distance [n, n]`` is a metric on the points: what a Wasserstein critic aims at.

    Raises UserError as ``optimal_transport`` does.
    """
    p, q, distance = _problem(p, q, distance)
    n = len(p)
    if distance.shape != (n, n):
        raise UserError(f"Kantorovich-Rubinstein dual: needs both distributions on the same points, not {n} and {len(q)}.")
    slopes = _sums(n, n)[:n].T - _sums(n, n)[n:].T
    result = _solved(q - p, A_ub=slopes, b_ub=distance.flatten(), bounds=[(0, 0)] + [(None, None)] * (n - 1))
    f = torch.from_numpy(result.x)
    return Potentials(-result.fun, f, -f)


def transport_by_cdf(p: Vector, q: Vector, positions: Vector) -> float:
    """∫ |F(t) − G(t)| dt for weights p and q ``[n]`` of equal total at ``positions [n]`` of the line, in any order.

    F and G are the cumulated weights; equals ``optimal_transport`` with the cost |tᵢ − tⱼ|.

    Raises UserError as ``optimal_transport`` does.
    """
    t, order = torch.as_tensor(positions, dtype=torch.float64).sort()
    p, q, _ = _problem(p, q, (t[:, None] - t).abs())
    return float(((p - q)[order].cumsum(0)[:-1].abs() * t.diff()).sum())


def kl(p: Vector, q: Vector) -> float:
    """KL(p‖q) = Σ p log(p/q) in nats for probability vectors; infinite where p has mass that q has not.

    Raises UserError unless both are probabilities of the same points.
    """
    p, q = _probabilities(p, q)
    return max(float(rel_entr(p.numpy(), q.numpy()).sum()), 0.0)  # rounding may leave −1e-17


def js(p: Vector, q: Vector) -> float:
    """JS(p, q) = ½ KL(p‖m) + ½ KL(q‖m), m = ½(p + q), in nats: from 0 where p = q to log 2 where nothing is shared.

    Raises UserError unless both are probabilities of the same points.
    """
    p, q = _probabilities(p, q)
    m = (p + q) / 2
    return min((kl(p, m) + kl(q, m)) / 2, math.log(2))


def tv(p: Vector, q: Vector) -> float:
    """TV(p, q) = sup over sets A of |p(A) − q(A)| = ½ Σ |p − q|, within [0, 1].

    Raises UserError unless both are probabilities of the same points.
    """
    p, q = _probabilities(p, q)
    return float((p - q).abs().sum() / 2)


def common_support(x: Tensor, y: Tensor) -> Support:
    """The samples ``[N, d]`` and ``[M, d]`` as two distributions on the points that occur in either, equal ones merged.

    Divergences of such distributions see equality alone: independent samples of one continuous law share no point, so
    that their JS is log 2.

    Raises UserError for different d, no samples, NaN or Inf.
    """
    x, y = validate_pair("common support", x, y)
    points, index = torch.cat([x, y]).unique(dim=0, return_inverse=True)
    counts = (torch.bincount(part, minlength=len(points)).double() for part in index.split([len(x), len(y)]))
    p, q = (count / count.sum() for count in counts)
    return Support(points, p, q)


def _sums(n: int, m: int) -> Any:
    """Sparse matrix ``[n + m, n·m]``: a flattened plan ``[n, m]`` -> its row sums, then its column sums."""
    rows = scipy.sparse.kron(scipy.sparse.eye_array(n), [[1.0] * m])
    columns = scipy.sparse.kron([[1.0] * n], scipy.sparse.eye_array(m))
    return scipy.sparse.vstack([rows, columns]).tocsr()


def _solved(cost: Tensor, **constraints: Any) -> Any:
    result = linprog(cost.numpy(), method="highs", options=EXACT, **constraints)
    if not result.success:
        raise UserError(f"optimal transport: the linear programme was not solved. {result.message}")
    return result


def _problem(p: Vector, q: Vector, cost: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The weights and costs in float64, the totals made equal to the last digit."""
    p, q = _weights(p), _weights(q)
    cost = torch.as_tensor(cost, dtype=torch.float64).detach().cpu()
    if cost.shape != (len(p), len(q)) or not cost.isfinite().all():
        raise UserError(f"optimal transport: needs finite costs [{len(p)}, {len(q)}] and got {list(cost.shape)}, NaN or Inf.")
    if not math.isclose(p.sum(), q.sum(), rel_tol=1e-6):
        raise UserError(f"optimal transport: the weights sum to {p.sum():g} and {q.sum():g}, which must be equal.")
    return p, q * (p.sum() / q.sum()), cost


def _probabilities(p: Vector, q: Vector) -> tuple[Tensor, Tensor]:
    p, q = _weights(p), _weights(q)
    if len(p) != len(q):
        raise UserError(f"divergence: needs probabilities of the same points, not of {len(p)} and {len(q)} points.")
    for vector in (p, q):
        if not math.isclose(vector.sum(), 1, rel_tol=1e-6):
            raise UserError(f"divergence: probabilities must sum to 1 and sum to {vector.sum():g}.")
    return p, q


def _weights(weights: Vector) -> Tensor:
    vector = torch.as_tensor(weights, dtype=torch.float64).detach().cpu()
    if vector.ndim != 1 or not vector.isfinite().all() or (vector < 0).any() or not vector.any():
        raise UserError("weights must be a vector of finite numbers, none below 0 and not all 0.")
    return vector
