import math

import pytest
import torch
from scipy.stats import linregress

from gan_cli.data.base import seeded_generator
from gan_cli.errors import UserError
from gan_cli.metrics.base import Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.images.frechet import frechet_distance
from gan_cli.metrics.images.frechet_infinity import (
    FrechetInfinity,
    extrapolation_weights,
    frechet_infinity,
    subset_sizes,
)


def gaussian(n, d, seed, mean=0.0):
    return mean + torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_sizes_are_evenly_spaced_from_a_tenth_on():
    assert subset_sizes(2000, 15)[[0, 7, -1]].tolist() == [200, 1100, 2000]
    assert subset_sizes(100_000, 15)[[0, -1]].tolist() == [5000, 100_000], "as published"


def test_the_weights_extrapolate_a_line_exactly():
    sizes = subset_sizes(500, 7)
    assert float(extrapolation_weights(sizes) @ (3 + 40 / sizes.double())) == pytest.approx(3)


@pytest.mark.parametrize(("n", "m", "d"), [(60, 50, 5), (40, 60, 45), (20, 40, 50)])
def test_it_is_the_intercept_of_a_regression(n, m, d):
    x, y = gaussian(n, d, 0), gaussian(m, d, 1, 0.3)
    g = seeded_generator("frechet infinity", m)
    sizes = subset_sizes(m, 6).tolist()
    distances = [frechet_distance(x, y[torch.randperm(m, generator=g)[:size]]) for size in sizes]
    expected = linregress([1 / size for size in sizes], distances).intercept
    assert frechet_infinity(x, y, 6).value == pytest.approx(expected, rel=1e-6)
    assert frechet_infinity(x.float(), y.float(), 6).value == pytest.approx(expected, rel=1e-3, abs=1e-3)


@pytest.mark.slow
def test_the_bias_of_few_generated_samples_is_removed_and_the_error_is_the_scatter():
    real, d = gaussian(2000, 4, 0), 4
    sets = [0.3 + 0.8 * gaussian(200, d, seed) for seed in range(1, 61)]
    values, errors = (torch.tensor(column) for column in zip(*(frechet_infinity(real, y) for y in sets), strict=True))
    expected = frechet_distance(real, 0.3 + 0.8 * gaussian(50_000, d, 99))
    biased = torch.tensor([frechet_distance(real, y) for y in sets])
    assert abs(values.mean() - expected) < 3 * values.std() / 60**0.5
    assert biased.mean() - expected > 4 * biased.std() / 60**0.5
    assert 0.75 < errors.square().mean().sqrt() / values.std() < 1.35


@pytest.mark.parametrize("d", [3, 80])
def test_the_error_follows_from_the_weights_of_the_samples(d):
    """A small change of the weight of one sample changes the distance by the sample's influence."""
    x, y = gaussian(60, d, 0), gaussian(50, d, 1, 0.5)
    leave_out = torch.tensor([frechet_distance(x, torch.cat([y[:j], y[j + 1 :]])) for j in range(50)])
    sizes, g = subset_sizes(50, 15), seeded_generator("frechet infinity", 50)
    shares = torch.zeros(15, 50, dtype=torch.float64)
    for k, size in enumerate(sizes.tolist()):
        shares[k, torch.randperm(50, generator=g)[:size]] = 1 / size
    spread = (49 * leave_out).var() * (extrapolation_weights(sizes) @ shares).square().sum()
    assert frechet_infinity(x, y).error == pytest.approx(spread.sqrt().item(), rel=0.1)


def test_the_metric_measures_features():
    x, y = gaussian(40, 3, 0), gaussian(30, 3, 1)
    metric = FrechetInfinity(Identity(), points=5)
    assert metric.measure(Encoded(x, x), Encoded(y, y)) == {"fd_infinity": Value(*frechet_infinity(x, y, 5), False)}
    assert metric.settings() == {"points": 5}
    assert metric.details(Encoded(x, x), Encoded(y, y)) == {"subset_sizes": [3, 9, 16, 23, 30]}


def test_bad_input_is_named():
    with pytest.raises(UserError, match="points=2"):
        FrechetInfinity(Identity(), points=2)
    with pytest.raises(UserError, match=r"number of generated samples=19: .* at least 20"):
        frechet_infinity(torch.zeros(30, 3), torch.zeros(19, 3))
    with pytest.raises(UserError, match="NaN or Inf"):
        frechet_infinity(torch.zeros(30, 3), torch.full((30, 3), math.nan))
