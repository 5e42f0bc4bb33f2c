"""Second-order diagnostics: the curvature of each player's own loss and the eigenvalues of the game's Jacobian.

No matrix is built. Lanczos and Arnoldi iterations (ARPACK) use products of Hessian and Jacobian with vectors, each of which is
one more backward pass through the graph of the gradient. For networks, about twenty vectors in float64 dominate the memory.
Quantities that the losses treat as constant are constant here too, such as the power iteration vectors of spectral norm.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackError, LinearOperator, eigs, eigsh

from gan_cli.activity import Activity, activity
from gan_cli.data.base import seeded_generator
from gan_cli.diagnostics.field import (
    VectorField,
    game_vector,
    own_gradient,
    tensors_to_vector,
    training_copy,
    vector_to_tensors,
)
from gan_cli.games.base import Game
from gan_cli.types import Batch

Product = Callable[[NDArray[Any]], NDArray[Any]]
"""A square matrix as the function u -> A u, float64 ``[n] -> [n]``."""

DENSE_SIZE = 10
"""Number of parameters up to which all eigenvalues are computed from the dense matrix; the iterations need more."""

NOT_FINITE = "is not finite: a player has diverged, or a penalty on a slope of exactly 0 has no second derivative"
"""Reason why a spectrum is missing."""


class Eigenvalue(NamedTuple):
    """An eigenvalue and the accuracy of its computation.

    Attributes:
        value: λ.
        residual: ‖Ax − λx‖ for its unit vector x; a symmetric A has an eigenvalue within this distance of λ.
    """

    value: complex
    residual: float


NOT_FOUND = Eigenvalue(math.nan, math.nan)


class Extremes(NamedTuple):
    """Both ends of the spectrum of a symmetric matrix.

    Attributes:
        smallest: The smallest eigenvalue.
        largest: The largest eigenvalue.
        reason: Why one of them is NaN; empty if both were found.
    """

    smallest: Eigenvalue
    largest: Eigenvalue
    reason: str = ""

    def verdict(self, tol: float) -> Literal["definite", "semidefinite", "indefinite", "undecided"]:
        """Classify the matrix as positive definite, semidefinite or indefinite, up to ``tol`` times its largest |λ|.

        Networks have flat directions (rescaling both sides of a ReLU changes nothing), so their Hessians are at best
        semidefinite; only toy games reach ``definite``. The verdict is ``undecided`` if the residual is too large.
        """
        least = self.smallest.value.real
        if math.isnan(least):
            return "undecided"
        slack = tol * float(np.nanmax(np.abs([self.smallest.value, self.largest.value])))
        if self.smallest.residual > max(slack, -least - slack):
            return "undecided"
        return "definite" if least > slack else "semidefinite" if least >= -slack else "indefinite"


class JacobianSpectrum(NamedTuple):
    """Eigenvalues of J = ∂v/∂(θ, φ).

    The players move along −v: a positive real part attracts, a negative one repels, an imaginary part rotates.

    Attributes:
        leading: The eigenvalues of largest modulus.
        least_attracting: The eigenvalues of smallest real part.
        reason: Why some are missing; empty if all were found.
    """

    leading: tuple[Eigenvalue, ...]
    least_attracting: tuple[Eigenvalue, ...]
    reason: str = ""

    @property
    def re_min(self) -> float:
        """The smallest real part, or NaN if it was not found."""
        return min((each.value.real for each in self.least_attracting), default=math.nan)

    @property
    def im_max(self) -> float:
        """The largest |imaginary part| of all eigenvalues that were found, or NaN if there are none."""
        return max((abs(each.value.imag) for each in self.leading + self.least_attracting), default=math.nan)


def hessian_extremes(
    game: Game, player: str, batch: Batch, seed: int | str = 0, tol: float = 0.001, restarts: int = 50
) -> Extremes:
    """Return the extreme eigenvalues of the Hessian of the player's own loss with respect to its own parameters.

    At a differential Nash equilibrium every player's gradient is 0 and every such Hessian is positive definite (Ratliff et al.,
    2016; each player minimises its own loss).

    Args:
        game: The game.
        player: Name of the player; its opponents are fixed.
        batch: Data on which the loss is computed.
        seed: Determines all random draws.
        tol: Allowed residual as a share of the largest |λ|.
        restarts: Restarts of the iteration, about 20 products each, before it gives up.
    """
    with training_copy(game, seed) as copy, activity(f"Hessian of {player}, product") as work:
        field = own_gradient(copy, player, batch, seed, differentiable=True)
        product = _counted(transposed_jacobian(field), work)
        return symmetric_extremes(product, _parameter_count(field), seed, tol, restarts)


def jacobian_spectrum(
    game: Game, batch: Batch, k: int = 6, seed: int | str = 0, tol: float = 0.001, restarts: int = 50
) -> JacobianSpectrum:
    """Return the leading eigenvalues of the game's Jacobian and those of smallest real part (Mescheder et al., 2017).

    J is not symmetric: in a zero-sum game its off-diagonal blocks are opposite, which makes the players rotate around each
    other. The eigenvalues are computed from Jᵀ, which has the same ones. A residual bounds the error only if J is nearly
    normal.

    Args:
        game: The game.
        batch: Data on which the losses are computed.
        k: Number of leading eigenvalues.
        seed: Determines all random draws.
        tol: See ``hessian_extremes``.
        restarts: See ``hessian_extremes``.
    """
    with training_copy(game, seed) as copy, activity("Jacobian of the game, product") as work:
        field = game_vector(copy, batch, seed, differentiable=True)
        product = _counted(transposed_jacobian(field), work)
        return nonsymmetric_spectrum(product, _parameter_count(field), k, seed, tol, restarts)


def _counted(product: Product, work: Activity) -> Product:
    def counted(u: NDArray[Any]) -> NDArray[Any]:
        work.advance()
        return product(u)

    return counted


def transposed_jacobian(field: VectorField) -> Product:
    """Return u -> Jᵀu for J = ∂ vectors / ∂ parameters, the gradient of ⟨vectors, u⟩.

    If the field is the gradient of a single loss, J is its Hessian.
    """

    def product(u: NDArray[Any]) -> NDArray[Any]:
        parts = vector_to_tensors(torch.from_numpy(np.ascontiguousarray(u, dtype=np.float64)), field.vectors)
        moving = [(vector, part) for vector, part in zip(field.vectors, parts, strict=True) if vector.requires_grad]
        if not moving:  # all losses are linear
            return np.zeros(len(u))
        vectors, weights = zip(*moving, strict=True)
        columns = torch.autograd.grad(vectors, field.parameters, weights, retain_graph=True, materialize_grads=True)
        return tensors_to_vector(columns).numpy()

    return product


def symmetric_extremes(product: Product, n: int, seed: int | str, tol: float, restarts: int) -> Extremes:
    """Return the smallest and the largest eigenvalue of a symmetric matrix.

    The end that is farther from 0 is computed first. In the shifted matrix 2|a|I ∓ A the other end has the largest modulus, so
    it is found with the same accuracy relative to the width of the spectrum, however near 0 it is.

    Args:
        product: The matrix.
        n: Its size.
        seed: Determines the start vector.
        tol: See ``hessian_extremes``.
        restarts: See ``hessian_extremes``.
    """
    start = _start_vector(n, seed)
    image = product(start)
    if not np.isfinite(image).all():
        return Extremes(NOT_FOUND, NOT_FOUND, f"the Hessian {NOT_FINITE}")
    if not image.any():  # only the zero matrix annihilates a random vector
        return Extremes(Eigenvalue(0.0, 0.0), Eigenvalue(0.0, 0.0))
    if n <= DENSE_SIZE:
        matrix = _matrix(product, n)
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        least, greatest = (_with_residual(product, values[i], vectors[:, i]) for i in (0, -1))
        return Extremes(least, greatest)
    options = {"k": 1, "v0": start, "tol": tol / 3, "maxiter": restarts}
    ends: list[Eigenvalue] = []
    try:
        _, vectors = eigsh(_operator(product, n), which="LM", rng=_arpack_generator(seed), **options)
        ends.append(_rayleigh(product, vectors[:, 0]))
        far = ends[0].value.real
        shifted = _operator(lambda u: 2 * abs(far) * u - math.copysign(1, far) * product(u), n)
        _, vectors = eigsh(shifted, which="LA", rng=_arpack_generator(seed), **options)
        ends.append(_rayleigh(product, vectors[:, 0]))
    except ArpackError as error:
        reason = _reason(error, restarts)
        if not ends:
            return Extremes(NOT_FOUND, NOT_FOUND, reason)
        return Extremes(NOT_FOUND, ends[0], reason) if ends[0].value.real > 0 else Extremes(ends[0], NOT_FOUND, reason)
    least, greatest = sorted(ends, key=lambda end: end.value.real)
    return Extremes(least, greatest)


def nonsymmetric_spectrum(product: Product, n: int, k: int, seed: int | str, tol: float, restarts: int) -> JacobianSpectrum:
    """Return the sorted leading eigenvalues, and those of smallest real part, of a matrix that need not be symmetric.

    Args:
        product: The matrix.
        n: Its size.
        k: Number of leading eigenvalues.
        seed: Determines the start vector.
        tol: See ``hessian_extremes``.
        restarts: See ``hessian_extremes``.
    """
    start = _start_vector(n, seed)
    image = product(start)
    if not np.isfinite(image).all():
        return JacobianSpectrum((), (), f"the Jacobian {NOT_FINITE}")
    if not image.any():
        return JacobianSpectrum((Eigenvalue(0j, 0.0),), (Eigenvalue(0j, 0.0),))
    if n <= max(DENSE_SIZE, k + 2):
        values, vectors = np.linalg.eig(_matrix(product, n))
        every = [_with_residual(product, values[i], vectors[:, i]) for i in range(n)]
        return JacobianSpectrum(_leading(every)[:k], _least_attracting(every)[:2])
    options = {"v0": start, "tol": tol / 3, "maxiter": restarts}
    leading: list[Eigenvalue] = []
    try:
        values, vectors = eigs(_operator(product, n), k, which="LM", rng=_arpack_generator(seed), **options)
        leading = [_with_residual(product, values[i], vectors[:, i]) for i in range(len(values))]
        beyond = 2 * max(abs(each.value) for each in leading)  # as in ``symmetric_extremes``
        shifted = _operator(lambda u: product(u) - beyond * u, n)
        # Complex eigenvalues come in pairs, hence two.
        values, vectors = eigs(shifted, 2, which="SR", rng=_arpack_generator(seed), **options)
        least = [_with_residual(product, values[i] + beyond, vectors[:, i]) for i in range(len(values))]
    except ArpackError as error:
        return JacobianSpectrum(_leading(leading), (), _reason(error, restarts))
    return JacobianSpectrum(_leading(leading), _least_attracting(least))


def _leading(eigenvalues: Sequence[Eigenvalue]) -> tuple[Eigenvalue, ...]:
    return tuple(sorted(eigenvalues, key=lambda each: (-abs(each.value), each.value.imag)))


def _least_attracting(eigenvalues: Sequence[Eigenvalue]) -> tuple[Eigenvalue, ...]:
    return tuple(sorted(eigenvalues, key=lambda each: (each.value.real, each.value.imag)))


def _with_residual(product: Product, value: complex, x: NDArray[Any]) -> Eigenvalue:
    x = x / np.linalg.norm(x)
    image = product(x.real) + 1j * product(x.imag) if np.iscomplexobj(x) else product(x)
    return Eigenvalue(complex(value), float(np.linalg.norm(image - value * x)))


def _rayleigh(product: Product, x: NDArray[Any]) -> Eigenvalue:
    """Return the Rayleigh quotient λ = xᵀAx / xᵀx, the best eigenvalue for x."""
    x = x / np.linalg.norm(x)
    return _with_residual(product, float(x @ product(x)), x)


def _matrix(product: Product, n: int) -> NDArray[Any]:
    return np.stack([product(column) for column in np.eye(n)], axis=1)


def _operator(product: Product, n: int) -> LinearOperator:
    return LinearOperator((n, n), matvec=lambda u: product(u.reshape(-1)), dtype=np.float64)


def _parameter_count(field: VectorField) -> int:
    return sum(parameter.numel() for parameter in field.parameters)


def _start_vector(n: int, seed: int | str) -> NDArray[Any]:
    return torch.randn(n, generator=seeded_generator(seed, "spectrum"), dtype=torch.float64).numpy()


def _arpack_generator(seed: int | str) -> np.random.Generator:
    """Return a seeded generator for ARPACK, which draws random vectors when its subspace is exhausted."""
    return np.random.default_rng(seeded_generator(seed, "arpack").initial_seed())


def _reason(error: ArpackError, restarts: int) -> str:
    return f"no convergence in {restarts} restarts" if "converge" in str(error) else str(error)
