"""Eigenvalues agree with closed forms and with dense matrices."""

import cmath
import math

import numpy as np
import pytest
import torch
from support.players import Bilinear, Dirac, Linear, images_gan, points_gan
from support.quadratic import DUMMY_BATCH, CyclicGame, Quadratic, Regression, diagonal, random_quadratic
from torch import nn

from gan_cli.diagnostics.field import game_vector, own_gradient, tensors_to_vector, training_copy
from gan_cli.diagnostics.spectrum import (
    DENSE_SIZE,
    Eigenvalue,
    Extremes,
    hessian_extremes,
    jacobian_spectrum,
    nonsymmetric_spectrum,
    symmetric_extremes,
    transposed_jacobian,
)
from gan_cli.games.base import differentiable_in_all_players
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.losses.minimax import Minimax
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.randomness import fork_rng
from gan_cli.regularizers.gradient_penalty import GradientPenalty
from gan_cli.regularizers.r1 import R1
from gan_cli.regularizers.spectral_norm import SpectralNorm
from gan_cli.types import Batch

PRECISE = {"tol": 1e-9, "restarts": 300}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def ends(found: Extremes) -> tuple[float, float]:
    return found.smallest.value.real, found.largest.value.real


def values(found) -> list[complex]:
    return [one.value for one in found]


def in_order(numbers) -> list[complex]:
    return sorted(map(complex, numbers), key=lambda z: (round(z.real, 6), z.imag))


def matrix(array) -> tuple:
    """Return the product and the size of a matrix."""
    array = np.asarray(array, dtype=float)
    return (lambda u: array @ u), len(array)


class TestHessian:
    @pytest.mark.parametrize("n", [1, 2, DENSE_SIZE, DENSE_SIZE + 1, 60])
    def test_quadratic_games(self, n):
        game = random_quadratic(n, n)
        for player, hessian in (("theta", game.A), ("phi", game.C)):
            found = hessian_extremes(game, player, DUMMY_BATCH, **PRECISE)
            expected = torch.linalg.eigvalsh(hessian)
            assert ends(found) == pytest.approx((float(expected[0]), float(expected[-1])), rel=1e-8)
            assert max(found.smallest.residual, found.largest.residual) < 1e-7 * float(expected[-1])
            assert found.reason == ""

    @pytest.mark.parametrize("player", ["theta", "phi"])
    def test_bilinear_game_is_flat(self, player):
        found = hessian_extremes(Bilinear(1.0, 2.0), player, DUMMY_BATCH)
        assert found == Extremes(Eigenvalue(0.0, 0.0), Eigenvalue(0.0, 0.0))
        assert found.verdict(0.01) == "semidefinite", "a Nash equilibrium, but not a differential one"

    def test_a_saddle_is_a_differential_equilibrium(self):
        """θ² − φ²: min over θ, max over φ."""
        game = Quadratic(diagonal(2.0), diagonal(0.0), diagonal(2.0))
        assert {hessian_extremes(game, player, DUMMY_BATCH).verdict(0.01) for player in game.turns()} == {"definite"}

    @pytest.mark.parametrize(
        ("regularizers", "loss"),
        [
            ((), Minimax()),
            ((GradientPenalty(),), NonSaturating()),
            ((SpectralNorm(),), Minimax()),
            pytest.param((), NonSaturating(), marks=pytest.mark.long),
            pytest.param((GradientPenalty(),), Minimax(), marks=pytest.mark.long),
            pytest.param((SpectralNorm(),), NonSaturating(), marks=pytest.mark.long),
        ],
    )
    @pytest.mark.slow
    def test_perceptrons_agree_with_the_dense_matrix(self, double, loss, regularizers):
        """The dense matrix comes from torch.autograd.functional."""
        game, batch = points_gan(loss, regularizers, width=5), Batch(torch.randn(16, 2))
        for player, turn in game.turns().items():
            hessian = dense(game, player, batch, seed=4)
            assert 30 < len(hessian) < 100
            assert len(hessian) == sum(parameter.numel() for parameter in turn.parameters)
            expected = torch.linalg.eigvalsh(hessian)
            found = hessian_extremes(game, player, batch, 4, **PRECISE)
            assert ends(found) == pytest.approx((float(expected[0]), float(expected[-1])), abs=1e-7)

    def test_in_single_precision(self):
        game, batch = points_gan(width=8), Batch(torch.randn(64, 2))
        found = hessian_extremes(game, "discriminator", batch, 4)
        expected = torch.linalg.eigvalsh(dense(game, "discriminator", batch, 4).double())
        width = float(expected[-1] - expected[0])
        assert ends(found) == pytest.approx((float(expected[0]), float(expected[-1])), abs=1e-3 * width)

    def test_a_linear_loss_of_many_parameters(self):
        game = GAN(Dirac(*[0.0] * 50), Linear(*[1.0] * 50), Objective(Wasserstein()))
        for player in game.turns():
            assert ends(hessian_extremes(game, player, Batch(torch.randn(4, 50)))) == (0, 0)

    @pytest.mark.slow
    def test_rescaling_a_relu_changes_nothing(self, double):
        """At a minimum the Hessian annihilates (w, b, −a) for every ReLU unit a·relu(w·x + b)."""
        network = nn.Sequential(nn.Linear(2, 12), nn.ReLU(), nn.Linear(12, 1))
        game = Regression(network)
        product = transposed_jacobian(own_gradient(game, "student", DUMMY_BATCH, 0, differentiable=True))
        for unit in range(12):
            direction = [torch.zeros_like(parameter) for parameter in network.parameters()]
            direction[0][unit], direction[1][unit] = network[0].weight[unit], network[0].bias[unit]
            direction[2][0, unit] = -network[2].weight[0, unit]
            assert np.abs(product(tensors_to_vector(direction).numpy())).max() < 1e-12
        found = hessian_extremes(game, "student", DUMMY_BATCH, **PRECISE)
        assert found.smallest.value.real == pytest.approx(0, abs=1e-9)
        assert found.largest.value.real > 0.1
        assert found.verdict(1e-6) == "semidefinite"


