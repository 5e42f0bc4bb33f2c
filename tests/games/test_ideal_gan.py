"""The tabular game with its optimal discriminator."""

import math
from itertools import pairwise

import pytest
import torch
from support.players import alternating

from gan_cli.errors import UserError
from gan_cli.games.analytic.ideal_gan import IdealGAN
from gan_cli.types import Batch

NOTHING = Batch(torch.zeros(2, 1))


def law(n: int, spread: float) -> list[float]:
    return torch.softmax(spread * torch.randn(n, dtype=torch.float64), 0).tolist()


def criterion(p: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """C(q), differentiated through D* too."""
    q = logits.softmax(0)
    return (p * (p / (p + q)).log()).sum() + (q * (q / (p + q)).log()).sum()


def test_its_gradient_is_that_of_the_criterion():
    """The envelope theorem: D* may be held fixed."""
    torch.manual_seed(0)
    game = IdealGAN(law(6, 1.0), law(6, 1.0))
    logits = game.logits.detach().clone().requires_grad_()
    loss, _ = game.loss(NOTHING)
    exact = criterion(game.p, logits)
    torch.testing.assert_close(loss, exact)
    torch.testing.assert_close(torch.autograd.grad(loss, game.logits), torch.autograd.grad(exact, logits))


@torch.no_grad()
def test_the_value_is_twice_js_above_the_minimum():
    numbers = IdealGAN([0.5, 0.3, 0.2], [0.1, 0.1, 0.8]).measure(0)
    assert numbers["criterion/value"] == pytest.approx(numbers["criterion/js"], abs=1e-14)
    assert numbers["criterion/above_minimum"] == pytest.approx(numbers["criterion/value"] + math.log(4))
    same = IdealGAN([0.5, 0.5], [0.5, 0.5]).measure(0)
    assert same["criterion/value"] == pytest.approx(-math.log(4))
    assert same["discriminator/from_half"] == pytest.approx(0, abs=1e-15)


@pytest.mark.slow
def test_the_curvature_stays_below_the_bound():
    """Of laws of every spread; the bound on which the step rests is 3.2."""
    torch.manual_seed(0)
    worst = 0.0
    for n in (2, 3, 10):
        for spread in (0.1, 1.0, 3.0, 8.0):
            for _ in range(10):
                p = torch.tensor(law(n, spread))
                hessian = torch.autograd.functional.hessian(lambda x, p=p: criterion(p, x), torch.tensor(law(n, spread)).log())
                worst = max(worst, float(torch.linalg.eigvalsh(hessian).max()))
    assert 0.1 < worst < 3.2


@pytest.mark.parametrize("spread", [0.5, 5.0])
def test_the_criterion_never_rises(spread):
    torch.manual_seed(1)
    game = IdealGAN(law(5, spread), law(5, spread))
    solver = alternating(game, lr=0.6)
    values = []
    for step in range(200):
        with torch.no_grad():
            values.append(game.measure(step)["criterion/above_minimum"])
        solver.round(["generator"], iter([NOTHING]))
    assert all(after <= before + 1e-15 for before, after in pairwise(values))
    assert values[-1] < 0.5 * values[0]


def test_samples_follow_the_table():
    game = IdealGAN([0.5, 0.25, 0.25], [0.7, 0.2, 0.1])
    torch.manual_seed(0)
    x = game.sample(game.latents(20_000))
    assert [float((x == i).float().mean()) for i in range(3)] == pytest.approx([0.7, 0.2, 0.1], abs=0.02)


@torch.no_grad()
def test_a_picture():
    game = IdealGAN([0.5, 0.5], [0.9, 0.1])
    assert game.picture(lambda: [{"step": 0, **game.measure(0)}]).ndim == 3


@pytest.mark.parametrize(("p", "q"), [([0.5, 0.4], [0.5, 0.5]), ([0.5, 0.5], [1.0, 0.0]), ([0.5, 0.5], [0.2, 0.3, 0.5])])
def test_what_is_no_table(p, q):
    with pytest.raises(UserError, match="probabilities above 0 that sum to 1"):
        IdealGAN(p, q)
