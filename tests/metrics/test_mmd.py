import math

import pytest
import torch

from gan_cli.errors import UserError
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.points import mmd
from gan_cli.metrics.points.mmd import MMD, gaussian_kernel, median_distance, mmd2, mmd2_linear, squared_distances

SIGMAS = (0.5, 1.0, 3.0)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def gaussian(n, d, mean=0.0, deviation=1.0):
    return mean + deviation * torch.randn(n, d, dtype=torch.float64)


def between_gaussians(d, mean, deviation, sigmas):
    """MMD² between N(0, I) and N(mean·1, deviation² I): Gaussians convolved with Gaussians."""

    def expected(variance, square):
        return sum((s**2 / (s**2 + variance)) ** (d / 2) * math.exp(-square / 2 / (s**2 + variance)) for s in sigmas)

    return expected(2, 0) + expected(2 * deviation**2, 0) - 2 * expected(1 + deviation**2, d * mean**2)


def by_definition(x, y, sigmas):
    def k(a, b):
        return sum(math.exp(-(a - b).square().sum().item() / (2 * s**2)) for s in sigmas)

    n, m = len(x), len(y)
    within_x = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_y = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within_x + within_y - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


@pytest.mark.parametrize(("n", "m", "d"), [(12, 9, 3), (2, 7, 1)])
def test_equals_the_definition_sample_by_sample(n, m, d, monkeypatch):
    x, y = gaussian(n, d), gaussian(m, d, 0.5)
    expected = by_definition(x, y, SIGMAS)
    assert mmd2(x, y, SIGMAS).item() == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr(mmd, "ROWS", 4)  # in several chunks
    assert mmd2(x, y, SIGMAS).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("mean", "deviation"), [(0.3, 1.0), *(pytest.param(0.0, scale, marks=pytest.mark.long) for scale in (1.0, 1.5))]
)
@pytest.mark.slow
def test_both_estimates_agree_with_the_closed_form_between_gaussians(mean, deviation):
    expected = between_gaussians(2, mean, deviation, SIGMAS)
    draws = [(gaussian(40, 2), gaussian(60, 2, mean, deviation)) for _ in range(300)]
    for estimate in (mmd2, lambda x, y, s: mmd2_linear(x, y, s).value):
        values = torch.stack([estimate(x, y, SIGMAS) for x, y in draws])
        assert values.mean().item() == pytest.approx(expected, abs=4 * values.std().item() / 300**0.5)


def test_for_equal_distributions_it_is_often_negative():
    values = torch.stack([mmd2(gaussian(30, 2), gaussian(30, 2), SIGMAS) for _ in range(200)])
    assert 0.4 < (values < 0).double().mean() < 0.85  # skewed: its median lies below its mean
    assert values.mean().abs() < 4 * values.std() / 200**0.5


def test_the_error_of_the_linear_estimate_agrees_with_its_scatter():
    x = gaussian(100, 2)  # the real samples are fixed
    estimates = [mmd2_linear(x, gaussian(100, 2, 0.5), SIGMAS) for _ in range(300)]
    scatter = torch.stack([e.value for e in estimates]).std()
    assert torch.stack([e.error for e in estimates]).mean().item() == pytest.approx(scatter.item(), rel=0.15)


def test_the_linear_estimate_pairs_neighbours():
    x, y = gaussian(5, 2), gaussian(4, 2)
    h, other = [], []
    for i in (0, 2):
        for terms, j in ((h, i), (other, 2 - i)):  # the other terms pair each pair of x with the next pair of y
            k = gaussian_kernel(squared_distances(torch.stack([x[i], y[j]]), torch.stack([x[i + 1], y[j + 1]])), SIGMAS)
            terms.append(k[0, 0] + k[1, 1] - k[0, 1] - k[1, 0])
    value, error = mmd2_linear(x, y, SIGMAS)
    assert value.item() == pytest.approx((h[0] + h[1]).item() / 2)
    changes = torch.stack([a - b for a, b in zip(h, other, strict=True)])
    assert error.item() == pytest.approx((changes.square().mean() / 4).sqrt().item())


def test_distant_and_collapsed_sets_have_known_values():
    x = torch.zeros(5, 2)
    assert mmd2(x, x + 100, SIGMAS).item() == pytest.approx(2 * len(SIGMAS))
    assert mmd2(x, x, SIGMAS).item() == pytest.approx(0, abs=1e-6)


