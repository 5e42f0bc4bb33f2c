import math

import numpy as np
import pytest
import scipy.linalg
import torch

from gan_cli.errors import UserError
from gan_cli.metrics.features import Identity
from gan_cli.metrics.frechet import Frechet, frechet_distance


def gaussian(n, d, seed):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def with_moments(n, mean, deviation, seed=0):
    """A sample whose empirical mean is exactly ``mean`` and whose covariance is exactly diag(deviation²)."""
    x = gaussian(n, len(mean), seed)
    x = x - x.mean(0)
    white = x @ torch.linalg.inv(torch.linalg.cholesky(x.T.cov())).T if len(mean) > 1 else x / x.std(0)
    return white * white.new_tensor(deviation) + white.new_tensor(mean)


def correlated(n, d, seed):
    return gaussian(n, d, seed) @ gaussian(d, d, seed + 100) / d**0.5 + gaussian(1, d, seed + 200)


def test_in_one_dimension_it_is_the_distance_of_means_and_deviations():
    x, y = with_moments(50, [0.3], [1.5], 0), with_moments(80, [-1.0], [0.2], 1)
    assert frechet_distance(x, y) == pytest.approx((0.3 + 1.0) ** 2 + (1.5 - 0.2) ** 2, rel=1e-12)


def test_diagonal_gaussians():
    mean_x, deviation_x = [0.0, 1.0, -2.0], [1.0, 0.5, 3.0]
    mean_y, deviation_y = [1.0, 1.5, 0.0], [2.0, 0.1, 3.5]
    x, y = with_moments(40, mean_x, deviation_x, 0), with_moments(70, mean_y, deviation_y, 1)
    expected = sum((a - b) ** 2 for a, b in zip(mean_x + deviation_x, mean_y + deviation_y, strict=True))
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(60, 5), (20, 50)])
def test_equal_covariances_leave_the_distance_of_the_means(n, d):
    x, shift = correlated(n, d, 0), gaussian(1, d, 1)
    assert frechet_distance(x, x.flip(0) + shift) == pytest.approx(shift.square().sum().item(), rel=1e-10)


@pytest.mark.parametrize(("n", "d"), [(60, 5), (20, 50), (2, 3), (10, 10)])
def test_identical_sets_are_at_distance_zero_and_it_is_never_negative(n, d):
    for seed in range(10):
        x = correlated(n, d, seed)
        assert 0 <= frechet_distance(x, x) <= 1e-12 * x.square().sum().item()


def test_a_collapsed_set_has_no_covariance():
    x, y = correlated(60, 5, 0), torch.zeros(30, 5)
    expected = x.mean(0).square().sum() + x.var(0).sum()
    assert frechet_distance(x, y) == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(40, 25), (200, 25), (200, 100)])
def test_agrees_with_the_matrix_square_root(n, m):
    x, y = correlated(n, 24, 0), correlated(m, 24, 1)
    S1, S2 = x.T.cov().numpy(), y.T.cov().numpy()
    trace = np.trace(S1 + S2 - 2 * np.real(scipy.linalg.sqrtm(S1 @ S2)))
    expected = (x.mean(0) - y.mean(0)).square().sum().item() + trace
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(("n", "m"), [(30, 50), (30, 20)])
def test_fewer_samples_than_dimensions_is_no_other_distance(n, m):
    x, y = correlated(n, 10, 0), correlated(m, 10, 1)
    wide_x, wide_y = (torch.cat([s, torch.full((len(s), 60), 7.0)], 1) for s in (x, y))  # constants: nothing to add
    expected = frechet_distance(x, y)
    assert frechet_distance(wide_x, wide_y) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("n", "m", "d"), [(40, 60, 8), (20, 12, 30), (50, 12, 30)])
def test_symmetric_and_invariant_under_isometries(n, m, d):
    x, y = correlated(n, d, 0), correlated(m, d, 1)
    Q, _ = torch.linalg.qr(gaussian(d, d, 3))
    expected = frechet_distance(x, y)
    assert expected > 0
    assert frechet_distance(y, x) == pytest.approx(expected, rel=1e-10)
    assert frechet_distance(x @ Q + 5, y @ Q + 5) == pytest.approx(expected, rel=1e-10)
    assert frechet_distance(3 * x, 3 * y) == pytest.approx(9 * expected, rel=1e-10)


def test_float32_features_far_from_the_origin_keep_their_digits():
    x, y = with_moments(500, [1000.0], [1.0], 0).float(), with_moments(500, [1000.0], [2.0], 1).float()
    assert frechet_distance(x, y) == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (torch.zeros(1, 3), torch.zeros(5, 3), "at least 2 real samples and got 1"),
        (torch.zeros(5, 3), torch.zeros(0, 3), "at least 2 generated samples and got 0"),
        (torch.zeros(5, 3), torch.zeros(5, 4), "real features have 3 dimensions, generated ones 4"),
        (torch.zeros(5, 3), torch.full((5, 3), math.nan), "generated features hold NaN or Inf"),
        (torch.full((5, 3), math.inf), torch.zeros(5, 3), "real features hold NaN or Inf"),
    ],
)
def test_bad_input_is_named(real, fake, message):
    with pytest.raises(UserError, match=message):
        frechet_distance(real, fake)


def test_the_metric_measures_features():
    metric = Frechet(Identity())
    x, y = torch.randn(20, 1, 2, 2), torch.randn(30, 1, 2, 2)
    assert metric.name == "fd_identity"
    assert metric(metric.reference(x), y) == frechet_distance(x.flatten(1), y.flatten(1))
