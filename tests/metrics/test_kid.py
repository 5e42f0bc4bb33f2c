import math

import numpy as np
import pytest
import torch
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric
from torchmetrics.image.kid import poly_mmd

from gan_cli.errors import UserError
from gan_cli.metrics.base import Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.images import kid
from gan_cli.metrics.images.kid import KID, kernel_distance, mmd2_of_subsets


def gaussian(n, d, seed, mean=0.0, deviation=1.0):
    return mean + deviation * torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def index_lists(n, size, subsets, seed):
    g = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randperm(n, generator=g)[:size] for _ in range(subsets)])


def by_definition(x, y):
    """Compute the estimate sample by sample."""

    def k(a, b):
        return (float(a @ b) / len(a) + 1) ** 3

    m = len(x)
    within = sum(k(z[a], z[b]) for z in (x, y) for a in range(m) for b in range(m) if a != b)
    return within / (m * (m - 1)) - 2 * sum(k(a, b) for a in x for b in y) / m**2


def test_equals_the_definition():
    x, y = gaussian(6, 3, 0), gaussian(6, 3, 1, 0.5)
    every = torch.arange(6)[None]
    assert mmd2_of_subsets(x, y, every, every).item() == pytest.approx(by_definition(x, y), rel=1e-12)
    assert kernel_distance(x, y).value == pytest.approx(by_definition(x, y), rel=1e-12)


def test_two_points_by_hand():
    x, y = torch.zeros(2, 4), torch.full((2, 4), 1.0)  # k = 1 at the origin and across, 2³ at the ones
    assert kernel_distance(x, y).value == 1 + 8 - 2


