import math

import numpy as np
import pytest
import scipy.linalg
import torch
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric
from torchmetrics.image.fid import _compute_fid

from gan_cli.errors import UserError
from gan_cli.metrics.base import Value
from gan_cli.metrics.features.base import Encoded, Features
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.images.frechet import Frechet, frechet_distance
from gan_cli.metrics.images.kid import kernel_distance


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
def test_for_equal_covariances_it_is_the_distance_of_the_means(n, d):
    x, shift = correlated(n, d, 0), gaussian(1, d, 1)
    assert frechet_distance(x, x.flip(0) + shift) == pytest.approx(shift.square().sum().item(), rel=1e-10)


@pytest.mark.parametrize(("n", "d"), [(60, 5), (20, 50), (2, 3), (10, 10)])
def test_identical_sets_are_at_distance_zero_and_it_is_never_negative(n, d):
    for seed in range(10):
        x = correlated(n, d, seed)
        assert 0 <= frechet_distance(x, x) <= 1e-10 * x.var(0).sum().item()


@pytest.mark.parametrize("n", [30, 200])
def test_identical_sets_of_low_rank_are_at_distance_zero(n):
    x = gaussian(n, 4, 0) @ gaussian(4, 60, 1)
    assert 0 <= frechet_distance(x, x) <= 1e-5 * x.var(0).sum().item()


def test_a_collapsed_set_has_no_covariance():
    x, y = correlated(60, 5, 0), torch.zeros(30, 5)
    expected = x.mean(0).square().sum() + x.var(0).sum()
    assert frechet_distance(x, y) == pytest.approx(expected.item(), rel=1e-12)


def reference(x, y):
    """Compute the distance by two roots of symmetric matrices in extended precision, for features [N, d] of any rank."""

    def covariance(z):
        z = z.numpy().astype(np.longdouble)
        z = z - z.mean(0)
        return z.T @ z / (len(z) - 1)

    def eigenvalues(S):
        """Return eigenvalues and eigenvectors by Jacobi rotations, since LAPACK has no extended precision."""
        S, V = S.copy(), np.eye(len(S), dtype=np.longdouble)
        for _ in range(12):
            for p in range(len(S) - 1):
                for q in range(p + 1, len(S)):
                    angle = np.arctan2(2 * S[p, q], S[q, q] - S[p, p]) / 2
                    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
                    S[:, [p, q]] = S[:, [p, q]] @ rotation
                    S[[p, q]] = rotation.T @ S[[p, q]]
                    V[:, [p, q]] = V[:, [p, q]] @ rotation
        return np.diag(S).clip(min=0), V

    S1, S2 = covariance(x), covariance(y)
    w, V = eigenvalues(S1)
    root = (V * np.sqrt(w)) @ V.T
    means = x.numpy().astype(np.longdouble).mean(0) - y.numpy().astype(np.longdouble).mean(0)
    return float(means @ means + np.trace(S1) + np.trace(S2) - 2 * np.sqrt(eigenvalues(root @ S2 @ root)[0]).sum())


SETS = {
    "more samples than dimensions": (correlated(40, 12, 0), correlated(60, 12, 1)),
    "fewer samples": (correlated(7, 12, 0), correlated(9, 12, 1)),
    "fewer of one kind": (correlated(7, 12, 0), correlated(60, 12, 1)),
    "as many as dimensions": (correlated(12, 12, 0), correlated(13, 12, 1)),
    "low rank": (gaussian(40, 3, 0) @ gaussian(3, 12, 1), correlated(40, 12, 2)),
    "low rank twice": (gaussian(40, 3, 0) @ gaussian(3, 12, 1), gaussian(60, 4, 2) @ gaussian(4, 12, 3)),
    "low rank, few samples": (gaussian(10, 3, 0) @ gaussian(3, 12, 1), gaussian(9, 4, 2) @ gaussian(4, 12, 3)),
    "dead features": (correlated(40, 12, 0) * (torch.arange(12) > 4), correlated(40, 12, 2)),
    "far from the origin": (correlated(40, 12, 0) + 1000, correlated(60, 12, 1) + 1000),
    "floats": (correlated(40, 12, 0).float(), correlated(60, 12, 1).float()),
}


@pytest.mark.parametrize("name", SETS)
def test_agrees_with_extended_precision(name):
    x, y = SETS[name]
    assert frechet_distance(x, y) == pytest.approx(reference(x, y), rel=1e-6)


