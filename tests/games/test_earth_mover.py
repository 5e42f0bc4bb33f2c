"""The worked example of the earth mover's distance."""

import pytest
import torch
from scipy.stats import wasserstein_distance
from support.players import alternating

from gan_cli.errors import UserError
from gan_cli.games.analytic.earth_mover import EarthMover
from gan_cli.types import Batch

NOTHING = Batch(torch.zeros(2, 1))
EXAMPLE = ([3, 2, 1, 4], [1, 2, 4, 3], [1, 2, 3, 4])


@torch.no_grad()
def measured(game: EarthMover) -> dict[str, float]:
    return dict(game.measure(0))


def played(game: EarthMover, rounds: int) -> list[float]:
    """The critic's estimate after each round."""
    solver = alternating(game)
    found = []
    for _ in range(rounds):
        solver.round(["critic"], iter([NOTHING]))
        found.append(measured(game)["w/critic"])
    return found


def test_the_example():
    numbers = measured(EarthMover(*EXAMPLE))
    assert numbers == pytest.approx(
        {"w/shovelfuls": 5.0, "w/plan": 0.5, "w/dual": 0.5, "w/cdf": 0.5, "w/critic": 0.0}, abs=1e-9
    )


def test_the_estimate_rises_to_the_distance_exactly():
    estimates = played(EarthMover(*EXAMPLE), 110)
    assert estimates == sorted(estimates)
    assert estimates[-1] == pytest.approx(0.5, abs=1e-12)


def test_other_heaps_and_uneven_positions():
    p, q, t = [5, 0, 1, 2, 2], [1, 4, 0, 3, 2], [0.0, 0.5, 3.0, 3.25, 7.0]
    game = EarthMover(p, q, t)
    exact = wasserstein_distance(t, t, p, q)
    numbers = measured(game)
    assert [numbers[name] for name in ("w/plan", "w/dual", "w/cdf")] == pytest.approx([exact] * 3)
    assert numbers["w/shovelfuls"] == pytest.approx(10 * exact)
    assert played(game, 400)[-1] == pytest.approx(exact)
    f = game.heights().detach()
    assert ((f[:, None] - f).abs() <= (game.t[:, None] - game.t).abs() + 1e-12).all(), "1-Lipschitz"


def test_samples_follow_q():
    game = EarthMover(*EXAMPLE)
    torch.manual_seed(0)
    x = game.sample(game.latents(20_000))
    shares = [float((x == t).float().mean()) for t in (1, 2, 3, 4)]
    assert shares == pytest.approx([0.1, 0.2, 0.4, 0.3], abs=0.02)


@torch.no_grad()
def test_a_picture():
    game = EarthMover(*EXAMPLE)
    assert game.picture(lambda: [{"step": 0, **measured(game)}, {"step": 0, "loss/critic": 0.0}]).ndim == 3


@pytest.mark.parametrize(
    "arguments", [([1], [1], [0]), ([1, 2], [1, 2], [1, 0]), ([1, 2], [3], [0, 1]), ([1, 1], [1, 1], [0, 0])]
)
def test_heaps_that_do_not_fit(arguments):
    with pytest.raises(UserError, match="positions"):
        EarthMover(*arguments)


def test_heaps_of_different_weight():
    with pytest.raises(UserError, match="must be equal"):
        EarthMover([1, 2], [1, 1], [0, 1])
