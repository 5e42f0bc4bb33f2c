"""Discriminator and critic between two Gaussians."""

import pytest
import torch
from support.players import alternating

from gan_cli.data.points.nothing import nothing
from gan_cli.data.points.toy import ring
from gan_cli.errors import UserError
from gan_cli.games.analytic.two_gaussians import TwoGaussians, slope
from gan_cli.games.objective import Objective
from gan_cli.models.mlp import MLPDiscriminator
from gan_cli.regularizers.gradient_penalty import GradientPenalty
from gan_cli.regularizers.weight_clipping import WeightClipping
from gan_cli.types import Batch

BATCH = Batch(torch.zeros(64, 1))


def game(real: float = -3.0, fake: float = 3.0, **regularizers) -> TwoGaussians:
    torch.manual_seed(0)
    return TwoGaussians(MLPDiscriminator((1,), 0, 16, 3), Objective(regularizers=regularizers), real, fake, 1.0)


def test_the_optimum_is_the_densities_ratio():
    played = game(-1.0, 0.5)
    x = torch.linspace(-3, 3, 13, dtype=torch.float64)
    p, q = (torch.distributions.Normal(mean, 1.0).log_prob(x).exp() for mean in (-1.0, 0.5))
    torch.testing.assert_close(played.optimum(x), p / (p + q))
    best = played.optimum(x)
    torch.testing.assert_close(slope(played.optimum, x), 1.5 * best * (1 - best))


def test_both_start_as_equals_and_move_apart():
    played = game()
    networks = played.discriminator, played.wasserstein_critic
    assert all(torch.equal(a, b) for a, b in zip(*(network.parameters() for network in networks), strict=True))
    assert not set(played.turns()["critic"].parameters) & set(played.turns()["discriminator"].parameters)


def test_the_regularizers_are_the_critics_alone():
    played = game(clipping=WeightClipping(bound=0.01), penalty=GradientPenalty())
    solver = alternating(played, lr=0.001)
    stats = solver.round(["discriminator", "critic"], iter([BATCH, BATCH]))
    assert {name for name in stats if name.startswith("penalty")} == {"penalty_penalty/critic"}
    largest = [
        max(float(p.detach().abs().max()) for p in network.parameters())
        for network in (played.wasserstein_critic, played.discriminator)
    ]
    assert largest[0] <= 0.01 < largest[1]
    with torch.no_grad():
        weights = torch.cat([p.flatten().abs() for p in played.wasserstein_critic.parameters()])
        assert played.measure(1)["at_bound/critic"] == pytest.approx(float((weights >= 0.01 * 0.999).double().mean()))
        assert "at_bound/critic" not in game(penalty=GradientPenalty()).measure(1)


@pytest.mark.slow
def test_one_saturates_and_the_other_does_not():
    played = game(penalty=GradientPenalty())
    solver = alternating(played, torch.optim.Adam, lr=0.01)
    with torch.no_grad():
        before = played.measure(0)
    for _ in range(150):
        solver.round(["discriminator", "critic"], iter([BATCH, BATCH]))
    with torch.no_grad():
        after = played.measure(150)
    assert after["slope/discriminator"] < 1e-3
    assert after["least_slope/critic"] > 0.5
    assert after["error/discriminator"] < 0.02 < before["error/discriminator"]
    assert after["w/exact"] == 6
    assert 5 < after["w/critic"] < 9  # reads high: slope 1 + d / (2 lambda) = 1.3


@pytest.mark.slow
def test_measuring_and_drawing_leave_no_trace():
    played = game()
    state = torch.get_rng_state()
    with torch.no_grad():
        assert played.picture(list).ndim == 3
        played.measure(0)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in played.parameters())


def test_a_width_that_is_none():
    with pytest.raises(UserError, match=r"std=0"):
        TwoGaussians(MLPDiscriminator((1,), 0, 4, 2), Objective(), 0.0, 1.0, 0.0)


def test_points_of_the_line_alone():
    TwoGaussians.check(nothing())
    with pytest.raises(UserError, match="takes dataset=nothing"):
        TwoGaussians.check(ring(n=8, n_heldout=8))
