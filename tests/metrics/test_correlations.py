import pytest
import torch

from gan_cli.data.base import seeded_generator
from gan_cli.data.sequences.processes import ar1
from gan_cli.errors import UserError
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.sequences.correlations import (
    Correlations,
    autocorrelation_distance,
    cross_correlation_distance,
    lagged_correlations,
)
from gan_cli.metrics.sequences.marginals import Marginals, marginal_distances


def encoded(x):
    return Identity().encode(x)


def noise(*shape):
    return torch.rand(*shape, generator=seeded_generator("noise"))


@pytest.mark.parametrize(("phi", "sigma"), [(0.8, 0.8), (-0.5, 0.3), (0.0, 0.0)])
def test_an_autoregressive_process_has_its_known_correlations(phi, sigma):
    data = ar1(n=4000, n_heldout=10, window=12, features=3, phi=phi, sigma=sigma)
    c = lagged_correlations(data.train.batch(torch.arange(4000)).x, 4)
    k, eye = torch.arange(5.0, dtype=torch.float64), torch.eye(3, dtype=torch.float64)
    expected = phi ** k[:, None, None] * (eye + sigma * (1 - eye))
    assert (c - expected).abs().max() < 0.03


def test_lags_and_leads_are_distinguished():
    x = noise(500, 6, 1)
    later = torch.cat([x[:, 1:], noise(500, 1, 1)], 1)  # what the first feature will be one step later
    c = lagged_correlations(torch.cat([x, later], 2), 1)
    assert c[1, 1, 0] == pytest.approx(1)
    assert max(abs(c[1, 0, 1]), abs(c[0, 0, 1])) < 0.1


def test_correlations_ignore_units_and_a_constant_feature_has_correlation_0():
    x = noise(50, 8, 3)
    c = lagged_correlations(x, 3)
    assert c[0].diagonal().tolist() == pytest.approx([1, 1, 1])
    assert torch.allclose(lagged_correlations(x * torch.tensor([3.0, 100.0, 0.1]) + 7, 3), c, atol=1e-4)
    x[..., 1] = 0.3
    still = lagged_correlations(x, 3)
    assert (still[:, 1] == 0).all()
    assert (still[:, :, 1] == 0).all()
    assert torch.allclose(still[:, 0, 2], c[:, 0, 2])


def test_distances_between_correlations():
    x = noise(50, 8, 2)
    x[..., 1] += x[..., 0]
    mirrored = x * torch.tensor([1.0, -1.0])
    a, b = lagged_correlations(x, 2), lagged_correlations(mirrored, 2)
    assert autocorrelation_distance(a, b) == pytest.approx(0, abs=1e-6)
    off = torch.stack([a[:, 0, 1], a[:, 1, 0]])
    assert cross_correlation_distance(a, b) == pytest.approx(float(2 * off.abs().mean()), abs=1e-6)
    shuffled = x[:, torch.randperm(8, generator=seeded_generator("order"))]
    assert autocorrelation_distance(a, lagged_correlations(shuffled, 2)) > 0.01


def test_the_metric_of_equal_samples_is_0_and_of_one_feature_has_no_cross_correlation():
    x = noise(30, 5, 2)
    metric = Correlations(Identity())
    values = metric.with_errors(encoded(x), encoded(x))
    assert {name: value.value for name, value in values.items()} == {"autocorrelation": 0, "cross_correlation": 0}
    assert all(value.error is not None for value in values.values())
    assert list(metric.measure(encoded(x[..., :1]), encoded(x[..., :1]))) == ["autocorrelation"]
    details = metric.details(encoded(x), encoded(x))
    assert [len(details["real"]), len(details["fake"][0])] == [2, 4], "5 steps have 4 lags"


def test_sequences_without_lags_are_refused():
    x = encoded(noise(9, 1, 2))
    with pytest.raises(UserError, match="one step have no lag"):
        Correlations(Identity()).measure(x, x)
    with pytest.raises(UserError, match="lags=4: sequences of 4 steps have lags from 0 to 3"):
        lagged_correlations(noise(9, 4, 2), 4)
    with pytest.raises(UserError, match=r"lags=0"):
        Correlations(Identity(), lags=0)


def test_marginal_distances_measure_shifts_and_ignore_order():
    x = noise(40, 6, 3)
    shift = torch.tensor([0.0, 0.25, -0.5])
    moved = (x + shift)[torch.randperm(40, generator=seeded_generator("rows"))].flip(1)
    assert marginal_distances(x, moved).tolist() == pytest.approx([0, 0.25, 0.5], abs=1e-6)
    metric = Marginals(Identity())
    values = metric.measure(encoded(x), encoded(moved))
    assert [value.value for value in values.values()] == pytest.approx([0.25, 0.5], abs=1e-6)
    assert metric.details(encoded(x), encoded(moved))["per_feature"] == pytest.approx([0, 0.25, 0.5], abs=1e-6)


def test_sets_of_different_shapes_are_refused():
    x = noise(9, 4, 2)
    broken = x.clone()
    broken[0, 0, 0] = torch.nan
    metric = Marginals(Identity())
    with pytest.raises(
        UserError, match=r"marginal_w1: needs sequences \[N, T, F\] of one shape and got \[9, 4, 2\], \[9, 4, 1\]"
    ):
        metric.measure(encoded(x), encoded(x[..., :1]))
    with pytest.raises(UserError, match="NaN or Inf"):
        metric.measure(encoded(x), encoded(broken))