def dense(game, player, batch, seed):
    """Return the dense Hessian of the player's own loss, with fixed opponents."""

    class Loss(nn.Module):
        def __init__(self):
            super().__init__()
            self.game = game

        def forward(self):
            with fork_rng(seed, game.device):
                return self.game.turns()[player].loss(batch)[0]

    module = Loss()
    own = {id(parameter) for parameter in game.turns()[player].parameters}
    names = [name for name, parameter in module.named_parameters() if id(parameter) in own]
    start = {name: module.get_parameter(name).detach() for name in names}
    buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}

    def value(vector):
        parts = vector.split([start[name].numel() for name in names])
        moved = {name: part.view_as(start[name]) for name, part in zip(names, parts, strict=True)}
        state = {name: buffer.clone() for name, buffer in buffers.items()}
        return torch.func.functional_call(module, moved | state, ())

    return torch.autograd.functional.hessian(value, torch.cat([start[name].flatten() for name in names]))


class TestVerdict:
    @pytest.mark.parametrize(
        ("least", "greatest", "verdict"),
        [
            (0.5, 10.0, "definite"),
            (0.05, 10.0, "semidefinite"),
            (-0.05, 10.0, "semidefinite"),
            (-0.5, 10.0, "indefinite"),
            (-10.0, -1.0, "indefinite"),
            (math.nan, 1.0, "undecided"),
            (-1.0, math.nan, "indefinite"),
        ],
    )
    def test_it_depends_on_the_smallest_eigenvalue(self, least, greatest, verdict):
        assert Extremes(Eigenvalue(least, 0.0), Eigenvalue(greatest, 0.0)).verdict(0.01) == verdict

    def test_a_large_residual(self):
        assert Extremes(Eigenvalue(0.5, 0.2), Eigenvalue(10.0, 0.0)).verdict(0.01) == "undecided"
        assert Extremes(Eigenvalue(-0.5, 0.2), Eigenvalue(10.0, 0.0)).verdict(0.01) == "indefinite", (
            "the eigenvalue is below -0.3"
        )


