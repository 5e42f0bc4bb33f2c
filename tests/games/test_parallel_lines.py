"""The parallel lines, which nobody plays."""

import math

import pytest
import torch

from gan_cli.errors import UserError
from gan_cli.games.analytic.parallel_lines import ParallelLines


@pytest.fixture
def game():
    return ParallelLines(-1.0, 1.0, 4, 200, 10)


def test_nobody_plays(game):
    assert game.turns() == {}
    assert list(game.parameters()) == []
    assert game.state_dict() == {}
    assert game.device == torch.device("cpu")


@pytest.mark.parametrize(("step", "theta"), [(0, -1.0), (1, -0.5), (2, 0.0), (4, 1.0), (9, 1.0)])
def test_samples_agree_with_the_closed_forms(game, step, theta):
    numbers = game.measure(step)
    assert numbers["theta"] == theta
    apart = theta != 0
    closed = {"w": abs(theta), "js": math.log(2) * apart, "kl": math.inf if apart else 0.0, "tv": float(apart)}
    for name, value in closed.items():
        assert numbers[f"{name}/closed"] == value
        assert numbers[f"{name}/shared"] == pytest.approx(value, abs=1e-9)
    assert 0 <= numbers["w/independent"] - abs(theta) < 0.1  # samples of few points only look farther apart
    assert 0 < numbers["w/floor"] < 0.15
    assert 0 < numbers["js/floor"] < 0.05
    if apart:
        assert numbers["js/independent"] == pytest.approx(math.log(2))


def test_theta_is_exactly_0_in_the_middle():
    for steps in (2, 20, 40, 100):
        assert ParallelLines(-1.0, 1.0, steps, 2, 1).thetas[steps // 2] == 0
    assert ParallelLines(0.5, 1.0, 0, 2, 1).thetas.tolist() == [0.5]


def test_samples_lie_on_the_last_line(game):
    x = game.sample(game.latents(50))
    assert x[:, 0].eq(1).all()
    assert ((x[:, 1] >= 0) & (x[:, 1] < 1)).all()


@pytest.mark.slow
def test_a_picture_with_infinite_values(game):
    rows = [{"step": step, **game.measure(step)} for step in range(5)]
    rows = [{tag: None if value == math.inf else value for tag, value in row.items()} for row in rows]
    assert game.picture(lambda: rows).ndim == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((1.0, 1.0, 4, 9, 9), r"high=1"), ((0.0, 1.0, 4, 0, 9), r"n=0"), ((0.0, 1.0, 4, 9, 0), r"bins=0")],
)
def test_what_is_wrong(arguments, said):
    with pytest.raises(UserError, match=said):
        ParallelLines(*arguments)
