"""A player's own loss never rises in its own turn, and the search ends where Armijo's condition says."""

from copy import deepcopy
from functools import partial
from itertools import repeat

import pytest
import torch
from support.players import Bilinear, make_solver, points_gan
from support.quadratic import Quadratic, diagonal
from torch import nn

from gan_cli.errors import UserError
from gan_cli.games.base import Turn
from gan_cli.randomness import fork_rng
from gan_cli.regularizers.gradient_penalty import GradientPenalty
from gan_cli.solvers.backtracking import Backtracking
from gan_cli.solvers.base import Problem
from gan_cli.types import Batch

NOTHING = repeat(Batch(torch.zeros(1)))


def bowl(curvature: float):
    w = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    turn = Turn({"one": [w]}, lambda batch: ((curvature / 2 * w.square()).sum(), {}))
    return w, type("Bowl", (), {"turns": lambda self: {"one": turn}})()


@pytest.mark.parametrize(("curvature", "t"), [(1.0, 1.0), (3.0, 0.5), (100.0, 1 / 64), (0.01, 1.0)])
def test_halved_until_the_loss_falls(curvature, t):
    """Of w^2 c / 2 the step -t c w is accepted below t = (2 - 2 decrease) / c; the first length tried is 1."""
    w, game = bowl(curvature)
    stats = make_solver(Backtracking, game, lr=1.0).round(["one"], NOTHING)
    assert stats["length/one"] == t
    assert w.item() == pytest.approx(1 - t * curvature)


def test_lengths_grow_again():
    w, game = bowl(0.001)
    solver = make_solver(Backtracking, game, lr=1.0)
    lengths = [float(solver.round(["one"], NOTHING)["length/one"]) for _ in range(8)]
    assert lengths == [2.0**k for k in range(8)]
    assert 0 < w.item() < 0.8


def test_no_turn_raises_its_loss_whatever_the_draws():
    """With fresh latents in every call, and a penalty that draws too."""
    game = points_gan(regularizers=[GradientPenalty()])
    solver = make_solver(Backtracking, game, torch.optim.Adam, lr=0.5)
    batch = Batch(torch.randn(6, 2))
    for player in ("discriminator", "generator", "discriminator"):
        torch.manual_seed(7)
        seed = int(torch.randint(2**62, ()))
        torch.manual_seed(7)
        before = float(solver.round([player], repeat(batch))[f"loss/{player}"])
        with fork_rng(seed, torch.device("cpu")):
            after = game.turns()[player].loss(batch)[0].item()
        assert after < before


def test_uphill_steps_are_refused():
    w, game = bowl(1.0)
    solver = Backtracking(Problem(game.turns(), {"one": torch.optim.SGD([w], lr=1.0, maximize=True)}), halvings=3)
    stats = solver.round(["one"], NOTHING)
    assert (w.item(), float(stats["length/one"])) == (1.0, 0.0)


def test_one_who_declines_rests():
    game = Bilinear(1.0, 2.0, should_step=lambda loss, stats: False)
    stats = make_solver(Backtracking, game).round(["phi"], NOTHING)
    assert (game.phi.item(), game.moves) == (2.0, [])
    assert "loss/phi" in stats


@pytest.mark.slow
def test_a_saddle_is_found():
    game = Quadratic(diagonal(1.0, 3.0), torch.zeros(2, 1), diagonal(2.0))
    solver = make_solver(Backtracking, game, lr=0.3)
    for _ in range(60):
        solver.round(["theta", "phi"], NOTHING)
    assert torch.cat([game.theta, game.phi]).detach().norm() < 1e-4


def test_resumed_to_the_bit():
    game, again = points_gan(), points_gan()
    batch = Batch(torch.randn(6, 2))
    order = ["discriminator", "generator"]
    solver, other = (make_solver(Backtracking, one, torch.optim.Adam) for one in (game, again))
    for _ in range(3):
        solver.round(order, repeat(batch))
    again.load_state_dict(game.state_dict())
    other.load_state_dict(deepcopy(solver.state_dict()))
    for one in (solver, other):
        torch.manual_seed(5)
        one.round(order, repeat(batch))
    torch.testing.assert_close(game.state_dict(), again.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("field", [{"halvings": 0}, {"decrease": -1.0}, {"decrease": 1.0}])
def test_mistakes(field):
    with pytest.raises(UserError, match=next(iter(field))):
        make_solver(partial(Backtracking, **field), Bilinear(1.0, 2.0))
