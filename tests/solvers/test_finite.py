"""Numbers that are not finite: every solver shows them in order, and none of them reaches a parameter or a moment."""

import math

import pytest
import torch
from support import configs

from gan_cli.build import build
from gan_cli.data.stream import Stream
from gan_cli.randomness import seed_all
from gan_cli.solvers.base import total_norm, zero_unless_finite
from gan_cli.training.callbacks import tensors_in

CPU = torch.device("cpu")


def poisoned(cfg, player: str, value: float, first: int):
    """Return the parts and what they watch; from call ``first`` on the loss of ``player`` is multiplied by ``value``."""
    seed_all(0)
    watched = []
    parts = build(cfg, CPU, lambda name, value: watched.append((name, value.item())))
    turn, calls = parts.solver.turns[player], []

    def loss(batch):
        calls.append(1)
        loss, stats = turn.loss(batch)
        return loss * (value if len(calls) >= first else 1.0), stats

    parts.solver.turns[player] = turn._replace(loss=loss)
    return parts, watched


@pytest.mark.slow
@pytest.mark.parametrize(
    ("solver", "player"),
    configs.pairs(
        configs.options("solver"), ["discriminator", "generator"], ["discriminator"], ["alternating", "extragradient"]
    ),
)
def test_no_solver_lets_it_reach_the_players(solver, player):
    cfg = configs.config(f"dataset=ring solver={solver}")
    for value, first in ((math.nan, 1), (1e38, 2)):
        parts, watched = poisoned(cfg, player, value, first)
        batches = Stream(parts.data.train, cfg.train.batch_size, cfg.seed)
        for step in range(1, 4):
            parts.solver.round(parts.schedule(step), batches)
        for state in (parts.game.state_dict(), parts.solver.state_dict()):
            assert all(tensor.isfinite().all() for _, tensor in tensors_in(state)), (value, first)
        name = next(name for name, number in watched if not math.isfinite(number))
        assert name in {f"loss/{player}", *([f"grad_norm/{player}"] if value == 1e38 else [])}


def test_the_moments_of_extragradients_first_half_step_stay_finite():
    """Both half steps are watched in order, so that the first number that is not finite is the cause."""
    parts, watched = poisoned(configs.config("dataset=ring solver=extragradient"), "generator", 1e38, 1)
    batches = Stream(parts.data.train, 4, 0)
    parts.solver.round(["discriminator", "generator"], batches)
    names = [f"{quantity}/{player}" for player in ("discriminator", "generator") for quantity in ("loss", "grad_norm")]
    assert [name for name, _ in watched] == names * 2
    assert [name for name, value in watched[:4] if value == math.inf] == ["grad_norm/generator"]
    moments = dict(tensors_in(parts.solver.state_dict()))
    assert len(moments) > 4
    assert all(tensor.isfinite().all() for tensor in moments.values())


def test_finite_gradients_are_handed_on_as_they_are():
    gradients = [torch.tensor([1e-45, -0.0]), None, torch.ones(2, 3)]
    assert all(a is b for a, b in zip(zero_unless_finite(gradients, total_norm(gradients)), gradients, strict=True))


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e38])
def test_a_gradient_that_is_not_finite_becomes_0(value):
    gradients = [torch.full((3,), value), None, torch.ones(2, 3).t()]
    a, nothing, b = zero_unless_finite(gradients, total_norm(gradients))
    assert nothing is None
    assert torch.equal(a, torch.zeros(3))
    assert torch.equal(b, torch.zeros(3, 2))
    assert gradients[2].sum() == 6, "the gradients themselves are left alone"


def test_the_choice_on_a_device_waits_for_nothing():
    """On the meta device no value can be read; the shapes of the result are right."""
    gradients = [torch.ones(3, device="meta"), None]
    a, nothing = zero_unless_finite(gradients, torch.tensor(1.0, device="meta"))
    assert (a.shape, a.dtype, nothing) == (torch.Size([3]), torch.float32, None)
