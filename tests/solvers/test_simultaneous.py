"""Steps from one point: who sees what, what is left alone, and what is refused."""

from functools import partial
from itertools import count, repeat

import pytest
import torch
from support.players import Bilinear, alternating, make_solver, points_gan
from torch import nn, tensor

from gan_cli.errors import UserError
from gan_cli.games.base import Turn
from gan_cli.losses.hinge import Hinge
from gan_cli.regularizers.orthogonal import Orthogonal
from gan_cli.regularizers.r1 import R1
from gan_cli.regularizers.weight_clipping import WeightClipping
from gan_cli.solvers.consensus import Consensus
from gan_cli.solvers.extragradient import Extragradient
from gan_cli.solvers.lookahead import Lookahead
from gan_cli.solvers.optimistic import Optimistic
from gan_cli.solvers.simultaneous import Simultaneous
from gan_cli.types import Batch

NOTHING = repeat(Batch(torch.zeros(1)))
ORDER = ["discriminator", "generator"]
ONCE = [Simultaneous, Optimistic, Extragradient, partial(Extragradient, past=True), Consensus]
"""Solvers that play every turn once a round."""


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def points(n=8):
    return repeat(Batch(torch.randn(n, 2)))


def copies(module):
    return [parameter.detach().clone() for parameter in module.parameters()]


class Shared:
    """Two players who move the same w: (w - 1)^2 / 2 and 3 (w - 2)^2 / 2."""

    def __init__(self):
        self.w = nn.Parameter(tensor([0.0], dtype=torch.float64))

    def turns(self):
        def toward(goal, slope):
            return Turn({"w": [self.w]}, lambda batch: (slope / 2 * (self.w - goal).square().sum(), {}))

        return {"a": toward(1, 1), "b": toward(2, 3)}


def test_nobody_sees_the_others_move():
    for order in (["theta", "phi"], ["phi", "theta"]):
        game = Bilinear(1.0, 2.0)
        stats = make_solver(Simultaneous, game).round(order, NOTHING)
        assert game.theta.item() == pytest.approx(1 - 0.1 * 2)
        assert game.phi.item() == pytest.approx(2 + 0.1 * 1)
        assert game.moves == order
        assert {name: value.item() for name, value in stats.items()} == {
            "loss/theta": 2.0,
            "grad_norm/theta": 2.0,
            "loss/phi": -2.0,
            "grad_norm/phi": 1.0,
        }


def test_each_player_steps_as_it_would_alone():
    """From the same point, with the same draws: of the generator's move alternating differs by the discriminator's."""
    moved = {}
    for name, play in {
        "together": lambda game: make_solver(Simultaneous, game, torch.optim.Adam).round(ORDER, points()),
        "alone": lambda game: alternating(game, torch.optim.Adam).round(["discriminator"], points()),
    }.items():
        torch.manual_seed(1)
        game = points_gan()
        play(game)
        moved[name] = copies(game.discriminator)
    assert all(torch.equal(a, b) for a, b in zip(moved["together"], moved["alone"], strict=True))


def test_every_turn_has_a_batch_of_its_own():
    game = Bilinear(1.0, 2.0)
    batches = (Batch(tensor([float(i)])) for i in count())
    make_solver(Simultaneous, game).round(["theta", "phi"], batches)
    assert [x.item() for x in game.batches] == [0, 1]
    assert next(batches).x.item() == 2


@pytest.mark.parametrize("kind", ONCE)
def test_a_repeated_turn_is_refused(kind):
    game = Bilinear(1.0, 2.0)
    solver = make_solver(kind, game)
    for action in (solver.check, lambda order: solver.round(order, NOTHING)):
        with pytest.raises(UserError, match="once a round, but the schedule has phi 5x") as error:
            action([*["phi"] * 5, "theta"])
        assert "train.n_critic=1" in str(error.value)
    assert (game.theta.item(), game.phi.item(), game.batches) == (1, 2, [])
    solver.check(["phi", "theta"])
    solver.check(["theta"])
    solver.check([])


def test_an_unknown_turn_is_refused():
    for kind in (*ONCE, Lookahead):
        with pytest.raises(UserError, match="no turn 'generator'"):
            make_solver(kind, Bilinear(1.0, 2.0)).check(["theta", "generator"])