class TestExtremes:
    @pytest.mark.parametrize("diagonal", [(5.0,) * 30, (-5.0,) * 30, (1.0,) + (0.0,) * 29, (0.0,) * 29 + (-1.0,), (0.0,) * 30])
    def test_an_exhausted_subspace(self, diagonal):
        """Lanczos finds an invariant subspace immediately and restarts with a reproducible random vector."""
        product, n = matrix(np.diag(diagonal))
        found = symmetric_extremes(product, n, 0, 1e-6, 50)
        assert ends(found) == pytest.approx((min(diagonal), max(diagonal)), abs=1e-6)
        assert found == symmetric_extremes(product, n, 0, 1e-6, 50)

    def test_a_smallest_eigenvalue_near_0(self):
        product, n = matrix(np.diag(np.linspace(1e-6, 1.0, 200) ** 2))
        assert ends(symmetric_extremes(product, n, 0, 1e-3, 50)) == pytest.approx((0, 1), abs=1e-3)

    def test_no_convergence(self):
        product, n = matrix(np.diag(np.linspace(-1.0, 1.0, 2000)))
        found = symmetric_extremes(product, n, 0, 1e-14, 1)
        assert found.reason == "no convergence in 1 restarts"
        assert found.verdict(0.01) == "undecided"

    @pytest.mark.parametrize("n", [3, 30])
    def test_not_finite(self, n):
        found = symmetric_extremes(lambda u: u * math.nan, n, 0, 0.01, 50)
        assert found.reason.startswith("the Hessian is not finite")
        assert all(map(math.isnan, ends(found)))


