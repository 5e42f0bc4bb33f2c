"""Consensus optimization on networks: the pull is the gradient of 1/2 ||v||^2, whatever the loss is made of."""

from functools import partial
from itertools import repeat

import pytest
import torch
from support.players import Bilinear, images_gan, make_solver, points_gan
from torch import nn

from gan_cli.errors import UserError
from gan_cli.games.base import Turn
from gan_cli.losses.minimax import Minimax
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.losses.relativistic import Relativistic
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.regularizers.gradient_penalty import GradientPenalty
from gan_cli.regularizers.r1 import R1, R2
from gan_cli.solvers.consensus import Consensus
from gan_cli.solvers.simultaneous import Simultaneous
from gan_cli.types import Batch

ORDER = ["discriminator", "generator"]
NOTHING = repeat(Batch(torch.zeros(1)))


@pytest.fixture
def _exactly():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def field(kind, game, batches):
    """The field with the same draws each time, as one vector."""
    torch.manual_seed(3)
    found, stats = make_solver(kind, game).field(ORDER, batches)
    parts = [
        torch.zeros_like(parameter) if gradient is None else gradient
        for player in ORDER
        for parameter, gradient in zip(game.turns()[player].parameters, found[player], strict=True)
    ]
    return torch.cat([part.flatten() for part in parts]), stats


@pytest.mark.usefixtures("_exactly")
@pytest.mark.parametrize(
    ("make", "loss", "regularizers"),
    [
        (points_gan, NonSaturating(), []),
        (points_gan, Relativistic(), [R1(weight=0.5), R2(weight=0.5)]),
        (points_gan, Wasserstein(), [GradientPenalty(weight=1.0)]),
        (images_gan, Minimax(), []),  # batch norm in both players
        (images_gan, Wasserstein(), [GradientPenalty(weight=1.0)]),  # batch norm in one, layer norm in the other
    ],
)
def test_pull_is_the_gradient_of_half_the_squared_norm(make, loss, regularizers):
    """Against a central difference along a random direction."""
    torch.manual_seed(0)
    game = make(loss, regularizers)
    batches = repeat(Batch(torch.randn(4, 2) if make is points_gan else torch.randn(4, 1, 16, 16)))
    parameters = [parameter for player in ORDER for parameter in game.turns()[player].parameters]
    directions = [torch.randn_like(parameter) for parameter in parameters]
    h = 1e-8  # with a larger one some ReLU switches

    def half_after(move):
        with torch.no_grad():
            torch._foreach_add_(parameters, directions, alpha=move)
        return field(Simultaneous, game, batches)[0].square().sum() / 2

    v, plain_stats = field(Simultaneous, game, batches)
    whole, stats = field(partial(Consensus, weight=0.7), game, batches)
    pull = (whole - v) / 0.7
    slope = (half_after(h) - half_after(-2 * h)) / (2 * h)
    along = pull @ torch.cat([direction.flatten() for direction in directions])
    assert along.item() == pytest.approx(slope.item(), rel=1e-4)
    assert pull.norm() > 1e-3
    torch.testing.assert_close(stats, plain_stats)


def test_without_weight_it_is_simultaneous():
    games = [points_gan(), points_gan()]
    games[1].load_state_dict(games[0].state_dict())
    for game, kind in zip(games, (Simultaneous, partial(Consensus, weight=0.0)), strict=True):
        torch.manual_seed(1)
        solver, batches = make_solver(kind, game, torch.optim.Adam), repeat(Batch(torch.linspace(-1, 1, 8).reshape(4, 2)))
        for _ in range(3):
            solver.round(ORDER, batches)
    torch.testing.assert_close(games[0].state_dict(), games[1].state_dict())


def test_only_those_who_play_are_in_the_field():
    """theta alone: its gradient phi does not change with theta, so nothing pulls."""
    game = Bilinear(1.0, 2.0, should_step=lambda loss, stats: False)
    solver = make_solver(partial(Consensus, weight=3.0), game)
    solver.round(["theta", "phi"], NOTHING)
    assert (game.theta.item(), game.phi.item()) == (pytest.approx(0.8), 2.0)


def test_linear_losses_and_idle_parameters():
    used, idle = (nn.Parameter(torch.ones(1)) for _ in range(2))
    turn = Turn({"half": [used, idle]}, lambda batch: ((3 * used).sum(), {}))
    game = type("Half", (), {"turns": lambda self: {"half": turn}})()
    stats = make_solver(Consensus, game).round(["half"], NOTHING)
    assert (used.item(), idle.item(), idle.grad) == (pytest.approx(0.7), 1.0, None)
    assert stats["grad_norm/half"] == 3


def test_a_negative_weight_is_refused():
    with pytest.raises(UserError, match=r"weight=-1"):
        make_solver(partial(Consensus, weight=-1), Bilinear(1.0, 2.0))
