"""The derivative through the opponent's steps is the right one: closed forms, and functional calls on networks."""

from functools import partial
from itertools import repeat

import pytest
import torch
from support.players import Bilinear, make_solver, points_gan
from support.quadratic import DUMMY_BATCH as NO_BATCH
from support.quadratic import random_quadratic
from torch.func import functional_call, grad

from gan_cli.errors import UserError
from gan_cli.games.analytic.two_parameter import DiracGAN
from gan_cli.losses.minimax import Minimax, ZeroSum
from gan_cli.losses.relativistic import Relativistic
from gan_cli.randomness import fork_rng
from gan_cli.solvers.alternating import Alternating
from gan_cli.solvers.unrolled import Unrolled
from gan_cli.types import Batch

DUMMY_BATCH = repeat(NO_BATCH)


def unrolled(k: int, rate: float = 0.3, opponent: str = "phi"):
    return partial(Unrolled, k=k, rate=rate, opponent=opponent)


@pytest.mark.parametrize("k", [0, 1, 2, 7])
def test_bilinear(k):
    """phi_k = phi + k rate theta, so theta phi_k has the derivative phi + 2 k rate theta."""
    game = Bilinear(1.5, -0.5)
    stats = make_solver(unrolled(k), game, lr=0.1).round(["theta"], DUMMY_BATCH)
    assert game.theta.item() == pytest.approx(1.5 - 0.1 * (-0.5 + 2 * k * 0.3 * 1.5))
    assert game.phi.item() == -0.5
    assert stats["loss/theta"].item() == pytest.approx(1.5 * (-0.5 + k * 0.3 * 1.5))
    assert stats["grad_norm/theta"].item() == pytest.approx(abs(-0.5 + 2 * k * 0.3 * 1.5))


@pytest.mark.slow
def test_bilinear_converges_where_alternating_circles():
    radius = {}
    for k in (0, 3):
        game = Bilinear(1.0, 2.0)
        solver = make_solver(unrolled(k), game, lr=0.1)
        for _ in range(80):
            solver.round(["theta", "phi"], DUMMY_BATCH)
        radius[k] = torch.cat([game.theta, game.phi]).detach().norm().item()
    assert radius[3] < 0.3
    assert radius[0] > 1


@pytest.mark.parametrize("k", [1, 4])
def test_dirac_gan(k):
    theta = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    phi = torch.tensor(0.6, dtype=torch.float64, requires_grad=True)
    answer = phi
    for _ in range(k):  # phi ascends log s(theta phi)
        answer = answer + 0.3 * theta * torch.sigmoid(-theta * answer)
    (expected,) = torch.autograd.grad(torch.nn.functional.logsigmoid(theta * answer), theta)
    game = DiracGAN(0.8, 0.6)
    make_solver(unrolled(k), game).gradients("theta", NO_BATCH)
    assert game.theta.grad.item() == pytest.approx(expected.item(), rel=1e-12)
    assert game.phi.item() == 0.6


@pytest.mark.slow
def test_quadratic_to_the_saddle_of_the_inner_optimum():
    """With many steps theta sees max over phi: gradient (A + B C^-1 B') theta."""
    game = random_quadratic(2, 3)
    solver = make_solver(unrolled(150, 0.1), game)
    solver.gradients("theta", NO_BATCH)
    outer = game.A + game.B @ torch.linalg.inv(game.C) @ game.B.T
    torch.testing.assert_close(game.theta.grad, outer @ game.theta.detach(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("loss", [Minimax(), ZeroSum(), Relativistic()])
def test_networks_against_functional_calls(loss):
    torch.set_default_dtype(torch.float64)
    try:
        torch.manual_seed(0)
        game, batch = points_gan(loss, width=8), Batch(torch.randn(5, 2))
        torch.manual_seed(4)
        seed = int(torch.randint(2**62, ()))
        with fork_rng(seed, torch.device("cpu")):
            z = game.latents(5)
        theta, phi = (dict(player.named_parameters()) for player in (game.generator, game.discriminator))

        def logits(theta, phi):
            fake = functional_call(game.generator, theta, (z,))
            return functional_call(game.discriminator, phi, (batch.x,)), functional_call(game.discriminator, phi, (fake,))

        def unroll(theta):
            answer = phi
            for _ in range(3):
                slope = grad(lambda phi: loss.discriminator_loss(*logits(theta, phi)))(answer)
                answer = {name: answer[name] - 0.2 * slope[name] for name in answer}
            return loss.generator_loss(*logits(theta, answer))

        expected = grad(unroll)({name: value.detach() for name, value in theta.items()})
        before = {name: value.detach().clone() for name, value in phi.items()}
        torch.manual_seed(4)
        make_solver(unrolled(3, 0.2, "discriminator"), game).gradients("generator", batch)
        for name, parameter in theta.items():
            torch.testing.assert_close(parameter.grad, expected[name])
        assert all(torch.equal(before[name], value) for name, value in phi.items())
    finally:
        torch.set_default_dtype(torch.float32)


def test_the_opponents_own_turn_is_an_ordinary_one():
    games = [points_gan(), points_gan()]
    games[1].load_state_dict(games[0].state_dict())
    batch = Batch(torch.randn(5, 2))
    for game, kind in zip(games, (unrolled(5, opponent="discriminator"), Alternating), strict=True):
        torch.manual_seed(1)
        make_solver(kind, game).round(["discriminator"], repeat(batch))
    torch.testing.assert_close(games[0].state_dict(), games[1].state_dict(), rtol=0, atol=0)


def test_one_who_declines_rests():
    game = Bilinear(1.0, 2.0, should_step=lambda loss, stats: False)
    make_solver(unrolled(2, opponent="theta"), game).round(["phi"], DUMMY_BATCH)
    assert (game.theta.item(), game.phi.item(), game.moves) == (1.0, 2.0, [])


@pytest.mark.parametrize("field", [{"k": -1}, {"rate": 0.0}])
def test_mistakes(field):
    with pytest.raises(UserError, match=next(iter(field))):
        make_solver(partial(Unrolled, **field), Bilinear(1.0, 2.0))


def test_an_opponent_that_is_none():
    with pytest.raises(UserError, match=r"solver\.opponent=discriminator: this game has no such turn"):
        make_solver(Unrolled, Bilinear(1.0, 2.0)).check(["theta"])
