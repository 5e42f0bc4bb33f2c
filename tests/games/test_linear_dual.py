"""A log-linear discriminator: the dual's optimum is the primal's, and the game's geometry is known."""

import cmath
import math
from itertools import pairwise, repeat

import pytest
import torch
from support.players import Dirac, Linear, make_solver
from torch import Tensor, nn

from gan_cli.errors import UserError
from gan_cli.games.base import differentiable_in_all_players
from gan_cli.games.linear_dual import LinearDual, LinearPrimal, dual, maximised, newton, primal
from gan_cli.models.affine import Affine
from gan_cli.models.log_linear import LogLinear
from gan_cli.models.mlp import MLPGenerator
from gan_cli.solvers.alternating import Alternating
from gan_cli.solvers.backtracking import Backtracking
from gan_cli.types import Batch


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def rows(n: int = 40, features: int = 4, spread: float = 2.0) -> Tensor:
    return spread * torch.randn(n, features, dtype=torch.float64)


def cloud(n: int = 12) -> Batch:
    return Batch(torch.tensor([1.0, -0.5]) + 0.7 * torch.randn(n, 2))


def game(kind=LinearDual, C: float = 1.5, fixed: int | None = 15, bumps: int = 0):
    return kind(MLPGenerator((2,), 0, 3, 8, 2), LogLinear((2,), 0, bumps), C, fixed)


class TestDuality:
    @pytest.mark.parametrize("C", [0.1, 1.0, 30.0])
    @pytest.mark.parametrize("spread", [0.1, 5.0])
    def test_optima_agree_and_every_relation_holds(self, C, spread):
        n = 25
        x, G = rows(n, spread=spread), rows(n, spread=spread) + 1
        a = torch.cat([x, -G])
        mu = torch.sigmoid(maximised(a, C))
        lambda_x, lambda_z = 1 - mu[:n], mu[n:]
        w = ((1 - lambda_x) @ x - lambda_z @ G) / C
        torch.testing.assert_close(lambda_x, torch.sigmoid(x @ w), rtol=0, atol=1e-9)
        torch.testing.assert_close(lambda_z, torch.sigmoid(G @ w), rtol=0, atol=1e-9)
        f = C / 2 * w @ w - (x @ w - torch.log1p((x @ w).exp())).sum() + torch.log1p((G @ w).exp()).sum()
        v = (1 - lambda_x) @ x - lambda_z @ G
        g = -(v @ v) / (2 * C) + torch.special.entr(mu).sum() + torch.special.entr(1 - mu).sum()
        assert float(f - g) == pytest.approx(0, abs=1e-9)
        assert float(primal(a, w, C)) == pytest.approx(float(f), abs=1e-9)
        assert float(dual(a, mu.logit(), C)) == pytest.approx(float(g), abs=1e-9)

    def test_the_optimum_of_the_primal_is_found(self):
        """w by a long descent of f, without any dual."""
        a, C = rows(), 2.0
        w = torch.zeros(4, dtype=torch.float64, requires_grad=True)
        descent = torch.optim.LBFGS([w], max_iter=300, tolerance_grad=1e-12, tolerance_change=0, line_search_fn="strong_wolfe")

        def closure():
            descent.zero_grad()
            value = primal(a, w, C)
            value.backward()
            return value

        descent.step(closure)
        torch.testing.assert_close(a.T @ torch.sigmoid(maximised(a, C)) / C, w.detach(), rtol=0, atol=1e-6)

    def test_no_multipliers_pass_the_primal(self):
        a, C = rows(), 0.7
        best = primal(a, a.T @ torch.sigmoid(maximised(a, C)) / C, C)
        for _ in range(20):
            assert dual(a, 3 * torch.randn(40, dtype=torch.float64), C) < best < primal(a, torch.randn(4).double(), C)

    def test_newton_rests_at_the_optimum_and_climbs_elsewhere(self):
        a, C = rows(), 1.0
        best = maximised(a, C)
        assert newton(a, best, C).abs().max() < 1e-9
        alpha = best + torch.randn(40, dtype=torch.float64)
        assert dual(a, alpha + 1e-4 * newton(a, alpha, C), C) > dual(a, alpha, C)

    def test_multipliers_are_a_differentiable_function_of_the_samples(self):
        a = rows(5, 2, 1.0).requires_grad_()
        assert torch.autograd.gradcheck(lambda a: maximised(a, 0.5), a, atol=1e-6)
        assert torch.autograd.gradgradcheck(lambda a: dual(a, maximised(a, 0.5), 0.5), a, atol=1e-5)


