import json
import math

import pytest
import torch

from gan_cli.data.base import Data, Subset
from gan_cli.data.points.toy import Points, gaussians_1d, grid25, ring, swiss_roll
from gan_cli.errors import UserError
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.points.modes import ModeCoverage, mixture_of, mode_coverage, mode_table, uniform_noise

CPU = torch.device("cpu")
IN_THE_PLANE = 1 - math.exp(-4.5)  # P(χ²₂ ≤ 9)
TWO = torch.tensor([[0.0, 0.0], [10.0, 0.0]])


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def grid(n=2500, seed=0):
    return grid25(n=n, n_heldout=2500, seed=seed)


def points_at(*xs):
    return torch.tensor([[x, 0.0] for x in xs])


def test_samples_are_counted_within_three_deviations():
    coverage = mode_coverage(points_at(0, 2.9, 3.1, -2.9, 5), TWO, 1.0)
    assert (coverage.modes, coverage.high_quality, coverage.counts.tolist()) == (1, 0.6, [3, 0])
    h = IN_THE_PLANE
    assert coverage.reverse_kl == pytest.approx(0.6 * math.log(0.6 / (h / 2)) + 0.4 * math.log(0.4 / (1 - h)))


def test_real_samples_have_the_scores_of_the_distribution():
    data = grid(100_000)
    coverage = mode_coverage(data.train.x, data.train.centers, data.train.std)
    assert coverage.modes == 25
    assert coverage.high_quality == pytest.approx(0.9889, abs=0.001)
    assert coverage.spread == pytest.approx(1, abs=0.005)
    assert 0 < coverage.reverse_kl < 3 * 25 / (2 * 100_000)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_spread_measures_the_deviation_in_any_dimension(d):
    x = torch.randn(50_000, d, dtype=torch.float64)
    assert mode_coverage(x, torch.zeros(1, d), 1.0).spread == pytest.approx(1, abs=0.01)
    # Far inside the radius nothing is cut off, so the ratio is that of the deviations, up to the correction.
    halves, quarters = (mode_coverage(scale * x, torch.zeros(1, d), 1.0).spread for scale in (0.5, 0.25))
    assert halves == pytest.approx(2 * quarters, rel=1e-3)


def test_spread_in_closed_form():
    h = IN_THE_PLANE
    expected_square = 2 * (1 - math.exp(-4.5) * (1 + 4.5)) / h  # E r² below 3 for r² ~ χ²₂
    on_a_circle = mode_coverage(points_at(2.0, -2.0, 12.0), TWO, 1.0)
    assert on_a_circle.spread == pytest.approx(2 / math.sqrt(expected_square), rel=1e-12)
    assert mode_coverage(TWO, TWO, 1.0).spread == 0
    assert math.isnan(mode_coverage(points_at(5.0), TWO, 1.0).spread)
    disc = uniform_noise(400_000, torch.zeros(1, 2), 1.0)
    assert mode_coverage(disc, torch.zeros(1, 2), 1.0).spread == pytest.approx(math.sqrt(4.5 / expected_square), abs=0.01)


def test_noise_reaches_most_modes_with_little_quality():
    centers, std = grid().train.centers, 0.05
    expected_share = 25 * math.pi * (3 * std) ** 2 / (8 + 6 * std) ** 2
    noise = uniform_noise(400_000, centers, std)
    assert noise.abs().max() <= 4.15
    many = mode_coverage(noise, centers, std)
    assert many.high_quality == pytest.approx(expected_share, abs=0.001)
    coverage = mode_coverage(uniform_noise(2500, centers, std), centers, std)
    assert 20 <= coverage.modes <= 25
    assert coverage.high_quality == pytest.approx(0.025, abs=0.01)
    assert coverage.reverse_kl > 3


def test_neither_noise_nor_a_collapse_makes_the_reverse_kl_small():
    data = grid()
    centers, std, x, y = data.train.centers, data.train.std, data.train.x, data.train.y

    def reverse_kl(samples):
        return mode_coverage(samples, centers, std).reverse_kl

    few_missing, half_missing = reverse_kl(x[y > 1]), reverse_kl(x[y > 12])
    assert reverse_kl(x) < 0.02 < few_missing < half_missing < reverse_kl(uniform_noise(2500, centers, std))
    assert few_missing == pytest.approx(math.log(25 / 23), abs=0.02)
    assert reverse_kl(centers[:1].expand(100, 2)) == pytest.approx(math.log(25 / IN_THE_PLANE))
    assert reverse_kl(x) < reverse_kl(centers[y])  # without spread no sample lies outside