def test_lookahead_refuses_what_its_inner_solver_refuses():
    order = ["phi", "phi", "theta"]
    make_solver(Lookahead, Bilinear(1.0, 2.0)).check(order)
    with pytest.raises(UserError, match="Consensus plays every turn once"):
        make_solver(partial(Lookahead, inner=Consensus), Bilinear(1.0, 2.0)).check(order)


@pytest.mark.parametrize("kind", ONCE)
def test_a_declined_turn(kind):
    """phi rests: theta descends alone, and where theta's gradient does not change it moves as without the other."""
    game = Bilinear(1.0, 2.0, should_step=lambda loss, stats: False)
    solver = make_solver(kind, game)
    stats = solver.round(["theta", "phi"], NOTHING)
    assert game.theta.item() == pytest.approx(0.8)
    assert game.phi.item() == 2
    assert set(game.moves) == {"theta"}
    assert {"loss/phi", "grad_norm/phi"} <= set(stats)
    state = solver.state_dict()["optimizers"]["phi"]
    assert state in ({"inner": state.get("inner"), "last": []}, {"state": {}, "param_groups": state.get("param_groups")})


def test_all_decline():
    for kind in ONCE:
        game = Bilinear(1.0, 2.0)
        declined = {name: turn._replace(should_step=lambda loss, stats: False) for name, turn in game.turns().items()}
        game.turns = lambda declined=declined: declined
        make_solver(kind, game).round(["theta", "phi"], NOTHING)
        assert (game.theta.item(), game.phi.item(), game.moves) == (1, 2, [])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Simultaneous, 0.1 * 7),  # the gradients at 0 are -1 and -6
        (Optimistic, 0.1 * 7),
        (Extragradient, 0.1 * (7 - 4 * 0.7)),  # w' = 0.7, where they are -0.3 and -3.9
        (partial(Consensus, weight=0.5), 0.1 * (7 + 0.5 * (1 + 18))),  # grad 1/2 ||v||^2 = (w - 1) + 9 (w - 2)
        (partial(Lookahead, k=1, inner=Simultaneous), 0.5 * 0.1 * 7),
    ],
)
def test_players_may_share_parameters(kind, expected):
    game = Shared()
    solver = make_solver(kind, game)
    assert solver.parameters() == [game.w]
    solver.round(["a", "b"], NOTHING)
    assert game.w.item() == pytest.approx(expected)


@pytest.mark.parametrize("kind", [*ONCE, Lookahead])
def test_numbers_and_their_names(kind):
    game = points_gan(Hinge(), [R1(), Orthogonal(players=["generator"])])
    stats = make_solver(kind, game, torch.optim.Adam).round(ORDER, points())
    assert set(stats) == {
        *(f"{kind}/{player}" for kind in ("loss", "grad_norm", "adversarial") for player in ORDER),
        *(f"{kind}/{side}" for kind in ("logit", "accuracy") for side in ("real", "fake")),
        "penalty_r1/discriminator",
        "penalty_orthogonal/generator",
        "estimate/tv",
    }
    assert all(value.shape == () and not value.requires_grad and value.isfinite() for value in stats.values())


@pytest.mark.parametrize("kind", [*ONCE, partial(Lookahead, k=1)])
def test_weights_are_clipped_wherever_they_move(kind):
    """And with extragradient no loss is taken outside the bounds once the first half step is made."""
    game, seen = points_gan(regularizers=[WeightClipping(bound=0.01)]), []
    game.discriminator.register_forward_pre_hook(
        lambda module, inputs: seen.append(max(p.abs().max().item() for p in module.parameters()))
    )
    solver = make_solver(kind, game, torch.optim.Adam)
    for _ in range(3):
        solver.round(ORDER, points())
        assert max(p.abs().max().item() for p in game.discriminator.parameters()) == pytest.approx(0.01)
    outside = [value > 0.0101 for value in seen]
    assert outside == [True] * sum(outside) + [False] * (len(seen) - sum(outside))
    forwards = 3  # of the discriminator, at each evaluation of the field: on data, on fakes, in the generator's turn
    assert sum(outside) == forwards if not isinstance(solver, Lookahead) else sum(outside) < forwards


@pytest.mark.parametrize("kind", [*ONCE, Lookahead])
def test_no_graph_is_left(kind):
    game = points_gan()
    solver = make_solver(kind, game)
    solver.round(ORDER, points())
    solver.round(ORDER, points())
    assert all(parameter.grad is None or not parameter.grad.requires_grad for parameter in game.parameters())
    assert all(parameter.is_leaf and parameter.requires_grad for parameter in game.parameters())
