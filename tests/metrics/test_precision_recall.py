import math

import pytest
import torch
from torch_fidelity.metric_prc import calculate_precision_recall_full

from gan_cli.data.base import seeded_generator
from gan_cli.errors import UserError
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.features.pixels import Pixels
from gan_cli.metrics.images import neighbourhoods as neighbours
from gan_cli.metrics.images.neighbourhoods import nearest_neighbours, neighbourhoods
from gan_cli.metrics.images.precision_recall import PrecisionRecall, density_coverage, expected_coverage, precision_recall

IDENTITY = Identity()


def normal(n, d, *words, dtype=torch.float64):
    return torch.randn(n, d, generator=seeded_generator("test_neighbours", *words), dtype=dtype)


def distances(x, y):
    return (x.double()[:, None] - y.double()).norm(dim=2)


def brute_force(real, fake, k):
    """Compute the four measures from their definitions, ball by ball."""
    real_radii, fake_radii = (distances(x, x).sort(1).values[:, k] for x in (real, fake))
    inside_real = [[float((x - y).norm()) <= r for x, r in zip(real, real_radii.tolist(), strict=True)] for y in fake]
    inside_fake = [[float((x - y).norm()) <= r for y, r in zip(fake, fake_radii.tolist(), strict=True)] for x in real]
    inside = torch.tensor(inside_real)
    precision, recall = inside.any(1), torch.tensor(inside_fake).any(1)
    return [float(score.double().mean()) for score in (precision, recall, inside.double().sum(1) / k, inside.any(0))]


def all_four(real, fake, k):
    return [*precision_recall(real, fake, k), *density_coverage(real, fake, k)]


@pytest.fixture(params=[neighbours.ENTRIES, 70], ids=["one block", "many blocks"])
def entries(request, monkeypatch):
    monkeypatch.setattr(neighbours, "ENTRIES", request.param)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(("n", "m", "d"), [(40, 31, 2), (25, 60, 7)])
def test_equals_the_definitions(n, m, d, k, entries):
    real, fake = normal(n, d, "real"), 0.7 * normal(m, d, "fake") + 0.5
    assert all_four(real, fake, k) == pytest.approx(brute_force(real, fake, k), abs=1e-12)


@pytest.mark.parametrize("k", [1, 3, 7])
@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.2, 0.9), (0.0, 1.3)])
def test_agrees_with_torch_fidelity(shift, scale, k):
    real, fake = normal(600, 16, "real"), scale * normal(500, 16, "fake") + shift
    theirs = calculate_precision_recall_full(fake, real, k)
    assert precision_recall(real, fake, k) == pytest.approx(theirs, abs=1e-6)
    assert 0.05 < theirs[0] < 1  # comparing values of 1 would prove little


@pytest.mark.slow
def test_a_tie_lies_inside(entries):
    # On a lattice almost every distance equals a radius; rounding differs in each of these units.
    lattice = torch.cartesian_prod(torch.arange(6.0), torch.arange(6.0)).double()
    fake = lattice[::2] + torch.tensor([1.0, 0.0])
    expected = brute_force(lattice, fake, 4)
    for unit in (1, 1 / 3, 0.1, 1e-5, 7e5):
        for offset in (0, 0.1, 1e3):
            assert all_four(lattice * unit + offset * unit, fake * unit + offset * unit, 4) == pytest.approx(
                expected, abs=1e-12
            )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_identical_sets(dtype, offset):
    x = normal(300, 64, dtype=dtype) + offset
    k = 4
    precision, recall, density, coverage = all_four(x, x.clone(), k)
    assert precision == recall == coverage == 1
    assert density == pytest.approx((k + 1) / k)  # each copy lies in its own ball too


@pytest.mark.parametrize("spread", [0.0, 1e-9, 1e-3])
def test_collapsed_generator(spread):
    real = normal(400, 32, dtype=torch.float32)
    fake = real[17].double() + spread * normal(300, 32, "jitter")
    near = neighbourhoods(real, fake, 5)
    assert near.precision(3).mean() == 1
    assert near.recall(3).sum() <= 1
    assert near.covered[4].sum() == (distances(real, real).sort(1).values[:, 5] >= distances(real, real[17:18])[:, 0]).sum()


def test_disjoint_sets():
    real = normal(200, 8, "real")
    assert all_four(real, normal(150, 8, "fake") + 100, 5) == [0, 0, 0, 0]


def test_density_exceeds_one_for_concentrated_samples():
    density, coverage = density_coverage(normal(500, 2, "real"), 0.1 * normal(500, 2, "fake"))
    assert density > 1.1
    assert coverage < 0.5


def test_swapping_the_sets_swaps_precision_and_recall():
    real, fake = normal(200, 4, "real"), 0.5 * normal(300, 4, "fake")
    precision, recall = precision_recall(real, fake)
    assert precision_recall(fake, real) == (recall, precision)
    assert precision > recall + 0.2


@pytest.mark.slow
def test_coverage_of_the_data_distribution():
    draws = [density_coverage(normal(50, 3, "real", i), normal(40, 3, "fake", i), 2) for i in range(400)]
    density, coverage = torch.tensor(draws, dtype=torch.float64).mean(0).tolist()
    assert coverage == pytest.approx(expected_coverage(50, 40, 2), abs=0.01)
    assert density == pytest.approx(1, abs=0.03)
    assert expected_coverage(10_000, 10_000, 5) == pytest.approx(1 - 2**-5, abs=1e-4)


