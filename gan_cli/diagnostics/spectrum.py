"""Second-order diagnostics: curvature of each player's own loss, and the eigenvalues of the game's Jacobian.

No matrix is built: Lanczos and Arnoldi iterations (ARPACK) see Hessian and Jacobian by their products with vectors, each of
which is one more reverse pass through the graph of the gradient. Networks make twenty or so vectors in float64 the largest
thing in memory. What the losses hold constant is constant here: spectral norm's vectors, which only iterate.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackError, LinearOperator, eigs, eigsh

from gan_cli.data.base import generator
from gan_cli.diagnostics.field import Field, copied, flat, game_vector, own_gradient, shaped
from gan_cli.games.base import Game
from gan_cli.types import Batch

Product = Callable[[NDArray], NDArray]
"""A square matrix as the function u -> A u, float64 ``[n] -> [n]``."""

SMALL = 10
"""Parameters up to which all eigenvalues are computed from all n products: iterations need more room than that."""

NOT_FINITE = "is not finite: a player has diverged, or a penalty on a slope of exactly 0 has no second derivative"


class Eigenvalue(NamedTuple):
    """λ, and ‖Ax − λx‖ for its unit vector x: for a symmetric A an eigenvalue lies within that of λ."""

    value: complex
    residual: float


NONE = Eigenvalue(math.nan, math.nan)


class Extremes(NamedTuple):
    """The two ends of a symmetric matrix's spectrum. ``reason``: why one is not a number, empty where both are."""

    least: Eigenvalue
    greatest: Eigenvalue
    reason: str = ""

    def verdict(self, tol: float) -> Literal["definite", "semidefinite", "indefinite", "undecided"]:
        """Whether the matrix is positive (semi)definite up to ``tol`` times its largest |λ|.

        Networks have flat directions (rescaling a ReLU's two sides changes nothing), so that their Hessians are
        semidefinite at best; definite is for toy games.
        """
        least = self.least.value.real
        if math.isnan(least):
            return "undecided"
        slack = tol * float(np.nanmax(np.abs([self.least.value, self.greatest.value])))
        if self.least.residual > max(slack, -least - slack):
            return "undecided"
        return "definite" if least > slack else "semidefinite" if least >= -slack else "indefinite"


class JacobianSpectrum(NamedTuple):
    """Eigenvalues of J = ∂v/∂(θ, φ). ``leading``: of largest modulus; ``least_attracting``: of least real part.

    The players move along −v: a real part above 0 attracts, below 0 repels; an imaginary part turns.
    ``reason``: why some are missing, empty where all were found.
    """

    leading: tuple[Eigenvalue, ...]
    least_attracting: tuple[Eigenvalue, ...]
    reason: str = ""

    @property
    def re_min(self) -> float:
        """The least real part; not a number where it was not found."""
        return min((found.value.real for found in self.least_attracting), default=math.nan)

    @property
    def im_max(self) -> float:
        """The largest |imaginary part| among all that were found; not a number where none was."""
        return max((abs(found.value.imag) for found in self.leading + self.least_attracting), default=math.nan)


def hessian_extremes(
    game: Game, player: str, batch: Batch, seed: int | str = 0, tol: float = 0.001, restarts: int = 50
) -> Extremes:
    """Extreme eigenvalues of ∇² of the player's own loss with respect to its own parameters, the opponents staying.

    At a differential Nash equilibrium every player's gradient is 0 and every such Hessian positive definite (Ratliff et al.,
    2016; each player minimises its own loss). ``tol``: residuals that are enough, as a share of the largest |λ|;
    ``restarts``: of the iteration, about 20 products each, before it gives up.
    """
    with copied(game, seed) as copy:
        field = own_gradient(copy, player, batch, seed, differentiable=True)
        return extremes(transposed_jacobian(field), _size(field), seed, tol, restarts)


def jacobian_spectrum(
    game: Game, batch: Batch, k: int = 6, seed: int | str = 0, tol: float = 0.001, restarts: int = 50
) -> JacobianSpectrum:
    """The ``k`` leading eigenvalues of the game's Jacobian, and those of least real part (Mescheder et al., 2017).

    J is not symmetric: in a zero-sum game its off-diagonal blocks are opposite, which is what turns the players around each
    other. They are computed as the eigenvalues of Jᵀ, which are the same. A residual bounds the error only as far as J is
    normal. ``tol`` and ``restarts`` as in ``hessian_extremes``.
    """
    with copied(game, seed) as copy:
        field = game_vector(copy, batch, seed, differentiable=True)
        return rotating(transposed_jacobian(field), _size(field), k, seed, tol, restarts)


def transposed_jacobian(field: Field) -> Product:
    """u -> Jᵀu, J = ∂ vectors / ∂ parameters: the gradient of ⟨vectors, u⟩. For the gradient of one loss J is its Hessian."""

    def product(u: NDArray) -> NDArray:
        parts = shaped(torch.from_numpy(np.ascontiguousarray(u, dtype=np.float64)), field.vectors)
        moving = [(vector, part) for vector, part in zip(field.vectors, parts, strict=True) if vector.requires_grad]
        if not moving:  # all losses are linear
            return np.zeros(len(u))
        vectors, weights = zip(*moving, strict=True)
        columns = torch.autograd.grad(vectors, field.parameters, weights, retain_graph=True, materialize_grads=True)
        return flat(columns).numpy()

    return product


