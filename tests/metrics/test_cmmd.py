import math

import pytest
import torch
from sklearn.metrics.pairwise import rbf_kernel

from gan_cli.errors import UserError
from gan_cli.metrics.base import Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.images.cmmd import CMMD, gaussian_mmd


def gaussian(n, d, seed, mean=0.0):
    return mean + torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("sigma", "scale"), [(10, 1000), (0.5, 1)])
def test_equals_the_definition_on_unit_vectors(sigma, scale):
    x, y = gaussian(300, 5, 0), gaussian(270, 5, 1, 0.5)  # two blocks of rows
    unit = [z / z.norm(dim=1, keepdim=True) for z in (x, y)]
    xx, yy, xy = (rbf_kernel(unit[a], unit[b], gamma=1 / (2 * sigma**2)).mean() for a, b in ((0, 0), (1, 1), (0, 1)))
    assert gaussian_mmd(x, y, sigma, scale).value == pytest.approx(scale * (xx + yy - 2 * xy), rel=1e-8)


def test_two_opposite_points():
    x = torch.tensor([[1.0, 0.0], [3.0, 0.0]])  # the lengths do not matter
    assert gaussian_mmd(x, -x).value == pytest.approx(1000 * (2 - 2 * math.exp(-4 / 200)), rel=1e-6)
    assert gaussian_mmd(x, x * 7).value == 0


def test_the_length_of_a_vector_does_not_matter():
    x, y = gaussian(50, 4, 0), gaussian(40, 4, 1)
    assert gaussian_mmd(3 * x, y / 7).value == pytest.approx(gaussian_mmd(x, y).value, rel=1e-9)


def test_it_is_nearly_ten_times_the_squared_distance_of_the_means():
    x, y = gaussian(200, 3, 0, 1.0), gaussian(200, 3, 1, -1.0)
    means = [(z / z.norm(dim=1, keepdim=True)).mean(0) for z in (x, y)]
    assert gaussian_mmd(x, y).value == pytest.approx(10 * (means[0] - means[1]).square().sum().item(), rel=0.05)


def test_single_precision_is_enough():
    x, y = gaussian(400, 300, 0).relu(), gaussian(400, 300, 1).relu()
    assert gaussian_mmd(x.float(), y.float()).value == pytest.approx(gaussian_mmd(x, y).value, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_the_error_is_the_scatter_over_generated_samples(shift):
    real = gaussian(200, 8, 0, 0.5)
    found = [gaussian_mmd(real, gaussian(200, 8, 1 + seed, 0.5 + shift)) for seed in range(60)]
    values, errors = (torch.tensor(column) for column in zip(*found, strict=True))
    assert 0.75 < errors.square().mean().sqrt() / values.std() < 1.35


def test_the_metric_measures_features():
    x, y = gaussian(40, 3, 0), gaussian(30, 3, 1)
    metric = CMMD(Identity(), sigma=2.0)
    assert metric.measure(Encoded(x, x), Encoded(y, y)) == {"cmmd": Value(*gaussian_mmd(x, y, 2.0), False)}
    assert metric.settings() == {"sigma": 2.0, "scale": 1000.0}


@pytest.mark.parametrize(("field", "value"), [("sigma", 0), ("scale", -1), ("sigma", "wide")])
def test_impossible_settings_are_refused(field, value):
    with pytest.raises(UserError, match=f"^{field}={value!r}"):
        gaussian_mmd(torch.zeros(5, 3), torch.zeros(5, 3), **{field: value})
    with pytest.raises(UserError, match=f"{field}={value!r}"):
        CMMD(Identity(), **{field: value})
    with pytest.raises(UserError, match="NaN or Inf"):
        gaussian_mmd(torch.zeros(5, 3), torch.full((5, 3), math.nan))
