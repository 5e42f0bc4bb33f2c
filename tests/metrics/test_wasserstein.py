import math

import numpy as np
import ot
import pytest
import scipy.stats
import torch

from gan_cli.data.base import Data
from gan_cli.data.points.toy import Points, parallel_lines
from gan_cli.errors import UserError
from gan_cli.metrics.base import Value
from gan_cli.metrics.features.base import Features
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.points.wasserstein import WassersteinDistance, transport_cost_1d, wasserstein

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_a_shift_costs_its_length(d, p):
    x, t = torch.randn(100, d, dtype=torch.float64), torch.randn(d, dtype=torch.float64)
    assert wasserstein(x, x + t, p) == pytest.approx(t.norm().item(), rel=1e-12)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_agrees_with_pots_earth_movers_distance(d, p):
    x, y = torch.randn(80, d, dtype=torch.float64), torch.rand(80, d, dtype=torch.float64) * 3
    cost = ot.dist(x.numpy(), y.numpy(), metric="euclidean") ** p
    weights = np.full(80, 1 / 80)
    assert wasserstein(x, y, p) == pytest.approx(ot.emd2(weights, weights, cost) ** (1 / p), rel=1e-9)


def test_between_scaled_samples_w2_is_known():
    # x -> a·x is the gradient of a convex function, hence optimal: W₂² = (a − 1)² E‖x‖².
    x = torch.randn(100, 3, dtype=torch.float64)
    assert wasserstein(x, 2.5 * x, 2) == pytest.approx(1.5 * x.square().sum(1).mean().sqrt().item(), rel=1e-12)


def test_parallel_lines_with_the_same_heights():
    z = torch.rand(200, 1)
    for theta in (-1.0, 0.0, 0.25):
        real, fake = torch.cat([torch.zeros_like(z), z], 1), torch.cat([torch.full_like(z, theta), z], 1)
        assert wasserstein(real, fake) == pytest.approx(abs(theta), abs=1e-12)


def test_parallel_lines_of_independent_samples_have_a_floor():
    def line(theta, seed):
        return parallel_lines(n=500, n_heldout=1, seed=seed, theta=theta).train.x

    floors = [wasserstein(line(0, seed), line(0, seed + 10)) for seed in range(5)]
    assert 0.005 < np.mean(floors) < 0.04
    for floor, seed in zip(floors, range(5), strict=True):
        distance = wasserstein(line(0, seed), line(0.5, seed + 10))
        assert (
            0.5 < distance < math.hypot(0.5, floor) + floor
        )  # at least the distance of the lines, at most that plus the floor


@pytest.mark.parametrize("p", [1, 2])
def test_sorting_and_assignment_agree(p):
    x, y = torch.randn(100, 1), torch.randn(100, 1) ** 2
    on_a_line = [torch.cat([s, torch.zeros_like(s)], 1) for s in (x, y)]
    assert wasserstein(*on_a_line, p) == pytest.approx(wasserstein(x, y, p), rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(200, 200), (200, 70), (6, 4), (1, 5)])
def test_on_the_line_sizes_may_differ_as_in_scipy_and_pot(n, m):
    x, y = torch.randn(n, 1, dtype=torch.float64), torch.rand(m, 1, dtype=torch.float64)
    assert wasserstein(x, y) == pytest.approx(scipy.stats.wasserstein_distance(x[:, 0], y[:, 0]), rel=1e-9)
    assert wasserstein(x, y, 2) == pytest.approx(ot.wasserstein_1d(x[:, 0].numpy(), y[:, 0].numpy(), p=2) ** 0.5, rel=1e-9)


@pytest.mark.parametrize("m", [7, 5])
def test_the_cost_on_a_line_is_differentiable(m):
    x = torch.randn(3, 7, dtype=torch.float64, requires_grad=True)
    y = torch.randn(3, m, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, y: transport_cost_1d(x, y, 2), (x, y))


def test_it_is_symmetric_and_ignores_the_order_of_samples():
    x, y = torch.randn(50, 2), torch.randn(50, 2) + 1
    assert wasserstein(x[torch.randperm(50)], y[torch.randperm(50)]) == pytest.approx(wasserstein(x, y), rel=1e-12)
    assert wasserstein(y, x) == pytest.approx(wasserstein(x, y), rel=1e-12)
    assert wasserstein(x, x[torch.randperm(50)]) == 0


def test_a_collapsed_set_costs_the_mean_distance():
    x, y = torch.randn(50, 2, dtype=torch.float64), torch.ones(50, 2, dtype=torch.float64)
    assert wasserstein(x, y) == pytest.approx((x - 1).norm(dim=1).mean().item(), rel=1e-12)
    assert wasserstein(x, y, 2) == pytest.approx((x - 1).square().sum(1).mean().sqrt().item(), rel=1e-12)


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (torch.zeros(4, 2), torch.zeros(5, 2), "sets of equal size and got 4 and 5"),
        (torch.zeros(4, 2), torch.zeros(4, 3), "equal dimension"),
        (torch.zeros(4), torch.zeros(4), "equal dimension"),
        (torch.zeros(0, 2), torch.zeros(0, 2), "at least 1"),
        (torch.zeros(4, 2), torch.full((4, 2), math.nan), "NaN or Inf"),
        (torch.zeros(5001, 2), torch.zeros(5001, 2), "metric=sliced_wasserstein"),
    ],
)
def test_bad_input_is_named(real, fake, message):
    with pytest.raises(UserError, match=message):
        wasserstein(real, fake)


@pytest.mark.parametrize("p", [0, 3, 1.5, True, "one"])
def test_other_orders_are_refused(p):
    with pytest.raises(UserError, match="must be 1 or 2"):
        wasserstein(torch.zeros(4, 2), torch.zeros(4, 2), p)
    with pytest.raises(UserError, match=f"p={p!r}"):
        WassersteinDistance(Identity(), p=p)


def test_too_many_samples_are_refused_before_any_work():
    line, plane = (Data(Points(torch.zeros(9, d)), Points(torch.zeros(9, d))) for d in (1, 2))
    metric = WassersteinDistance(Identity(), n_samples=5001)
    with pytest.raises(UserError, match="5001 samples"):
        metric.fitted(plane, CPU)
    assert metric.fitted(line, CPU) == metric  # sorting has no limit


def test_the_name_contains_order_and_features():
    class Halves(Features):
        name = "halves"

        def __call__(self, x):
            return x / 2, None

    x = torch.randn(20, 2, dtype=torch.float64)
    for p in (1, 2):
        plain, halved = WassersteinDistance(Identity(), p=p), WassersteinDistance(Halves(), p=p)
        assert (plain.name, halved.name) == (f"w{p}", f"w{p}_halves")
        real, fake = (halved.features.encode(s) for s in (x, x + 1))
        assert halved.measure(real, fake) == {f"w{p}_halves": Value(pytest.approx(0.5**0.5))}
    assert WassersteinDistance.equal_sizes
    assert WassersteinDistance(Identity(), p=2).settings() == {"p": 2}
