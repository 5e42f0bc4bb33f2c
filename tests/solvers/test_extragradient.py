"""Extragradient's two half steps: their batches, their optimizer's moments, and what is remembered."""

from functools import partial
from itertools import count, repeat

import pytest
import torch
from support.players import Bilinear, images_gan, make_solver
from torch import tensor

from gan_cli.errors import UserError
from gan_cli.solvers.extragradient import Extragradient
from gan_cli.types import Batch

NOTHING = repeat(Batch(torch.zeros(1)))
ORDER = ["theta", "phi"]
PAST = partial(Extragradient, past=True)


@pytest.mark.parametrize(("kind", "batches_a_round"), [(Extragradient, [4, 4, 4]), (PAST, [4, 2, 2])])
def test_every_evaluation_draws_batches_of_its_own(kind, batches_a_round):
    game = Bilinear(1.0, 2.0)
    batches = (Batch(tensor([float(i)])) for i in count())
    solver = make_solver(kind, game)
    for expected in batches_a_round:
        before = len(game.batches)
        solver.round(ORDER, batches)
        assert len(game.batches) - before == expected
    assert [x.item() for x in game.batches] == list(range(sum(batches_a_round)))


@pytest.mark.parametrize("kind", [Extragradient, PAST])
def test_moments_move_on_in_both_half_steps(kind):
    game = Bilinear(1.0, 2.0)
    solver = make_solver(kind, game, torch.optim.Adam)
    for _ in range(3):
        solver.round(ORDER, NOTHING)
    assert solver.optimizers["theta"].state[game.theta]["step"] == 6
    assert game.moves == ORDER * 6


def test_extra_adam_by_hand():
    """The first Adam step is eta in the gradient's direction; the second starts at w_0 with the moments of both gradients."""
    game, eta, b1, b2 = Bilinear(1.0, 2.0), 0.1, 0.5, 0.9
    make_solver(Extragradient, game, partial(torch.optim.Adam, betas=(b1, b2), eps=0.0), lr=eta).round(ORDER, NOTHING)
    first = {"theta": 2.0, "phi": -1.0}
    second = {"theta": 2.0 + eta, "phi": -(1.0 - eta)}
    for player, start in (("theta", 1.0), ("phi", 2.0)):
        m = (b1 * (1 - b1) * first[player] + (1 - b1) * second[player]) / (1 - b1**2)
        v = (b2 * (1 - b2) * first[player] ** 2 + (1 - b2) * second[player] ** 2) / (1 - b2**2)
        assert getattr(game, player).item() == pytest.approx(start - eta * m / v**0.5)


DECAYING = {
    "SGD": partial(torch.optim.SGD, weight_decay=0.5),
    "AdamW": partial(
        torch.optim.AdamW, weight_decay=0.5, betas=(0.0, 0.0), eps=1e6
    ),  # eps: steps in proportion to the gradient
}


@pytest.mark.parametrize("kind", DECAYING)
def test_weight_decay_is_taken_at_the_point_ahead(kind):
    """With w' = (0.75, 2): theta = 1 - 0.1 (2 + 0.5 * 0.75) and phi = 2 - 0.1 (-0.75 + 0.5 * 2). AdamW's gradients vanish."""
    game = Bilinear(1.0, 2.0)
    make_solver(Extragradient, game, DECAYING[kind]).round(ORDER, NOTHING)
    w = {"SGD": (0.7625, 1.975), "AdamW": (1 - 0.05 * 0.95, 2 - 0.05 * 1.9)}[kind]
    assert (game.theta.item(), game.phi.item()) == pytest.approx(w, rel=1e-5)


def test_weight_decay_of_the_past_is_taken_where_its_gradient_was():
    """The half step of the second round, from w = (0.7625, 1.975), repeats F(w'), decay included, of the first one."""
    game = Bilinear(1.0, 2.0)
    solver = make_solver(PAST, game, DECAYING["SGD"])
    for _ in range(2):
        solver.round(ORDER, NOTHING)
    ahead = (0.7625 - 0.1 * 2.375, 1.975 - 0.1 * 0.25)
    w = (0.7625 - 0.1 * (ahead[1] + 0.5 * ahead[0]), 1.975 - 0.1 * (-ahead[0] + 0.5 * ahead[1]))
    assert (game.theta.item(), game.phi.item()) == pytest.approx(w, rel=1e-5)


def test_what_is_reported_belongs_to_the_point_ahead():
    stats = make_solver(Extragradient, Bilinear(1.0, 2.0)).round(ORDER, NOTHING)
    assert stats["loss/theta"].item() == pytest.approx(0.8 * 2.1)
    assert stats["grad_norm/theta"].item() == pytest.approx(2.1)
    assert stats["grad_norm/phi"].item() == pytest.approx(0.8)


def test_either_half_step_may_be_declined():
    for answers, theta, phi in (
        ([False, True], 1 - 0.1 * 2, 2 + 0.1 * 0.8),  # phi does not look ahead
        ([True, False], 1 - 0.1 * 2.1, 2.0),  # theta sees phi's look ahead, but phi stays
    ):
        answer = iter(answers)
        game = Bilinear(1.0, 2.0, should_step=lambda loss, stats, answer=answer: next(answer))
        make_solver(Extragradient, game).round(ORDER, NOTHING)
        assert (game.theta.item(), game.phi.item()) == (pytest.approx(theta), pytest.approx(phi))


def test_a_declined_step_is_not_remembered():
    answer = iter([True, False, True])
    game = Bilinear(1.0, 2.0, should_step=lambda loss, stats: next(answer))
    solver = make_solver(PAST, game)
    solver.round(ORDER, NOTHING)
    assert set(solver.state_dict()["remembered"]["field"]) == {"theta"}
    game.moves.clear()
    solver.round(ORDER, NOTHING)
    assert game.moves == ["theta", "theta", "phi"]


def test_buffers_are_not_taken_back():
    """Batch norm sees each evaluation: twice those of a simultaneous round."""
    game = images_gan()
    make_solver(Extragradient, game).round(["discriminator", "generator"], repeat(Batch(torch.randn(4, 1, 16, 16))))
    counts = {int(buffer) for name, buffer in game.generator.named_buffers() if name.endswith("num_batches_tracked")}
    assert counts == {4}


def test_a_word_is_no_flag():
    with pytest.raises(UserError, match=r"past='no'"):
        make_solver(partial(Extragradient, past="no"), Bilinear(1.0, 2.0))