def test_other_weights():
    samples = points_at(0, 0, 0, 10)
    w = [0.75, 0.25]
    assert mode_coverage(samples, TWO, 1.0, w).reverse_kl == pytest.approx(-math.log(IN_THE_PLANE))
    assert mode_coverage(samples, TWO, 1.0).reverse_kl > 0.1
    assert mode_coverage(samples, TWO, 1.0, [1.0, 0.0]).reverse_kl == math.inf


def test_every_table_has_rows_for_the_data_and_for_noise():
    data = grid()
    table = mode_table(data.train.centers, data.heldout.x, data.train.centers, data.train.std)
    assert list(table) == ["generated", "data", "uniform noise"]
    assert table["generated"].high_quality == 1
    assert table["data"].high_quality == pytest.approx(0.9889, abs=0.008)
    noise = mode_coverage(uniform_noise(25, data.train.centers, 0.05), data.train.centers, 0.05)
    assert table["uniform noise"].high_quality == noise.high_quality


def test_noise_is_reproducible_without_default_random_streams():
    state = torch.random.get_rng_state()
    assert torch.equal(uniform_noise(10, TWO, 1.0), uniform_noise(20, TWO, 1.0)[:10])
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("law", [ring, grid25, gaussians_1d])
def test_the_metric_knows_the_modes_of_its_data(law):
    data = law(n=2500, n_heldout=2500)
    metric = ModeCoverage(Identity()).fitted(data, CPU)
    real, fake = metric.features.encode(data.train.x), metric.features.encode(data.heldout.x)
    numbers = metric.measure(real, fake)
    K = data.classes
    assert list(numbers) == ["reverse_kl", "modes", "high_quality", "spread"]
    assert metric.name == "reverse_kl"
    assert numbers["modes"].value == K
    assert numbers["reverse_kl"].value < 5 * K / 2500
    assert numbers["spread"].value == pytest.approx(1, abs=0.05)
    h, error, _ = numbers["high_quality"]
    assert error == pytest.approx((h * (1 - h) / 2500) ** 0.5)
    assert not numbers["reverse_kl"].higher_is_better
    details = json.loads(json.dumps(metric.details(real, fake)))
    assert details["modes_of_data"] == K
    assert [row["samples"] for row in details["table"]] == ["generated", "data", "uniform noise"]
    assert details["table"][0]["high_quality"] == h
    assert sum(details["table"][0]["counts"]) == round(2500 * h)
    assert metric.settings() == {}


def test_modes_of_a_subset_have_the_weights_of_the_subset():
    whole = ring(n=2000, n_heldout=10)
    last = (whole.train.y > 5).nonzero()[:, 0]
    part = Subset(Subset(whole.train, last), torch.arange(len(last)))
    mixture = mixture_of(part)
    assert torch.equal(mixture.centers, whole.train.centers)
    assert mixture.std == 0.01
    torch.testing.assert_close(mixture.weights, torch.bincount(whole.train.y[last], minlength=8).double() / len(last))
    metric = ModeCoverage(Identity()).fitted(Data(part, whole.heldout), CPU)
    encoded = metric.features.encode(part.batch(torch.arange(len(part))).x)
    assert metric.measure(encoded, encoded)["reverse_kl"].value < 0.02


@pytest.mark.parametrize("data", [swiss_roll(n=9, n_heldout=9), ring(n=9, n_heldout=9, std=0.0)])
def test_data_without_modes_are_refused(data):
    with pytest.raises(UserError, match="ring, grid25 or gaussians_1d"):
        ModeCoverage(Identity()).fitted(data, CPU)
    with pytest.raises(UserError, match="ring, grid25 or gaussians_1d"):
        mixture_of(Subset(data.train, torch.arange(3)))


def test_bad_input_is_named():
    for call, message in (
        (lambda: mode_coverage(points_at(math.nan), TWO, 1.0), "mode coverage: .*NaN or Inf"),
        (lambda: mode_coverage(torch.zeros(4, 3), TWO, 1.0), "equal dimension"),
        (lambda: mode_coverage(torch.zeros(0, 2), TWO, 1.0), "at least 1"),
        (lambda: mode_coverage(TWO, TWO, 0.0), "above 0 and is 0.0"),
        (lambda: mode_coverage(TWO, TWO, 1.0, [0.5, 0.2, 0.3]), "same points"),
        (lambda: ModeCoverage(Identity()).measure(*[Identity().encode(TWO)] * 2), "fitted"),
        (lambda: Points(TWO) and mixture_of(Points(TWO)), "metric=modes"),
    ):
        with pytest.raises(UserError, match=message):
            call()