class TestJacobian:
    data = Batch(torch.zeros(4, 1))

    @pytest.mark.parametrize("sizes", [(1, 1), (2, 3), (5, 5), (8, 6), (40, 30)])
    def test_quadratic_games(self, sizes):
        game = random_quadratic(*sizes)
        expected = torch.linalg.eigvals(game.jacobian()).tolist()
        found = jacobian_spectrum(game, DUMMY_BATCH, 4, **PRECISE)
        leading = sorted(expected, key=lambda z: (-abs(z), z.imag))[:4]
        assert np.abs(values(found.leading)) == pytest.approx(np.abs(leading), rel=1e-6)
        assert found.re_min == pytest.approx(min(z.real for z in expected), rel=1e-6)
        assert all(one.residual < 1e-5 for one in found.leading + found.least_attracting)
        assert found.re_min > 0, "A and C are positive definite, so every direction attracts"

    def test_the_dense_matrix(self):
        game = random_quadratic(3, 2)
        product = transposed_jacobian(game_vector(game, DUMMY_BATCH, 0, differentiable=True))
        columns = np.stack([product(column) for column in np.eye(5)], axis=1)
        assert columns == pytest.approx(game.jacobian().T.numpy())

    def test_the_bilinear_game_only_rotates(self):
        found = jacobian_spectrum(Bilinear(1.0, 2.0), DUMMY_BATCH)
        assert in_order(values(found.leading)) == pytest.approx([-1j, 1j])
        assert (found.re_min, found.im_max) == pytest.approx((0, 1))

    def test_a_saddle_only_attracts(self):
        found = jacobian_spectrum(Quadratic(diagonal(2.0), diagonal(0.0), diagonal(2.0)), DUMMY_BATCH)
        assert (found.re_min, found.im_max) == pytest.approx((2, 0))

    def test_three_players(self):
        """The eigenvalues are the cube roots of 1, one pair of which rotates outwards."""
        found = jacobian_spectrum(CyclicGame(0.0, 0.0, 0.0), DUMMY_BATCH)
        assert in_order(values(found.leading)) == pytest.approx(in_order(cmath.rect(1, 2 * math.pi * k / 3) for k in range(3)))
        assert found.re_min == pytest.approx(-0.5)

    @pytest.mark.parametrize("gamma", [0.0, 0.3, 0.8, 3.0])
    def test_dirac_gan_under_r1(self, gamma):
        """γ/2 ± √(γ²/4 − ¼), the negative of Mescheder et al., 2018, whose players move along v."""
        game = GAN(Dirac(0.0), Linear(0.0), Objective(NonSaturating(), {"r1": R1(weight=gamma)}))
        root = cmath.sqrt(gamma**2 / 4 - 0.25)
        found = jacobian_spectrum(game, self.data)
        assert in_order(values(found.leading)) == pytest.approx(in_order([gamma / 2 + root, gamma / 2 - root]), abs=1e-6)
        assert found.re_min == pytest.approx((gamma / 2 - root).real, abs=1e-6)
        assert found.im_max == pytest.approx(abs(root.imag), abs=1e-6)

    @pytest.mark.parametrize("regularizers", [(), (GradientPenalty(),)])
    @pytest.mark.slow
    def test_perceptrons_agree_with_the_dense_matrix(self, double, regularizers):
        game, batch = points_gan(Minimax(), regularizers, width=6), Batch(torch.randn(16, 2))
        with training_copy(game, 0) as copy, differentiable_in_all_players():
            field = game_vector(copy, batch, 5, differentiable=True)
            rows = [
                torch.autograd.grad(component, field.parameters, retain_graph=True, materialize_grads=True)
                for vector in field.vectors
                for component in vector.flatten()
            ]
        jacobian = torch.stack([tensors_to_vector(row) for row in rows])
        n = sum(parameter.numel() for parameter in game.discriminator.parameters())
        if not regularizers:  # zero-sum, since both players see the same latents
            torch.testing.assert_close(jacobian[:n, n:], -jacobian[n:, :n].T)
        expected = torch.linalg.eigvals(jacobian).tolist()
        found = jacobian_spectrum(game, batch, 5, 5, **PRECISE)
        largest = sorted((abs(z) for z in expected), reverse=True)[:5]
        assert np.abs(values(found.leading)) == pytest.approx(largest, abs=1e-6)
        assert found.re_min == pytest.approx(min(z.real for z in expected), abs=1e-6)

    @pytest.mark.slow
    @pytest.mark.long
    def test_convolutions_with_batch_norm(self):
        found = jacobian_spectrum(images_gan(Wasserstein(), [GradientPenalty()], width=2), Batch(torch.randn(4, 1, 16, 16)), 2)
        assert found.reason == ""
        assert all(one.residual < 1e-2 * abs(found.leading[0].value) for one in found.leading + found.least_attracting)

    def test_linear_losses_without_interaction(self):
        game = Quadratic(torch.zeros(20, 20), torch.zeros(20, 20), torch.zeros(20, 20))
        assert (jacobian_spectrum(game, DUMMY_BATCH).re_min, jacobian_spectrum(game, DUMMY_BATCH).im_max) == (0, 0)

    def test_no_convergence(self):
        product, n = matrix(np.diag(np.linspace(-1.0, 1.0, 2000)))
        found = nonsymmetric_spectrum(product, n, 6, 0, 1e-14, 1)
        assert found.reason == "no convergence in 1 restarts"
        assert math.isnan(found.re_min)

    @pytest.mark.parametrize("n", [3, 30])
    def test_not_finite(self, n):
        found = nonsymmetric_spectrum(lambda u: u * math.nan, n, 6, 0, 0.01, 50)
        assert found.reason.startswith("the Jacobian is not finite")
        assert math.isnan(found.im_max)

    @pytest.mark.parametrize("k", [1, 6, 12])
    @pytest.mark.parametrize("n", [2, 8, 11, 14, 15])
    def test_any_k_for_any_size(self, n, k):
        turned = np.random.default_rng(0).normal(size=(n, n))
        found = nonsymmetric_spectrum(*matrix(turned), k, 0, 1e-9, 300)
        expected = sorted(np.abs(np.linalg.eigvals(turned)), reverse=True)[:k]
        assert np.abs(values(found.leading)) == pytest.approx(expected)
        assert found.re_min == pytest.approx(np.linalg.eigvals(turned).real.min())
