import math

import numpy as np
import ot
import pytest
import torch

from gan_cli.errors import UserError
from gan_cli.metrics.points.discrete import (
    common_support,
    js,
    kantorovich_dual,
    kantorovich_rubinstein,
    kl,
    optimal_transport,
    transport_by_cdf,
    tv,
)
from gan_cli.metrics.points.wasserstein import wasserstein

HEAPS, HOLES = [3.0, 2.0, 1.0, 4.0], [1.0, 2.0, 4.0, 3.0]
LINE = torch.arange(4.0)
STEPS = (LINE[:, None] - LINE).abs()


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def probabilities(n):
    return torch.rand(n, dtype=torch.float64).softmax(0)


def distances(x, y):
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def test_the_worked_example_costs_five_by_every_method():
    transport = optimal_transport(HEAPS, HOLES, STEPS)
    assert transport.value == pytest.approx(5)
    assert (transport.plan * STEPS).sum().item() == pytest.approx(5)
    torch.testing.assert_close(transport.plan.sum(1), torch.tensor(HEAPS, dtype=torch.float64))
    torch.testing.assert_close(transport.plan.sum(0), torch.tensor(HOLES, dtype=torch.float64))
    assert kantorovich_dual(HEAPS, HOLES, STEPS).value == pytest.approx(5)
    assert kantorovich_rubinstein(HEAPS, HOLES, STEPS).value == pytest.approx(5)
    assert transport_by_cdf(HEAPS, HOLES, LINE) == pytest.approx(5)


def test_the_normalised_worked_example_has_distance_one_half():
    p, q = torch.tensor(HEAPS) / 10, torch.tensor(HOLES) / 10
    for value in (
        optimal_transport(p, q, STEPS).value,
        kantorovich_dual(p, q, STEPS).value,
        kantorovich_rubinstein(p, q, STEPS).value,
        transport_by_cdf(p, q, LINE),
    ):
        assert value == pytest.approx(0.5, rel=1e-6)  # 0.3 and the like are rounded to float32 here
    points = [torch.repeat_interleave(LINE, torch.tensor(w).long())[:, None] for w in (HEAPS, HOLES)]
    assert wasserstein(*points) == pytest.approx(0.5)


def test_plan_and_value_agree_with_pot():
    p, q = probabilities(12), probabilities(9)
    cost = torch.rand(12, 9, dtype=torch.float64)
    transport = optimal_transport(p, q, cost)
    assert transport.value == pytest.approx(ot.emd2(p.numpy(), q.numpy(), cost.numpy()), rel=1e-9)
    np.testing.assert_allclose(transport.plan, ot.emd(p.numpy(), q.numpy(), cost.numpy()), atol=1e-9)


def test_the_dual_is_feasible_optimal_and_tight_where_mass_moves():
    p, q = probabilities(12), probabilities(9)
    cost = torch.rand(12, 9, dtype=torch.float64)
    transport, (value, f, g) = optimal_transport(p, q, cost), kantorovich_dual(p, q, cost)
    slack = cost - f[:, None] - g
    assert slack.min() > -1e-9
    assert slack[transport.plan > 1e-9].abs().max() < 1e-9  # complementary slackness
    assert value == pytest.approx(transport.value, rel=1e-9)
    assert (p @ f + q @ g).item() == pytest.approx(value, rel=1e-9)
    assert f[0] == 0


def test_for_a_metric_cost_the_kantorovich_rubinstein_dual_is_exact():
    points = torch.randn(15, 2, dtype=torch.float64)
    p, q, d = probabilities(15), probabilities(15), distances(points, points)
    value, f, g = kantorovich_rubinstein(p, q, d)
    assert value == pytest.approx(optimal_transport(p, q, d).value, rel=1e-9)
    assert ((f[:, None] - f) - d).max() < 1e-9
    assert (f @ (p - q)).item() == pytest.approx(value, rel=1e-9)
    assert torch.equal(g, -f)


def test_on_the_line_transport_equals_the_distance_of_cdfs():
    positions = torch.randn(20, dtype=torch.float64)
    p, q = probabilities(20), probabilities(20)
    by_programme = optimal_transport(p, q, (positions[:, None] - positions).abs()).value
    assert transport_by_cdf(p, q, positions) == pytest.approx(by_programme, rel=1e-9)