def test_distances_far_from_the_origin_keep_precision():
    x, y = torch.randn(20, 3), torch.randn(30, 3)
    torch.testing.assert_close(squared_distances(x + 4096, y + 4096), squared_distances(x, y), atol=5e-3, rtol=1e-3)
    torch.testing.assert_close(squared_distances(x, y), torch.cdist(x, y).square(), atol=1e-5, rtol=1e-5)
    assert (squared_distances(x, x) >= 0).all()


def test_both_estimates_are_differentiable_in_both_sets():
    x, y = gaussian(6, 2).requires_grad_(), gaussian(5, 2, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, y: mmd2(x, y, SIGMAS), (x, y))
    assert torch.autograd.gradcheck(lambda x, y: mmd2_linear(x, y, SIGMAS).value, (x, y))
    for bad in (torch.full((4, 2), math.nan), torch.full((4, 2), math.inf)):
        assert mmd2(bad, bad, SIGMAS).isnan()  # a loss must propagate NaN


def test_gradients_exist_where_samples_coincide():
    x = torch.zeros(6, 2, requires_grad=True)
    mmd2(x, torch.ones(6, 2), SIGMAS).backward()
    assert x.grad.isfinite().all()
    assert (x.grad < 0).all()  # towards the other set


def test_the_median_is_over_all_pairs():
    x = torch.tensor([[0.0], [1.0], [10.0]])
    assert median_distance(x) == 9
    many = gaussian(5000, 2)
    assert median_distance(many) == pytest.approx(2 * math.sqrt(math.log(2)), rel=0.05)  # ‖x − x'‖²/2 ~ χ²₂


def encoded(*sets):
    return [Identity().encode(x) for x in sets]


def test_scaled_bandwidths_follow_the_data():
    metric = MMD(Identity())
    x, y = gaussian(50, 2), gaussian(40, 2, 0.5)
    before, after = metric.measure(*encoded(x, y)), metric.measure(*encoded(100 * x, 100 * y))
    for name in ("mmd2", "mmd2_linear"):
        assert before[name].value == pytest.approx(after[name].value, rel=1e-9)
    assert before["mmd2_linear"].error == pytest.approx(after["mmd2_linear"].error, rel=1e-9)
    assert list(before) == ["mmd2", "mmd2_linear"]
    assert metric.details(*encoded(x, y)) == {"bandwidths": [s * median_distance(x) for s in metric.bandwidths]}


def test_unscaled_bandwidths_are_used_unchanged():
    metric = MMD(Identity(), bandwidths=[0.5, 1, 3], scaled=False)
    x, y = gaussian(50, 2), gaussian(40, 2, 0.5)
    assert metric.measure(*encoded(x, y))["mmd2"].value == mmd2(x, y, SIGMAS).item()
    assert metric.settings() == {"bandwidths": SIGMAS, "scaled": False}


def test_the_linear_estimate_is_reproducible_and_allows_sorted_samples():
    labels = torch.arange(400) % 2 * 20.0  # two far modes
    x, y = (gaussian(400, 1) + labels[:, None] for _ in range(2))
    metric = MMD(Identity())
    ordered = encoded(x[labels.argsort()], y[labels.argsort()])
    state = torch.random.get_rng_state()
    value, error, _ = metric.measure(*ordered)["mmd2_linear"]
    assert abs(value) < 4 * error
    assert error > 0.02  # in sorted order nearly all pairs would be equal
    assert metric.measure(*ordered)["mmd2_linear"].value == value
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("bandwidths", [[], [0.0], [-1.0], [math.inf], ["wide"], "wide", 0])
def test_bad_bandwidths_are_named(bandwidths):
    with pytest.raises(UserError, match=r"bandwidths="):
        MMD(Identity(), bandwidths=bandwidths)


def test_bad_input_is_named():
    x, bad = torch.zeros(4, 2), torch.full((4, 2), math.nan)
    for call, message in (
        (lambda: mmd2(x, torch.zeros(1, 2), SIGMAS), "at least 2 samples"),
        (lambda: mmd2(x, torch.zeros(4, 3), SIGMAS), "equal dimension"),
        (lambda: mmd2(x, x, ()), "bandwidths"),
        (lambda: mmd2_linear(x, x[:3], SIGMAS), "at least 4 samples"),
        (lambda: MMD(Identity()).measure(*encoded(torch.randn(4, 2), bad)), "MMD: .*NaN or Inf"),
        (lambda: MMD(Identity()).measure(*encoded(x, x)), "scaled=false"),
        (lambda: MMD(Identity(), scaled="no"), "scaled='no'"),
    ):
        with pytest.raises(UserError, match=message):
            call()