class TestTheDualGame:
    def test_the_gradient_is_that_of_the_inner_optimum(self):
        """d/dtheta of min over w of f: by the primal at the w that the turn left behind."""
        played, batch = game(), cloud()
        before = played.discriminator.weight.detach().clone()
        loss, stats = played.generator_loss(batch)
        assert torch.equal(played.discriminator.weight, before), "a loss moves nothing"
        played.turns()["generator"].finish()
        theta = list(played.generator.parameters())
        ascent = torch.autograd.grad(loss, theta)
        a, w = played.rows(batch.x, played.fakes(batch)), played.discriminator.weight.detach().double()
        descent = torch.autograd.grad(-primal(a, w, played.C), theta)
        torch.testing.assert_close(ascent, descent, rtol=1e-4, atol=1e-6)
        assert stats["duality/gap"].abs() < 1e-9
        assert stats["duality/multipliers"] < 1e-9

    @pytest.mark.slow
    def test_ascent_with_backtracking_is_monotone(self):
        played, batch = game(bumps=3), cloud(30)
        solver = make_solver(Backtracking, played)
        values = [float(solver.round(["generator"], repeat(batch))["value/dual"]) for _ in range(20)]
        assert all(b > a - 1e-9 for a, b in pairwise(values))
        assert values[-1] > values[0] + 1
        assert values[-1] < 45 * math.log(2)

    def test_the_order_of_the_batch_does_not_matter(self):
        played, batch = game(), cloud()
        losses = [played.generator_loss(Batch(batch.x[order]))[0].item() for order in (torch.arange(12), torch.randperm(12))]
        assert losses[0] == pytest.approx(losses[1], abs=1e-9)

    def test_fresh_latents_are_as_many_as_the_batch(self):
        played = game(fixed=None)
        assert len(played.fakes(cloud(9))) == 9
        assert not torch.equal(played.fakes(cloud(9)), played.fakes(cloud(9)))


def jacobian(C: float) -> Tensor:
    """Of (-df/dw, df/dtheta) for one datum at 0, one fake at theta and D(x) = w x, at w = theta = 0."""
    played = LinearPrimal(Dirac(0.0), LogLinear((1,), 0), C, 1)
    w, theta = played.discriminator.weight, played.generator.theta
    batch = Batch(torch.zeros(1, 1))
    with differentiable_in_all_players():
        field = [
            -torch.autograd.grad(played.turns()[player].loss(batch)[0], own, create_graph=True)[0]
            for player, own in (("discriminator", w), ("generator", theta))
        ]
        components = field[0][0], field[1][0]  # the bias does not meet theta
        found = [torch.autograd.grad(component, (w, theta), materialize_grads=True) for component in components]
    return torch.stack([torch.stack([row[0][0], row[1][0]]) for row in found])


@pytest.mark.parametrize("C", [0.1, 0.5, 3.0])
def test_eigenvalues_of_the_primal_game(C):
    root = cmath.sqrt(C**2 / 4 - 1 / 4)
    found = sorted(torch.linalg.eigvals(jacobian(C)).tolist(), key=lambda z: (z.real, z.imag))
    expected = sorted([-C / 2 - root, -C / 2 + root], key=lambda z: (z.real, z.imag))
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_the_primal_game_spirals_inwards_and_the_dual_does_not_turn():
    paths = {}
    for kind, solver, rounds in ((LinearPrimal, Alternating, 300), (LinearDual, Backtracking, 12)):
        played = kind(Affine((1,), 0, 1.0, 0.01), LogLinear((1,), 0), 0.1, 1)
        played.fixed.zero_()
        order, batch, path = list(played.turns()), Batch(torch.zeros(1, 1)), []
        solving_it = make_solver(solver, played, lr=0.1)
        for _ in range(rounds):
            solving_it.round(order, repeat(batch))
            path.append(played.generator.mean.item())
        paths[kind] = path
    turns = sum(a * b < 0 for a, b in pairwise(paths[LinearPrimal]))
    assert turns >= 4
    assert abs(paths[LinearPrimal][-1]) < 0.4
    distances = [abs(mean) for mean in paths[LinearDual]]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.3


def test_features_end_in_a_constant():
    x = torch.randn(5, 1, 4, 4)
    linear = LogLinear((1, 4, 4), 0)
    assert torch.equal(linear.features(x), torch.cat([x.flatten(1), torch.ones(5, 1)], 1))
    assert torch.equal(linear(x), torch.zeros(5))
    bumps = LogLinear((2,), 0, bumps=3, reach=1.0, bandwidth=0.5)
    values = bumps.features(torch.tensor([[-1.0, 0.0]]))
    assert values.shape == (1, 10)
    assert (values[0, 1].item(), values[0, -1].item()) == (1.0, 1.0)
    assert values[0, 0].item() == pytest.approx(math.exp(-2))


@pytest.mark.slow
def test_a_picture_shows_points_and_values():
    played = game()
    assert played.picture(list) is None
    played.generator_loss(cloud())
    with torch.no_grad():
        picture = played.picture(lambda: [{"step": 1, "value/primal": 1.0, "value/dual": 0.5}])
    assert picture.ndim == 3
    assert picture.dtype == "uint8"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: LinearDual(Dirac(0.0), Linear(0.0), 1.0), "model/discriminator=log_linear"),
        (lambda: LinearPrimal(Dirac(0.0), LogLinear((1,), 0), 0.0), r"C=0"),
        (lambda: LinearPrimal(Dirac(0.0), LogLinear((1,), 0), 1.0, 0), r"fixed=0"),
        (lambda: LogLinear((1,), 0, bumps=3), r"bumps=3"),
        (lambda: LogLinear((1,), 0, bandwidth=0), r"bandwidth=0"),
    ],
)
def test_mistakes(make, said):
    with pytest.raises(UserError, match=said):
        make()


def test_fixed_latents_travel_with_the_players():
    played, other = game(), game()
    other.load_state_dict(played.state_dict())
    batch = cloud()
    assert torch.equal(played.generator_loss(batch)[0], other.generator_loss(batch)[0])
    assert isinstance(played.discriminator, nn.Module)
