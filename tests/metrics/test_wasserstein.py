import math

import pytest
import scipy.stats
import torch

from gan_cli.errors import UserError
from gan_cli.metrics.features import Features, Identity
from gan_cli.metrics.wasserstein import Wasserstein, wasserstein1


@pytest.mark.parametrize("d", [1, 2, 5])
def test_a_shift_costs_its_length(d):
    x, t = torch.randn(100, d, dtype=torch.float64), torch.randn(d, dtype=torch.float64)
    assert wasserstein1(x, x + t) == pytest.approx(t.norm().item(), rel=1e-12)


def test_parallel_lines():
    z = torch.rand(200, 1)
    for theta in (-1.0, 0.0, 0.25):
        real, fake = torch.cat([torch.zeros_like(z), z], 1), torch.cat([torch.full_like(z, theta), z], 1)
        assert wasserstein1(real, fake) == pytest.approx(abs(theta), abs=1e-12)


def test_in_one_dimension_it_is_scipys():
    x, y = torch.randn(200, 1), torch.rand(200, 1)
    assert wasserstein1(x, y) == pytest.approx(scipy.stats.wasserstein_distance(x[:, 0], y[:, 0]), rel=1e-6)


def test_sorting_and_assignment_agree():
    x, y = torch.randn(100, 1), torch.randn(100, 1) ** 2
    on_a_line = [torch.cat([s, torch.zeros_like(s)], 1) for s in (x, y)]
    assert wasserstein1(*on_a_line) == pytest.approx(wasserstein1(x, y), rel=1e-12)


def test_the_order_of_samples_does_not_matter_nor_which_come_first():
    x, y = torch.randn(50, 2), torch.randn(50, 2) + 1
    assert wasserstein1(x[torch.randperm(50)], y[torch.randperm(50)]) == pytest.approx(wasserstein1(x, y), rel=1e-12)
    assert wasserstein1(y, x) == pytest.approx(wasserstein1(x, y), rel=1e-12)
    assert wasserstein1(x, x[torch.randperm(50)]) == 0


def test_a_collapsed_set_costs_the_mean_distance():
    x, y = torch.randn(50, 2, dtype=torch.float64), torch.ones(50, 2, dtype=torch.float64)
    assert wasserstein1(x, y) == pytest.approx((x - 1).norm(dim=1).mean().item(), rel=1e-12)


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (torch.zeros(4, 2), torch.zeros(5, 2), "as many generated as real samples"),
        (torch.zeros(4, 2), torch.zeros(4, 3), "equal dimension"),
        (torch.zeros(0, 2), torch.zeros(0, 2), "at least 1"),
        (torch.zeros(4, 2), torch.full((4, 2), math.nan), "NaN or Inf"),
    ],
)
def test_bad_input_is_named(real, fake, message):
    with pytest.raises(UserError, match=message):
        wasserstein1(real, fake)


def test_its_name_says_where_it_is_measured():
    class Halves(Features):
        name = "halves"

        def __call__(self, x):
            return x / 2

    x = torch.randn(20, 2, dtype=torch.float64)
    plain, halved = Wasserstein(Identity()), Wasserstein(Halves())
    assert (plain.name, halved.name) == ("w1", "w1_halves")
    assert halved(halved.reference(x), x + 1) == pytest.approx(plain(plain.reference(x), x + 1) / 2)
