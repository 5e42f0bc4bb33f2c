import math

import ot
import pytest
import torch

from gan_cli.errors import UserError
from gan_cli.metrics.base import Value
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.points.sliced_wasserstein import (
    SlicedWassersteinDistance,
    error_over_directions,
    projected_costs,
    sliced_wasserstein,
    unit_directions,
)
from gan_cli.metrics.points.wasserstein import wasserstein


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("d", [2, 3, 50])
def test_a_shift_costs_its_length_over_the_root_of_the_dimension(d):
    x, t = torch.randn(20, d, dtype=torch.float64), torch.randn(d, dtype=torch.float64)
    expected = t.norm().item() / math.sqrt(d)
    error = error_over_directions(x, x + t, directions=4000)
    assert sliced_wasserstein(x, x + t, directions=4000) == pytest.approx(expected, abs=3 * error)
    assert error < 0.02 * expected


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize(("n", "m", "d"), [(60, 60, 2), (60, 45, 3), (5, 100, 70)])
def test_agrees_with_pot_for_the_same_projections(n, m, d, p):
    x, y = torch.randn(n, d, dtype=torch.float64), torch.rand(m, d, dtype=torch.float64)
    theta = unit_directions(150, d)  # more than are projected at a time
    expected = ot.sliced_wasserstein_distance(x.numpy(), y.numpy(), p=p, projections=theta.T.numpy())
    assert sliced_wasserstein(x, y, p, 150) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("p", [1, 2])
def test_in_one_dimension_it_is_the_wasserstein_distance(p):
    x, y = torch.randn(40, 1), torch.rand(40, 1)
    assert sliced_wasserstein(x, y, p) == pytest.approx(wasserstein(x, y, p), rel=1e-12)
    assert error_over_directions(x, y, p) == 0


@pytest.mark.parametrize("p", [1, 2])
def test_it_is_a_distance_below_the_exact_one(p):
    x, y = torch.randn(40, 3), torch.rand(40, 3)
    assert 0 < sliced_wasserstein(x, y, p) < wasserstein(x, y, p)
    assert sliced_wasserstein(x, y, p) == pytest.approx(sliced_wasserstein(y, x, p), rel=1e-12)
    assert sliced_wasserstein(x, x[torch.randperm(40)], p) == pytest.approx(0, abs=1e-12)


def test_samples_counted_twice_change_nothing():
    x, y = torch.randn(30, 4, dtype=torch.float64), torch.rand(20, 4, dtype=torch.float64)
    assert sliced_wasserstein(x.repeat(2, 1), y.repeat(3, 1)) == pytest.approx(sliced_wasserstein(x, y), rel=1e-12)


def test_directions_are_uniform_on_the_sphere_and_always_the_same():
    theta = unit_directions(4000, 3)
    torch.testing.assert_close(theta.norm(dim=1), torch.ones(4000, dtype=torch.float64))
    torch.testing.assert_close(theta.T @ theta / 4000, torch.eye(3, dtype=torch.float64) / 3, atol=0.02, rtol=0)
    state = torch.random.get_rng_state()
    assert torch.equal(unit_directions(4000, 3), theta)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_more_samples_than_are_projected_at_a_time():
    x, y = torch.randn(2500, 2), torch.randn(1100, 2)
    theta = unit_directions(5, 2)
    one_by_one = [wasserstein(x.double() @ t[:, None], y.double() @ t[:, None], 2) ** 2 for t in theta]
    assert sliced_wasserstein(x, y, directions=5) == pytest.approx((sum(one_by_one) / 5) ** 0.5, rel=1e-12)


def test_the_error_agrees_with_the_scatter_over_sets_of_directions():
    x, y = torch.randn(30, 3, dtype=torch.float64), torch.rand(30, 3, dtype=torch.float64)
    costs = projected_costs(x, y, unit_directions(20_000, 3)).view(100, 200)
    scatter = costs.mean(1).sqrt().std().item()
    assert error_over_directions(x, y, directions=200) == pytest.approx(scatter, rel=0.3)
    assert error_over_directions(x, x) == 0
    assert math.isnan(error_over_directions(x, y, directions=1))


def test_its_gradient_moves_the_samples_together():
    x, y = torch.randn(30, 3), torch.rand(30, 3)
    theta = unit_directions(100, 3).float()
    x.requires_grad_()
    before = projected_costs(x, y, theta).mean()
    before.backward()
    after = projected_costs(x.detach() - 10 * x.grad, y, theta).mean()
    assert after < 0.8 * before


def test_bad_input_is_named():
    x = torch.zeros(4, 2)
    for call, message in (
        (lambda: sliced_wasserstein(x, torch.full((4, 2), math.inf)), "sliced Wasserstein distance: .*NaN or Inf"),
        (lambda: sliced_wasserstein(x, torch.zeros(4, 3)), "equal dimension"),
        (lambda: sliced_wasserstein(x, torch.zeros(0, 2)), "at least 1"),
        (lambda: sliced_wasserstein(x, x, p=3), "must be 1 or 2"),
        (lambda: sliced_wasserstein(x, x, directions=0), "directions=0"),
        (lambda: SlicedWassersteinDistance(Identity(), p=0), "must be 1 or 2"),
        (lambda: SlicedWassersteinDistance(Identity(), directions=2.5), "directions=2.5"),
    ):
        with pytest.raises(UserError, match=message):
            call()


@pytest.mark.parametrize("p", [1, 2])
def test_the_metric_measures_features(p):
    metric = SlicedWassersteinDistance(Identity(), p=p, directions=50)
    x, y = torch.randn(30, 2), torch.randn(20, 2)
    real, fake = metric.features.encode(x), metric.features.encode(y)
    assert metric.measure(real, fake) == {f"sw{p}": Value(sliced_wasserstein(x, y, p, 50))}
    assert metric.name == f"sw{p}"
    assert metric.details(real, fake) == {"error_over_directions": error_over_directions(x, y, p, 50)}