@pytest.mark.parametrize(("n", "m", "d"), [(40, 25, 24), (200, 100, 24), (2500, 1200, 300), (100, 120, 150)])
def test_agrees_with_other_implementations(n, m, d):
    x, y = correlated(n, d, 0), correlated(m, d, 1)
    ours = frechet_distance(x, y)
    statistics = [fid_features_to_statistics(z) for z in (x, y)]
    fidelity = fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID]
    assert ours == pytest.approx(fidelity, rel=1e-5)
    assert ours == pytest.approx(_compute_fid(x.mean(0), x.T.cov(), y.mean(0), y.T.cov()).item(), rel=1e-5)
    if min(n, m) > d:  # the matrix root is inaccurate for singular matrices
        roots = scipy.linalg.sqrtm(statistics[0]["sigma"] @ statistics[1]["sigma"])
        means = (x.mean(0) - y.mean(0)).square().sum().item()
        run_records = sum(np.trace(s["sigma"]) for s in statistics) - 2 * np.trace(roots).real
        assert ours == pytest.approx(means + run_records, rel=1e-5)


@pytest.mark.parametrize(("n", "m"), [(30, 50), (30, 20)])
def test_fewer_samples_than_dimensions_give_the_same_distance(n, m):
    x, y = correlated(n, 10, 0), correlated(m, 10, 1)
    wide_x, wide_y = (torch.cat([s, torch.full((len(s), 60), 7.0)], 1) for s in (x, y))  # constant features add nothing
    expected = frechet_distance(x, y)
    assert frechet_distance(wide_x, wide_y) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(("n", "m", "d"), [(40, 60, 8), (20, 12, 30), (50, 12, 30), (40, 40, 300)])
def test_symmetric_and_invariant_under_isometries(n, m, d):
    x, y = correlated(n, d, 0), correlated(m, d, 1)
    Q, _ = torch.linalg.qr(gaussian(d, d, 3))
    expected = frechet_distance(x, y)
    assert expected > 0
    assert frechet_distance(y, x) == pytest.approx(expected, rel=1e-10)
    assert frechet_distance(x @ Q + 5, y @ Q + 5) == pytest.approx(expected, rel=1e-10)
    assert frechet_distance(3 * x, 3 * y) == pytest.approx(9 * expected, rel=1e-10)


def test_float32_features_far_from_the_origin_keep_precision():
    x, y = with_moments(500, [1000.0], [1.0], 0).float(), with_moments(500, [1000.0], [2.0], 1).float()
    assert frechet_distance(x, y) == pytest.approx(1, rel=1e-3)


@pytest.mark.slow
def test_blocks_layout_and_gradients_do_not_matter():
    x, y = correlated(2300, 600, 0).float(), correlated(2100, 600, 1).float()  # more rows and columns than a block has
    expected = frechet_distance(x.double(), y.double())
    assert expected == pytest.approx(_compute_fid(*moments(x.double()), *moments(y.double())).item(), rel=1e-8)
    assert frechet_distance(x, y.requires_grad_()) == pytest.approx(expected, rel=1e-12)
    assert frechet_distance(x.T.contiguous().T, y) == pytest.approx(expected, rel=1e-12)


def moments(x):
    return x.mean(0), x.T.cov()


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (torch.zeros(1, 3), torch.zeros(5, 3), "Fréchet distance: .*at least 2 .*got 1"),
        (torch.zeros(5, 3), torch.zeros(0, 3), "at least 2 .*0"),
        (torch.zeros(5, 3), torch.zeros(5, 4), r"\[5, 3\].*\[5, 4\]"),
        (torch.zeros(5), torch.zeros(5), r"\[N, d\].*\[5\]"),
        (torch.zeros(5, 3), torch.full((5, 3), math.nan), "NaN or Inf"),
        (torch.full((5, 3), math.inf), torch.zeros(5, 3), "NaN or Inf"),
    ],
)
def test_bad_input_is_named(real, fake, message):
    with pytest.raises(UserError, match=message):
        frechet_distance(real, fake)


class Halves(Features):
    name = "halves"

    def __call__(self, x):
        return x.flatten(1) / 2, None


def test_the_metric_also_reports_kid():
    metric = Frechet(Halves())
    x, y = (metric.features.encode(gaussian(n, 4, n)) for n in (20, 30))
    values = metric.measure(x, y)
    assert list(values) == ["fd_halves", "kid_halves"]
    assert metric.name == "fd_halves"
    assert values["fd_halves"] == Value(frechet_distance(x.x / 2, y.x / 2), None, False)
    assert values["kid_halves"] == Value(*kernel_distance(x.x / 2, y.x / 2), False)


def test_the_name_depends_on_the_features():
    samples = gaussian(20, 4, 0)
    assert list(Frechet(Identity()).measure(Encoded(samples, samples), Encoded(samples, samples))) == ["fd", "kid"]
