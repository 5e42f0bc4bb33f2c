"""Distances between discrete distributions: optimal transport, its duals, and divergences.

Villani: Topics in Optimal Transportation (2003). Weights are vectors, tensors or sequences; everything is computed in
float64. scipy is imported where it is used: most runs need it for nothing, and it takes a part of a second.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.metrics.features.base import validate_pair

Vector = Tensor | Sequence[float]

TOLERANCES = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
"""The smallest tolerances of the solver; its defaults, 1e-7, leave errors in the ninth digit."""


class Transport(NamedTuple):
    """An optimal transport plan.

    Attributes:
        value: Its cost.
        plan: Mass moved from point i to point j, ``[n, m]``.
    """

    value: float
    plan: Tensor


class Potentials(NamedTuple):
    """Optimal dual potentials, each determined up to a constant.

    Attributes:
        value: The dual objective that they attain.
        f: Potential of the first distribution, ``[n]``.
        g: Potential of the second distribution, ``[m]``.
    """

    value: float
    f: Tensor
    g: Tensor


class Support(NamedTuple):
    """Two sets of samples as distributions on their distinct points.

    Attributes:
        points: The distinct points, ``[n, d]``.
        p: Share of each point in the first set, ``[n]``.
        q: Share of each point in the second set, ``[n]``.
    """

    points: Tensor
    p: Tensor
    q: Tensor


def optimal_transport(p: Vector, q: Vector, cost: Tensor) -> Transport:
    """Solve min Σᵢⱼ πᵢⱼ cᵢⱼ over plans π ≥ 0 with row sums p and column sums q.

    This is Kantorovich's linear programme with n·m unknowns. The weights may have any equal total: masses give mass times
    distance; probabilities give the Wasserstein-1 distance if the cost is a distance.

    Args:
        p: Weights ``[n]``.
        q: Weights ``[m]``.
        cost: Costs c, ``[n, m]``.

    Raises:
        UserError: If weights are negative or have different totals, the cost has another shape, or there are NaN or Inf.
    """
    p, q, cost = _validate_problem(p, q, cost)
    result = _solve(cost.flatten(), A_eq=_marginal_sums(*cost.shape), b_eq=torch.cat([p, q]))
    return Transport(result.fun, torch.from_numpy(result.x).view_as(cost))


def kantorovich_dual(p: Vector, q: Vector, cost: Tensor) -> Potentials:
    """Solve max Σᵢ pᵢfᵢ + Σⱼ qⱼgⱼ over potentials with fᵢ + gⱼ ≤ cᵢⱼ; the value is that of ``optimal_transport``.

    Args:
        p: Weights ``[n]``.
        q: Weights ``[m]``.
        cost: Costs c, ``[n, m]``.

    Returns:
        The potentials, with f₁ = 0.

    Raises:
        UserError: As in ``optimal_transport``.
    """
    p, q, cost = _validate_problem(p, q, cost)
    fixed = [(0, 0)] + [(None, None)] * (len(p) + len(q) - 1)  # f + c and g − c are optimal for every c
    result = _solve(-torch.cat([p, q]), A_ub=_marginal_sums(*cost.shape).T, b_ub=cost.flatten(), bounds=fixed)
    f, g = torch.from_numpy(result.x).split([len(p), len(q)])
    return Potentials(-result.fun, f, g)


def kantorovich_rubinstein(p: Vector, q: Vector, distance: Tensor) -> Potentials:
    """Solve max Σᵢ fᵢ(pᵢ − qᵢ) over 1-Lipschitz f: fᵢ − fⱼ ≤ dᵢⱼ.

    The value equals that of ``optimal_transport`` if ``distance`` is a metric on the points. A Wasserstein critic approximates
    f.

    Args:
        p: Weights ``[n]``.
        q: Weights ``[n]`` on the same points.
        distance: Distances d between the points, ``[n, n]``.

    Returns:
        The potentials f, with f₁ = 0, and g = −f.

    Raises:
        UserError: As in ``optimal_transport``, and if p and q are not on the same points.
    """
    p, q, distance = _validate_problem(p, q, distance)
    n = len(p)
    if distance.shape != (n, n):
        raise UserError(f"Kantorovich-Rubinstein dual: needs both distributions on the same points, not {n} and {len(q)}.")
    slopes = _marginal_sums(n, n)[:n].T - _marginal_sums(n, n)[n:].T
    result = _solve(q - p, A_ub=slopes, b_ub=distance.flatten(), bounds=[(0, 0)] + [(None, None)] * (n - 1))
    f = torch.from_numpy(result.x)
    return Potentials(-result.fun, f, -f)


def transport_by_cdf(p: Vector, q: Vector, positions: Vector) -> float:
    """Return ∫ |F(t) − G(t)| dt, the transport cost on the line.

    F and G are the cumulative weights. The result equals ``optimal_transport`` with the cost |tᵢ − tⱼ|.

    Args:
        p: Weights ``[n]``.
        q: Weights ``[n]`` with the same total.
        positions: Positions t of the points, ``[n]``, in any order.

    Raises:
        UserError: As in ``optimal_transport``.
    """
    t, order = torch.as_tensor(positions, dtype=torch.float64).sort()
    p, q, _ = _validate_problem(p, q, (t[:, None] - t).abs())
    return float(((p - q)[order].cumsum(0)[:-1].abs() * t.diff()).sum())


def kl(p: Vector, q: Vector) -> float:
    """Return KL(p‖q) = Σ p log(p/q) in nats; infinite if p has mass where q has none.

    Args:
        p: Probabilities ``[n]``.
        q: Probabilities ``[n]`` of the same points.

    Raises:
        UserError: If p and q are not probabilities of the same points.
    """
    from scipy.special import rel_entr

    p, q = _probabilities(p, q)
    return max(float(rel_entr(p.numpy(), q.numpy()).sum()), 0.0)  # rounding may leave −1e-17


def js(p: Vector, q: Vector) -> float:
    """Return JS(p, q) = ½ KL(p‖m) + ½ KL(q‖m), m = ½(p + q), in nats: 0 if p = q, log 2 if they share no point.

    Args:
        p: Probabilities ``[n]``.
        q: Probabilities ``[n]`` of the same points.

    Raises:
        UserError: If p and q are not probabilities of the same points.
    """
    p, q = _probabilities(p, q)
    m = (p + q) / 2
    return min((kl(p, m) + kl(q, m)) / 2, math.log(2))


def tv(p: Vector, q: Vector) -> float:
    """Return TV(p, q) = sup over sets A of |p(A) − q(A)| = ½ Σ |p − q|, in [0, 1].

    Args:
        p: Probabilities ``[n]``.
        q: Probabilities ``[n]`` of the same points.

    Raises:
        UserError: If p and q are not probabilities of the same points.
    """
    p, q = _probabilities(p, q)
    return float((p - q).abs().sum() / 2)


def common_support(x: Tensor, y: Tensor) -> Support:
    """Return two sets of samples as distributions on the points that occur in either set, with equal points merged.

    Divergences of such distributions depend only on which points are equal: independent samples of one continuous distribution
    share no point, so their JS is log 2.

    Args:
        x: ``[N, d]``.
        y: ``[M, d]``.

    Raises:
        UserError: If a set is empty, the dimensions differ, or there are NaN or Inf.
    """
    x, y = validate_pair("common support", x, y)
    points, index = torch.cat([x, y]).unique(dim=0, return_inverse=True)
    counts = (torch.bincount(part, minlength=len(points)).double() for part in index.split([len(x), len(y)]))
    p, q = (count / count.sum() for count in counts)
    return Support(points, p, q)


def _marginal_sums(n: int, m: int) -> Any:
    """Return a sparse matrix ``[n + m, n·m]`` that maps a flattened plan ``[n, m]`` to its row sums and column sums."""
    from scipy import sparse

    rows = sparse.kron(sparse.eye_array(n), [[1.0] * m])
    columns = sparse.kron([[1.0] * n], sparse.eye_array(m))
    return sparse.vstack([rows, columns]).tocsr()


def _solve(cost: Tensor, **constraints: Any) -> Any:
    from scipy.optimize import linprog

    result = linprog(cost.numpy(), method="highs", options=TOLERANCES, **constraints)
    if not result.success:
        raise UserError(f"optimal transport: the linear programme was not solved. {result.message}")
    return result


def _validate_problem(p: Vector, q: Vector, cost: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return weights and costs in float64, with totals made equal to the last digit."""
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