def test_scaling_and_isometries_do_not_matter():
    real, fake = normal(300, 6, "real"), normal(300, 6, "fake")
    turn = torch.linalg.qr(normal(6, 6, "turn")).Q
    assert all_four(3 * real @ turn + 50, 3 * fake @ turn + 50, 3) == all_four(real, fake, 3)


def test_standard_error_is_that_of_a_mean():
    metric = PrecisionRecall(IDENTITY)
    real, fake = normal(1000, 16, "real"), 1.1 * normal(400, 16, "fake")
    values = metric.measure(IDENTITY.encode(real), IDENTITY.encode(fake))
    for name, n in (("precision", 400), ("recall", 1000), ("coverage", 1000)):
        value, error, higher = values[name]
        assert error == pytest.approx(math.sqrt(value * (1 - value) / (n - 1)))
        assert error > 0
        assert higher


def test_metric():
    real, fake = normal(64, 12, "real").reshape(64, 3, 2, 2).tanh(), normal(50, 12, "fake").reshape(50, 3, 2, 2).tanh()
    metric = PrecisionRecall(Pixels(), k=2, k_density=4)
    values = metric.measure(metric.features.encode(real), metric.features.encode(fake))
    x, y = metric.features.encode(real).features, metric.features.encode(fake).features
    assert metric.name == next(iter(values)) == "precision_pixels"
    assert [value.value for value in values.values()] == pytest.approx([*precision_recall(x, y, 2), *density_coverage(x, y, 4)])
    assert list(values) == [f"{name}_pixels" for name in ("precision", "recall", "density", "coverage")]
    assert metric.settings() == {"k": 2, "k_density": 4}


def test_curves():
    metric = PrecisionRecall(IDENTITY)
    real, fake = normal(120, 5, "real"), 0.8 * normal(90, 5, "fake")
    details = metric.details(IDENTITY.encode(real), IDENTITY.encode(fake))
    assert details["k"] == list(range(1, 11))
    for index, k in enumerate(details["k"]):
        ours = [details[name][index] for name in ("precision", "recall", "density", "coverage")]
        assert ours == pytest.approx(all_four(real, fake, k))
        assert details["expected_coverage"][index] == expected_coverage(120, 90, k)
    few = metric.details(IDENTITY.encode(real[:8]), IDENTITY.encode(fake))
    assert few["k"] == list(range(1, 8))


def test_numbers_and_curves_share_one_pass(monkeypatch):
    calls = []
    monkeypatch.setattr(neighbours, "_squared_radii", lambda *a, f=neighbours._squared_radii: calls.append(0) or f(*a))
    metric = PrecisionRecall(IDENTITY)
    real, fake, other = (IDENTITY.encode(normal(30, 2, word)) for word in ("real", "fake", "other"))
    first = metric.measure(real, fake), metric.details(real, fake)
    assert len(calls) == 2
    assert (metric.measure(real, other), metric.details(real, other)) != first
    assert len(calls) == 4


def test_nearest(entries):
    x, y = normal(35, 3, "x"), normal(28, 3, "y")
    found, index = nearest_neighbours(x, y)
    torch.testing.assert_close(found, distances(x, y).min(1).values)
    assert index.equal(distances(x, y).argmin(1))


def test_the_nearest_neighbour_of_a_copy_has_distance_zero():
    y = normal(300, 100, dtype=torch.float32) + 1e3
    found, index = nearest_neighbours(y[50:60], y)
    assert (found == 0).all()
    assert index.tolist() == list(range(50, 60))


def test_inputs_are_not_modified():
    real, fake = normal(20, 3, "real"), normal(20, 3, "fake")
    before = real.clone(), fake.clone()
    all_four(real, fake, 3)
    nearest_neighbours(real, fake)
    assert real.equal(before[0])
    assert fake.equal(before[1])


def test_bad_input():
    x = normal(10, 3)
    for measure in (precision_recall, density_coverage, nearest_neighbours):
        with pytest.raises(UserError, match=r"real features have .* dimensions"):
            measure(x, normal(10, 4))
        with pytest.raises(UserError, match="hold NaN or Inf"):
            measure(x, torch.full((10, 3), math.inf))
        with pytest.raises(UserError, match=r"the real features hold|the generated features hold"):
            measure(torch.full((10, 3), math.nan), x)
        with pytest.raises(UserError, match="at least"):
            measure(x, x[:0])
    for real, fake in ((x, x[:5]), (x[:5], x)):
        precision_recall(real, fake, 4)
        with pytest.raises(UserError, match="k=5: needs at least 6 real and generated samples"):
            precision_recall(real, fake, 5)


@pytest.mark.parametrize("field", ["k", "k_density"])
@pytest.mark.parametrize("value", [0, 1.5, "three"])
def test_an_invalid_k_is_refused(field, value):
    with pytest.raises(UserError, match=f"{field}={value!r}"):
        PrecisionRecall(IDENTITY, **{field: value})
