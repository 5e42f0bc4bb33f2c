"""Slow weights: when they move, whose they are, and what they leave alone."""

from functools import partial
from itertools import count, repeat

import pytest
import torch
from support.players import Bilinear, alternating, images_gan, make_solver, points_gan
from torch import tensor

from gan_cli.errors import UserError
from gan_cli.solvers.lookahead import Lookahead
from gan_cli.solvers.optimistic import Optimistic
from gan_cli.types import Batch

NOTHING = repeat(Batch(torch.zeros(1)))
ORDER = ["theta", "phi"]


def weights(game):
    return tensor([parameter.item() for parameter in game.parameters()])


def test_every_k_rounds_all_players_go_back():
    game, twin = Bilinear(1.0, 2.0), Bilinear(1.0, 2.0)
    solver, plain = make_solver(partial(Lookahead, k=3, alpha=0.25), game), alternating(twin)
    slow = weights(game)
    for step in range(1, 7):
        solver.round(ORDER, NOTHING)
        plain.round(ORDER, NOTHING)
        if step % 3 == 0:
            expected = 0.75 * slow + 0.25 * weights(twin)
            torch.testing.assert_close(weights(game), expected)
            with torch.no_grad():
                twin.theta.copy_(game.theta), twin.phi.copy_(game.phi)
            slow = weights(game)
        else:
            assert torch.equal(weights(game), weights(twin))


def test_one_is_the_inner_solver_itself():
    game, twin = Bilinear(1.0, 2.0), Bilinear(1.0, 2.0)
    solver, plain = make_solver(partial(Lookahead, k=3, alpha=1.0), game, torch.optim.Adam), alternating(twin, torch.optim.Adam)
    for _ in range(10):
        solver.round(["theta", "phi", "phi"], NOTHING)
        plain.round(["theta", "phi", "phi"], NOTHING)
    torch.testing.assert_close(weights(game), weights(twin))


def test_moments_and_buffers_stay_with_the_fast_weights():
    game = images_gan()
    solver = make_solver(partial(Lookahead, k=2), game, torch.optim.Adam)
    before = [parameter.detach().clone() for parameter in game.parameters()]
    batches = repeat(Batch(torch.randn(4, 1, 16, 16)))
    solver.round(["discriminator", "generator"], batches)
    steps = {float(state["step"]) for state in solver.optimizers["generator"].state.values()}
    solver.round(["discriminator", "generator"], batches)
    assert steps == {1.0}
    assert {float(state["step"]) for state in solver.optimizers["generator"].state.values()} == {2.0}
    counts = {int(buffer) for name, buffer in game.generator.named_buffers() if name.endswith("num_batches_tracked")}
    assert counts == {4}
    assert not all(torch.equal(a, b) for a, b in zip(before, game.parameters(), strict=True))


def test_constraints_follow_the_way_back():
    game = Bilinear(1.0, 2.0)
    solver = make_solver(partial(Lookahead, k=2), game)
    solver.round(["phi", "phi", "theta"], NOTHING)
    solver.round(["phi", "phi", "theta"], NOTHING)
    assert game.moves == [*["phi", "phi", "theta"] * 2, "phi", "theta"]


def test_who_never_plays_never_moves():
    game = Bilinear(1.0, 2.0)
    solver = make_solver(partial(Lookahead, k=2, alpha=0.3), game)
    for _ in range(10):
        solver.round(["theta"], NOTHING)
    assert game.phi.item() == 2
    assert set(game.moves) == {"theta"}


def test_it_is_one_more_round_and_no_more_batches():
    game = Bilinear(1.0, 2.0)
    solver = make_solver(partial(Lookahead, k=2), game)
    batches = (Batch(tensor([float(i)])) for i in count())
    for _ in range(4):
        stats = solver.round(["phi", "phi", "theta"], batches)
    assert len(game.batches) == 12
    assert set(stats) == {"loss/theta", "grad_norm/theta", "loss/phi", "grad_norm/phi"}


def test_the_optimizers_are_those_that_step():
    """Learning rates are set through ``optimizers``, whatever the inner solver has made of them."""
    game = Bilinear(1.0, 2.0)
    solver = make_solver(partial(Lookahead, inner=Optimistic), game)
    assert solver.optimizers is solver.inner.optimizers
    for optimizer in solver.optimizers.values():
        optimizer.param_groups[0]["lr"] = 0.0
    solver.round(ORDER, NOTHING)
    assert weights(game).tolist() == [1, 2]


def test_slow_weights_are_held_once_and_only_while_they_are_needed():
    game = points_gan()
    solver = make_solver(partial(Lookahead, k=2, inner=partial(Lookahead, k=2)), game)
    tensors = len(list(game.parameters()))
    batches = repeat(Batch(torch.randn(4, 2)))
    held = []
    for _ in range(4):
        solver.round(["discriminator", "generator"], batches)
        held.append((len(solver.slow), len(solver.inner.slow)))
    assert held == [(tensors, tensors), (0, 0)] * 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"k": 0}, r"k=0"),
        ({"k": 2.5}, r"k=2\.5"),
        ({"alpha": 0.0}, r"alpha=0\.0.* above 0"),
        ({"alpha": 5}, r"alpha=5.* at most 1"),
    ],
)
def test_fields(arguments, said):
    with pytest.raises(UserError, match=said):
        make_solver(partial(Lookahead, **arguments), Bilinear(1.0, 2.0))
