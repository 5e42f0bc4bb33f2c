import math

import numpy as np
import pytest
import torch

from gan_cli.data.base import Data
from gan_cli.data.points.toy import Points, parallel_lines
from gan_cli.errors import UserError
from gan_cli.metrics.base import Value
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.points.discrete import js
from gan_cli.metrics.points.histogram import Histogram, histograms

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def measure(real, fake, **fields):
    metric = Histogram(Identity(), **fields)
    sets = metric.features.encode(real), metric.features.encode(fake)
    return {name: value.value for name, value in metric.measure(*sets).items()}, metric.details(*sets)


def test_cells_agree_with_numpy():
    x, y = torch.randn(500, 1, dtype=torch.float64), torch.randn(300, 1, dtype=torch.float64)
    p, q = histograms(x, y, 10)
    window = (x.min().item(), x.max().item())
    np.testing.assert_array_equal(p[:-1] * 500, np.histogram(x, 10, window)[0])
    np.testing.assert_allclose(q[:-1] * 300, np.histogram(y, 10, window)[0], rtol=1e-12)


def test_cells_in_the_plane_agree_with_numpy():
    x, y = torch.randn(500, 2, dtype=torch.float64), 0.5 * torch.randn(300, 2, dtype=torch.float64)
    p, q = histograms(x, y, 7)
    window = list(zip(x.min(0).values.tolist(), x.max(0).values.tolist(), strict=True))
    for shares, points in ((p, x), (q, y)):
        counts = np.histogram2d(*points.T.numpy(), 7, window)[0].flatten()
        np.testing.assert_allclose(shares[:-1] * len(points), counts, rtol=1e-12)


@pytest.mark.parametrize("d", [1, 2])
def test_no_mass_is_lost(d):
    x, y = torch.randn(100, d), 5 * torch.randn(80, d)
    p, q = histograms(x, y, 6)
    assert (len(p), len(q)) == (6**d + 1, 6**d + 1)
    assert p.sum().item() == pytest.approx(1)
    assert q.sum().item() == pytest.approx(1)
    outside = ((y < x.min(0).values) | (y > x.max(0).values)).any(1).double().mean()
    assert p[-1] == 0
    assert q[-1] == outside > 0


def test_two_coins():
    real, fake = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [0.7], [1.0], [0.8]])
    values, details = measure(real, fake, bins=2)
    assert values == {
        "js": pytest.approx(js([0.5, 0.5], [0.25, 0.75])),
        "kl_forward": pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3)),
        "kl_reverse": pytest.approx(0.25 * math.log(1 / 2) + 0.75 * math.log(3 / 2)),
        "tv": pytest.approx(0.25),
    }
    assert details == {"outside": 0, "filled_cells": 2}


@pytest.mark.parametrize("theta", [-1.0, 0.25])
def test_parallel_lines_share_no_cell(theta):
    real, fake = (parallel_lines(n=300, n_heldout=1, seed=s, theta=t).train.x for s, t in ((0, 0.0), (1, theta)))
    values, details = measure(real, fake)
    assert values == {"js": math.log(2), "kl_forward": math.inf, "kl_reverse": math.inf, "tv": 1}
    assert details["outside"] == 1


def test_samples_of_one_line_have_a_floor():
    real, fake = (parallel_lines(n=4000, n_heldout=1, seed=s).train.x for s in (0, 1))
    values, _ = measure(real, fake, bins=20)
    assert 0 < values["js"] < 3 * 19 / (4 * 4000)


def test_the_floor_of_js_follows_from_cells_and_cut_off_tails():
    values = [js(*histograms(torch.rand(500, 1), torch.rand(500, 1), 10)) for _ in range(200)]
    assert np.mean(values) == pytest.approx((9 / 4 + math.log(2)) / 500, rel=0.15)


def test_identical_samples_and_missing_cells():
    x = torch.randn(200, 2)
    values, _ = measure(x, x.flip(0))
    assert values == dict.fromkeys(["js", "kl_forward", "kl_reverse", "tv"], 0)
    values, _ = measure(x, x[:50])
    assert values["kl_forward"] == math.inf > values["kl_reverse"]


def test_units_do_not_matter():
    x, y = torch.randn(300, 2, dtype=torch.float64), torch.rand(300, 2, dtype=torch.float64)
    scale, shift = torch.tensor([100.0, -0.25]), torch.tensor([-64.0, 8.0])
    # A factor below 0 mirrors the cells, whose edges belong to the right: no sample but the extreme ones lies on an edge.
    assert measure(scale * x + shift, scale * y + shift)[0]["js"] == pytest.approx(measure(x, y)[0]["js"], rel=1e-9)


def test_the_metric_names_its_numbers_with_js_first():
    metric = Histogram(Identity(), bins=5)
    real, fake = (metric.features.encode(torch.randn(50, 1)) for _ in range(2))
    assert list(metric.measure(real, fake)) == ["js", "kl_forward", "kl_reverse", "tv"]
    assert all(isinstance(value, Value) and not value.higher_is_better for value in metric.measure(real, fake).values())
    assert metric.name == "js"


def test_bad_input_is_named():
    x = torch.zeros(4, 2)
    solid = Data(Points(torch.zeros(4, 3)), Points(torch.zeros(4, 3)))
    for call, message in (
        (lambda: histograms(x, torch.full((4, 2), math.nan), 5), "histogram: .*NaN or Inf"),
        (lambda: histograms(x, torch.zeros(4, 1), 5), "equal dimension"),
        (lambda: histograms(x, torch.zeros(0, 2), 5), "at least 1"),
        (lambda: histograms(x, x, 0), "bins=0"),
        (lambda: histograms(torch.zeros(4, 3), torch.zeros(4, 3), 5), "1 or 2 dimensions; these have 3"),
        (lambda: Histogram(Identity(), bins=0), "bins=0"),
        (lambda: Histogram(Identity()).fitted(solid, CPU), "metric=sliced_wasserstein"),
    ):
        with pytest.raises(UserError, match=message):
            call()