def extremes(product: Product, n: int, seed: int | str, tol: float, restarts: int) -> Extremes:
    """The least and the greatest eigenvalue of a symmetric matrix.

    The end that is farther from 0 comes first. Seen from a shift beyond it, 2|a|I ∓ A, the other end leads too, so that it
    is found to the same share of the spectrum's width, however near 0 it lies.
    """
    start = _start(n, seed)
    image = product(start)
    if not np.isfinite(image).all():
        return Extremes(NONE, NONE, f"the Hessian {NOT_FINITE}")
    if not image.any():  # a random vector is annihilated by the zero matrix alone
        return Extremes(Eigenvalue(0.0, 0.0), Eigenvalue(0.0, 0.0))
    if n <= SMALL:
        matrix = _matrix(product, n)
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        least, greatest = (_checked(product, values[i], vectors[:, i]) for i in (0, -1))
        return Extremes(least, greatest)
    options = {"k": 1, "v0": start, "tol": tol / 3, "maxiter": restarts}
    ends: list[Eigenvalue] = []
    try:
        _, vectors = eigsh(_operator(product, n), which="LM", rng=_numpy(seed), **options)
        ends.append(_rayleigh(product, vectors[:, 0]))
        far = ends[0].value.real
        shifted = _operator(lambda u: 2 * abs(far) * u - math.copysign(1, far) * product(u), n)
        _, vectors = eigsh(shifted, which="LA", rng=_numpy(seed), **options)
        ends.append(_rayleigh(product, vectors[:, 0]))
    except ArpackError as error:
        reason = _reason(error, restarts)
        if not ends:
            return Extremes(NONE, NONE, reason)
        return Extremes(NONE, ends[0], reason) if ends[0].value.real > 0 else Extremes(ends[0], NONE, reason)
    least, greatest = sorted(ends, key=lambda end: end.value.real)
    return Extremes(least, greatest)


def rotating(product: Product, n: int, k: int, seed: int | str, tol: float, restarts: int) -> JacobianSpectrum:
    """Leading eigenvalues and those of least real part of a matrix that need not be symmetric, each in its order."""
    start = _start(n, seed)
    image = product(start)
    if not np.isfinite(image).all():
        return JacobianSpectrum((), (), f"the Jacobian {NOT_FINITE}")
    if not image.any():
        return JacobianSpectrum((Eigenvalue(0j, 0.0),), (Eigenvalue(0j, 0.0),))
    if n <= max(SMALL, k + 2):
        values, vectors = np.linalg.eig(_matrix(product, n))
        found = [_checked(product, values[i], vectors[:, i]) for i in range(n)]
        return JacobianSpectrum(_leading(found)[:k], _least_attracting(found)[:2])
    options = {"v0": start, "tol": tol / 3, "maxiter": restarts}
    leading: list[Eigenvalue] = []
    try:
        values, vectors = eigs(_operator(product, n), k, which="LM", rng=_numpy(seed), **options)
        leading = [_checked(product, values[i], vectors[:, i]) for i in range(len(values))]
        beyond = 2 * max(abs(found.value) for found in leading)  # as in ``extremes``; eigenvalues come in pairs, hence 2
        shifted = _operator(lambda u: product(u) - beyond * u, n)
        values, vectors = eigs(shifted, 2, which="SR", rng=_numpy(seed), **options)
        least = [_checked(product, values[i] + beyond, vectors[:, i]) for i in range(len(values))]
    except ArpackError as error:
        return JacobianSpectrum(_leading(leading), (), _reason(error, restarts))
    return JacobianSpectrum(_leading(leading), _least_attracting(least))


def _leading(found: Sequence[Eigenvalue]) -> tuple[Eigenvalue, ...]:
    return tuple(sorted(found, key=lambda one: (-abs(one.value), one.value.imag)))


def _least_attracting(found: Sequence[Eigenvalue]) -> tuple[Eigenvalue, ...]:
    return tuple(sorted(found, key=lambda one: (one.value.real, one.value.imag)))


def _checked(product: Product, value: complex, x: NDArray) -> Eigenvalue:
    x = x / np.linalg.norm(x)
    image = product(x.real) + 1j * product(x.imag) if np.iscomplexobj(x) else product(x)
    return Eigenvalue(complex(value), float(np.linalg.norm(image - value * x)))


def _rayleigh(product: Product, x: NDArray) -> Eigenvalue:
    """λ = xᵀAx / xᵀx, the best one for x."""
    x = x / np.linalg.norm(x)
    return _checked(product, float(x @ product(x)), x)


def _matrix(product: Product, n: int) -> NDArray:
    return np.stack([product(column) for column in np.eye(n)], axis=1)


def _operator(product: Product, n: int) -> LinearOperator:
    return LinearOperator((n, n), matvec=lambda u: product(u.reshape(-1)), dtype=np.float64)


def _size(field: Field) -> int:
    return sum(parameter.numel() for parameter in field.parameters)


def _start(n: int, seed: int | str) -> NDArray:
    return torch.randn(n, generator=generator(seed, "spectrum"), dtype=torch.float64).numpy()


def _numpy(seed: int | str) -> np.random.Generator:
    """What ARPACK draws from where its subspace is exhausted: seeded, so that it never asks the operating system."""
    return np.random.default_rng(generator(seed, "arpack").initial_seed())


def _reason(error: ArpackError, restarts: int) -> str:
    return f"no convergence in {restarts} restarts" if "converge" in str(error) else str(error)