@pytest.mark.parametrize(
    ("n", "m", "size", "subsets"),
    [(60, 60, 40, 12), (60, 45, 45, 5), (700, 600, 500, 4), (300, 300, 20, 7), (900, 300, 260, 3)],
    ids=["together", "all of one kind", "several blocks", "apart", "apart, two blocks"],
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_agrees_with_torchmetrics_on_the_same_subsets(n, m, size, subsets, dtype):
    x, y = gaussian(n, 16, 0), gaussian(m, 16, 1, 0.3, 1.2)
    i, j = index_lists(n, size, subsets, 2), index_lists(m, size, subsets, 3)
    expected = torch.stack([poly_mmd(x[a], y[b]) for a, b in zip(i, j, strict=True)])
    ours = mmd2_of_subsets(x.to(dtype), y.to(dtype), i, j)
    tolerance = 1e-10 if dtype == torch.float64 else 1e-6
    torch.testing.assert_close(ours, expected, rtol=tolerance, atol=tolerance)


def test_agrees_with_torch_fidelity_on_the_same_subsets():
    x, y, settings = gaussian(120, 8, 0), gaussian(90, 8, 1, 0.4), {"kid_subsets": 6, "kid_subset_size": 50, "rng_seed": 5}
    theirs = kid_features_to_metric(x, y, verbose=False, **settings)
    g = np.random.RandomState(5)
    pairs = [[torch.from_numpy(g.choice(len(z), 50, replace=False)) for z in (x, y)] for _ in range(6)]
    i, j = (torch.stack(lists) for lists in zip(*pairs, strict=True))
    ours = mmd2_of_subsets(x, y, i, j)
    assert ours.mean().item() == pytest.approx(theirs[KEY_METRIC_KID_MEAN], rel=1e-10)
    assert ours.std(correction=0).item() == pytest.approx(theirs[KEY_METRIC_KID_STD], rel=1e-10)


def test_subsets_are_drawn_without_replacement_and_differ():
    x, y = gaussian(50, 3, 0), gaussian(70, 3, 1)
    i = kid._draw("real", 50, 20, 30)
    assert i.shape == (20, 30)
    assert all(len(set(row.tolist())) == 30 for row in i)
    assert len({tuple(row.tolist()) for row in i}) == 20
    assert not torch.equal(i, kid._draw("fake", 50, 20, 30))
    j = kid._draw("fake", 70, 20, 30)
    assert kernel_distance(x, y, 20, 30).value == pytest.approx(mmd2_of_subsets(x, y, i, j).mean().item(), rel=1e-12)


def test_the_same_samples_give_the_same_number_without_default_random_streams():
    x, y = gaussian(80, 5, 0), gaussian(90, 5, 1)
    state = torch.random.get_rng_state()
    assert kernel_distance(x, y, 10, 30) == kernel_distance(x, y, 10, 30)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("subset_size", [60, 1000])
def test_a_subset_size_above_the_sample_count_takes_all_samples(subset_size):
    x, y = gaussian(60, 4, 0), gaussian(60, 4, 1, 0.5)
    assert kernel_distance(x, y, 7, subset_size).value == pytest.approx(poly_mmd(x, y).item(), rel=1e-10)
    assert kernel_distance(x, y, 7, subset_size).error == pytest.approx(kernel_distance(x, y, 1, 60).error, rel=1e-10)


@pytest.mark.parametrize(
    ("size", "mean"),
    [(200, 0.0), (200, 0.3), *(pytest.param(30, mean, marks=pytest.mark.long) for mean in (0.0, 0.3))],
)
@pytest.mark.slow
def test_it_is_unbiased(size, mean):
    n, d, subsets, repetitions = 200, 8, 40, 50
    draws = [gaussian(2 * n, d, seed) for seed in range(repetitions)]
    estimates = [kernel_distance(x[:n], x[n:] + mean, subsets, size) for x in draws]
    values = torch.tensor([estimate.value for estimate in estimates], dtype=torch.float64)
    expected = expected_kernel(0, 0, d) + expected_kernel(mean, mean, d) - 2 * expected_kernel(0, mean, d)
    spread = values.std()
    assert abs(values.mean() - expected) < 4 * spread / repetitions**0.5


def expected_kernel(a, b, d):
    """E (xᵀy/d + 1)³ for x ~ N(a·1, I), y ~ N(b·1, I) in d dimensions, by the moments of one coordinate's product."""
    p1 = a * b
    p2 = (1 + a * a) * (1 + b * b)
    p3 = (a**3 + 3 * a) * (b**3 + 3 * b)
    s1, s2 = d * p1, d * p2 + d * (d - 1) * p1**2
    s3 = d * p3 + 3 * d * (d - 1) * p2 * p1 + d * (d - 1) * (d - 2) * p1**3
    return s3 / d**3 + 3 * s2 / d**2 + 3 * s1 / d + 1


@pytest.mark.parametrize(("size", "mean"), [(1000, 0.0), (1000, 0.4), (60, 0.0), (60, 0.4)])
def test_the_error_is_the_scatter_over_other_generated_samples(size, mean):
    """The real samples are fixed; 60 is compared subset by subset."""
    variances, errors = [], []
    for seed in range(5):
        x = gaussian(200, 8, seed)
        found = [kernel_distance(x, gaussian(200, 8, 100 * seed + i + 10, mean), 3, size) for i in range(20)]
        variances.append(torch.tensor([f.value for f in found]).var())
        errors += [f.error for f in found]
    assert 0.8 < torch.tensor(errors).mean() / torch.stack(variances).mean().sqrt() < 1.25  # each is known to 7 %


def test_a_collapsed_generator_is_far_away():
    x = gaussian(100, 8, 0)
    collapsed = kernel_distance(x, x[:1].expand(100, 8))
    assert collapsed.value > 10 * collapsed.error > 0


def test_identical_sets_give_a_negative_estimate():
    x = gaussian(100, 8, 0)
    assert -1 < kernel_distance(x, x).value < 0  # the estimate is unbiased only over independent sets


def test_single_precision_is_enough():
    x, y = (gaussian(400, 512, seed, 0.4).relu().float() for seed in (0, 1))
    assert kernel_distance(x, y).value == pytest.approx(kernel_distance(x.double(), y.double()).value, abs=1e-8)


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (torch.zeros(1, 3), torch.zeros(5, 3), "KID: .*at least 2 .*got 1"),
        (torch.zeros(5, 3), torch.zeros(5, 4), r"KID: .*\[5, 3\].*\[5, 4\]"),
        (torch.zeros(5, 3), torch.full((5, 3), math.nan), "KID: .*NaN or Inf"),
    ],
)
def test_bad_input_is_named(real, fake, message):
    with pytest.raises(UserError, match=message):
        kernel_distance(real, fake)


@pytest.mark.parametrize(("field", "value"), [("subsets", 0), ("subsets", 1.5), ("subset_size", 1), ("subset_size", True)])
def test_impossible_sizes_are_refused(field, value):
    with pytest.raises(UserError, match=f"^{field}={value}"):
        kernel_distance(torch.zeros(5, 3), torch.zeros(5, 3), **{field: value})
    with pytest.raises(UserError, match=f"{field}={value}"):
        KID(Identity(), **{field: value})


def test_the_metric_measures_features():
    metric = KID(Identity(), subsets=5, subset_size=20)
    x, y = gaussian(40, 3, 0), gaussian(30, 3, 1)
    assert metric.name == "kid"
    assert metric.measure(Encoded(x, x), Encoded(y, y)) == {"kid": Value(*kernel_distance(x, y, 5, 20), False)}
    assert metric.settings() == {"subsets": 5, "subset_size": 20}