def test_equal_weights_give_the_distance_between_samples():
    x, y = torch.randn(20, 2, dtype=torch.float64), torch.rand(20, 2, dtype=torch.float64)
    weights = torch.ones(20) / 20
    assert optimal_transport(weights, weights, distances(x, y)).value == pytest.approx(wasserstein(x, y), rel=1e-6)


def test_transport_with_the_discrete_metric_is_total_variation():
    p, q = probabilities(10), probabilities(10)
    assert optimal_transport(p, q, 1 - torch.eye(10)).value == pytest.approx(tv(p, q), rel=1e-9)


@pytest.mark.parametrize("theta", [-1.0, 0.0, 0.25])
def test_parallel_lines_share_no_point_unless_they_coincide(theta):
    z = torch.rand(30, 1, dtype=torch.float64)
    points, p, q = common_support(torch.cat([0 * z, z], 1), torch.cat([0 * z + theta, z], 1))
    apart = theta != 0
    assert optimal_transport(p, q, distances(points, points)).value == pytest.approx(abs(theta), abs=1e-9)
    assert js(p, q) == pytest.approx(math.log(2) if apart else 0, abs=1e-12)
    assert tv(p, q) == pytest.approx(1 if apart else 0, abs=1e-12)
    assert kl(p, q) == (math.inf if apart else 0)


def test_equal_points_are_merged():
    points, p, q = common_support(torch.tensor([[1.0], [2.0], [1.0], [1.0]]), torch.tensor([[2.0], [3.0]]))
    assert points.tolist() == [[1], [2], [3]]
    assert (p.tolist(), q.tolist()) == ([0.75, 0.25, 0], [0, 0.5, 0.5])


def test_divergences_of_two_coins():
    p, q = [0.5, 0.5], [0.25, 0.75]
    assert kl(p, q) == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3))
    m = [0.375, 0.625]
    assert js(p, q) == pytest.approx(0.5 * kl(p, m) + 0.5 * kl(q, m))
    assert tv(p, q) == pytest.approx(0.25)


def test_divergences_satisfy_their_bounds():
    for _ in range(20):
        p, q = probabilities(8) ** 3, probabilities(8) ** 3
        p, q = p / p.sum(), q / q.sum()
        assert js(p, q) == pytest.approx(js(q, p), rel=1e-12)
        assert 0 < js(p, q) < math.log(2)
        assert tv(p, q) <= math.sqrt(kl(p, q) / 2)  # Pinsker
        assert tv(p, q) ** 2 / 2 <= js(p, q) <= math.log(2) * tv(p, q)  # Pinsker on either half, and Lin
        assert kl(p, p) == js(p, p) == tv(p, p) == 0


def test_kl_is_infinite_if_the_second_distribution_lacks_mass():
    assert kl([0.5, 0.5], [1, 0]) == math.inf
    assert kl([1, 0], [0.5, 0.5]) == pytest.approx(math.log(2))
    assert js([0, 1], [1, 0]) == math.log(2)


@pytest.mark.parametrize(
    ("p", "q", "cost", "message"),
    [
        ([1.0, 1.0], [1.0, 2.0], torch.zeros(2, 2), "sum to 2 and 3"),
        ([1.0, 1.0], [2.0], torch.zeros(2, 2), r"costs \[2, 1\] and got \[2, 2\]"),
        ([1.0, 1.0], [1.0, 1.0], torch.full((2, 2), math.nan), "NaN or Inf"),
        ([-1.0, 1.0], [0.0, 0.0], torch.zeros(2, 2), "none below 0"),
        ([math.nan, 1.0], [1.0, 1.0], torch.zeros(2, 2), "finite numbers"),
        ([], [], torch.zeros(0, 0), "weights must be"),
    ],
)
def test_bad_transport_problems_are_named(p, q, cost, message):
    for solve in (optimal_transport, kantorovich_dual, kantorovich_rubinstein):
        with pytest.raises(UserError, match=message):
            solve(p, q, cost)


def test_distributions_on_different_points_are_refused():
    with pytest.raises(UserError, match="same points, not 2 and 1"):
        kantorovich_rubinstein([1.0, 1.0], [2.0], torch.zeros(2, 1))
    for divergence in (kl, js, tv):
        with pytest.raises(UserError, match="not of 2 and 1 points"):
            divergence([0.5, 0.5], [1.0])
        with pytest.raises(UserError, match="sum to 1 and sum to 10"):
            divergence(HEAPS, HOLES)
