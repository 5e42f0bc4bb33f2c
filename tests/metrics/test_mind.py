import math

import ot
import pytest
import torch

from gan_cli.errors import UserError
from gan_cli.metrics.base import Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.images.mind import MIND, _quantile_means, monge_distance
from gan_cli.metrics.points.sliced_wasserstein import sliced_wasserstein, unit_directions


def gaussian(n, d, seed, mean=0.0, deviation=1.0):
    return mean + deviation * torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_shift_has_three_times_its_squared_length():
    x, t = gaussian(50, 4, 0), torch.tensor([1.0, 0, -2, 0.5])
    cosines = unit_directions(5_000, 4) @ t.double()
    assert monge_distance(x, x + t, 5_000).value == pytest.approx(3 * 4 * cosines.square().mean().item(), rel=1e-9)
    assert monge_distance(x, x + t, 5_000).value == pytest.approx(3 * t.square().sum().item(), rel=0.05)
    assert monge_distance(x[:, :1], x[:, :1] + 2).value == pytest.approx(3 * 4)  # one direction in one dimension


def test_a_scale_in_one_dimension():
    x = gaussian(60, 1, 0)
    assert monge_distance(x, 3 * x).value == pytest.approx(3 * (2 * x).square().mean().item(), rel=1e-9)


@pytest.mark.parametrize("m", [120, 75])
def test_agrees_with_pot_on_the_same_directions(m):
    x, y = gaussian(120, 8, 0), gaussian(m, 8, 1, 0.3, 1.2)
    theta = unit_directions(200, 8)
    sw2 = ot.sliced.sliced_wasserstein_distance(x.numpy(), y.numpy(), projections=theta.T.numpy())
    assert monge_distance(x, y, 200).value == pytest.approx(3 * 8 * sw2**2, rel=1e-9)
    assert monge_distance(x, y, 200).value == pytest.approx(24 * sliced_wasserstein(x, y, 2, 200) ** 2, rel=1e-9)


def test_single_precision_is_enough():
    x, y = gaussian(400, 300, 0, 5.0).relu(), gaussian(400, 300, 1, 5.0, 1.1).relu()
    single, double = monge_distance(x.float(), y.float(), 100), monge_distance(x, y, 100)
    assert single == pytest.approx(double, rel=1e-4)


def test_the_means_of_a_quantile_function():
    x = torch.tensor([[0.0, 1.0, 2.0, 3.0]])
    assert _quantile_means(x, 2).tolist() == [[0.5, 2.5]]
    assert _quantile_means(x, 4).tolist() == x.tolist()
    assert _quantile_means(x, 8).tolist() == x.repeat_interleave(2, dim=1).tolist()
    assert _quantile_means(x, 3)[0].tolist() == pytest.approx([0.25, 1.5, 2.75])


def test_the_error_in_one_dimension_is_that_of_the_potential():
    """For y = 3x the map to the real samples is T(y) = y/3, so that ψ(y) = (2/3) y² up to a constant."""
    x = gaussian(2000, 1, 0).sort(0).values
    expected = 3 * 2 / 3 * (3 * x).square().std().item() / 2000**0.5
    assert monge_distance(x, 3 * x).error == pytest.approx(expected, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m", "shift"), [(200, 200, 0.0), (200, 200, 0.3), (150, 220, 0.3)])
def test_the_error_is_the_scatter_over_generated_samples(n, m, shift):
    real = gaussian(n, 4, 0)
    found = [monge_distance(real, gaussian(m, 4, 1 + seed, shift), 32) for seed in range(60)]
    values, errors = (torch.tensor(column) for column in zip(*found, strict=True))
    assert 0.75 < errors.square().mean().sqrt() / values.std() < 1.35


def test_the_metric_measures_features():
    x, y = gaussian(40, 3, 0), gaussian(30, 3, 1)
    metric = MIND(Identity(), directions=20)
    assert metric.measure(Encoded(x, x), Encoded(y, y)) == {"mind": Value(*monge_distance(x, y, 20), False)}
    assert metric.settings() == {"directions": 20}


def test_bad_input_is_named():
    with pytest.raises(UserError, match="directions=0"):
        MIND(Identity(), directions=0)
    with pytest.raises(UserError, match=r"MIND: .*\[5, 3\].*\[5, 4\]"):
        monge_distance(torch.zeros(5, 3), torch.zeros(5, 4))
    with pytest.raises(UserError, match=r"MIND: .*NaN or Inf"):
        monge_distance(torch.zeros(5, 3), torch.full((5, 3), math.nan))
