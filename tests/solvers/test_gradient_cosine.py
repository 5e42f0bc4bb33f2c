"""The eye on the optimizers' steps: cosines known in closed form, and a game that is not changed by being watched."""

import pytest
import torch
from support.players import Bilinear, make_problem, points_gan
from torch import nn

from gan_cli.optim.clipped import ClippedSGD
from gan_cli.solvers.alternating import Alternating
from gan_cli.solvers.gradient_cosine import GradientCosine, Watch, cosine
from gan_cli.solvers.lookahead import Lookahead
from gan_cli.types import Batch


def batches(n=64):
    torch.manual_seed(1)
    return iter([Batch(torch.randn(8, 2)) for _ in range(n)])


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (torch.optim.SGD, {}),
        (ClippedSGD, {"max_norm": 0.1}),
        (torch.optim.RMSprop, {}),
        (torch.optim.Adam, {"betas": (0.0, 0.9)}),
    ],
)
def test_without_momentum_no_step_goes_uphill(make, arguments):
    game = points_gan()
    solver = GradientCosine(make_problem(game, make, lr=1e-2, **arguments))
    for _ in range(5):
        stats = solver.round(["discriminator", "generator"], batches())
        for player in ("discriminator", "generator"):
            assert 0 < stats[f"step_cosine/{player}"] <= 1 + 1e-6
            if issubclass(make, torch.optim.SGD):
                assert stats[f"step_cosine/{player}"] == pytest.approx(1)


def test_momentum_goes_on_when_the_gradient_turns():
    w = nn.Parameter(torch.tensor([0.0, 0.0]))
    optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.5)
    watch = Watch(optimizer)
    for gradient, expected in (([1.0, 0.0], 1.0), ([-0.25, 0.0], -1.0), ([0.0, 1.0], 1 / (1 + 0.125**2) ** 0.5)):
        w.grad = torch.tensor(gradient)
        optimizer.step()
        [found] = watch.take()
        assert found == pytest.approx(expected, abs=1e-6)
    assert watch.take() == []


def test_the_mean_is_over_the_players_turns():
    game = Bilinear(1.0, 2.0)
    solver = GradientCosine(make_problem(game, torch.optim.SGD, lr=0.1))
    solver.watches["theta"].cosines = [torch.tensor(-1.0), torch.tensor(-1.0)]
    stats = solver.round(["theta", "phi"], batches())
    assert stats["step_cosine/theta"] == pytest.approx(-1 / 3)
    assert stats["step_cosine/phi"] == pytest.approx(1)
    assert "step_cosine/phi" not in solver.round(["theta"], batches())


def test_who_declines_has_no_step():
    game = Bilinear(1.0, 2.0, should_step=lambda loss, stats: False)
    stats = GradientCosine(make_problem(game, torch.optim.SGD, lr=0.1)).round(["theta", "phi"], batches())
    assert {name for name in stats if name.startswith("step_cosine")} == {"step_cosine/theta"}


@pytest.mark.parametrize("inner", [Alternating, Lookahead])
def test_watching_changes_nothing(inner):
    ends = []
    for make in (inner, lambda *args: GradientCosine(*args, inner=inner)):
        torch.manual_seed(0)
        game = points_gan()
        solver = make(make_problem(game, lr=1e-2))
        drawn = batches()
        for _ in range(7):
            solver.round(["discriminator", "generator"], drawn)
        ends.append((game.state_dict(), solver.state_dict()))
    (a, state_a), (b, state_b) = ends
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert state_a.keys() == state_b.keys()


def test_cosine_of_nothing_is_0():
    zero, one = [torch.zeros(3)], [torch.ones(3)]
    assert cosine(zero, one) == cosine(one, zero) == cosine(zero, zero) == 0
    assert cosine(one, [-torch.ones(3)]) == pytest.approx(-1)
    assert cosine([torch.ones(2), torch.zeros(2)], [torch.zeros(2), torch.ones(2)]) == 0
