"""Measures within classes: the intra-class Fréchet distance and the diversity."""

import math

import pytest
import torch

from gan_cli.errors import UserError
from gan_cli.metrics.base import Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.images.class_diversity import ClassDiversity, mean_distance
from gan_cli.metrics.images.frechet import frechet_distance
from gan_cli.metrics.images.intra_frechet import IntraFrechet


def gaussian(n, d, seed, mean=0.0):
    return mean + torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def labelled(x, y):
    return Encoded(x, x, None, y)


def test_the_intra_class_distance_is_the_mean_over_classes():
    y = torch.arange(60) % 2
    real, fake = labelled(gaussian(60, 3, 0), y), labelled(gaussian(60, 3, 1, 0.5), y)
    expected = sum(frechet_distance(real.x[y == c], fake.x[y == c]) for c in (0, 1)) / 2
    metric = IntraFrechet(Identity())
    assert metric.measure(real, fake) == {"intra_fd": Value(expected)}
    assert metric.with_errors(real, fake)["intra_fd"].error > 0
    assert metric.details(real, fake) == {"classes": {"intra_fd": 2}}


def test_a_generator_that_ignores_its_labels_is_far_away():
    y = torch.arange(80) % 2
    x = gaussian(80, 2, 0) + 20 * y[:, None]
    swapped = IntraFrechet(Identity()).measure(labelled(x, y), labelled(x, 1 - y))
    assert swapped["intra_fd"].value == pytest.approx(20**2 * 2, rel=0.1)
    assert frechet_distance(x, x) < 1e-9


def test_classes_of_one_sample_are_left_out():
    y = torch.tensor([0] * 20 + [1])
    x = gaussian(21, 2, 0)
    metric = IntraFrechet(Identity())
    assert metric.measure(labelled(x, y), labelled(x, y))["intra_fd"].value == pytest.approx(0, abs=1e-9)
    remark = "intra_fd is over 1 of 2 classes: the others have fewer than 2 real or generated samples."
    assert metric.details(labelled(x, y), labelled(x, y)) == {"classes": {"intra_fd": 1}, "remarks": [remark]}
    alone = labelled(x[:2], torch.tensor([0, 1]))
    assert math.isnan(metric.measure(alone, alone)["intra_fd"].value)
    assert metric.measure(labelled(x, y), Encoded(x, x)) == {}, "a game without labels"
    assert metric.details(labelled(x, y), Encoded(x, x)) == {}


def test_the_mean_distance_of_points_on_a_line():
    x = torch.tensor([[0.0], [3.0], [9.0]])
    value, error = mean_distance(x)
    assert value == pytest.approx((3 + 9 + 6) / 3)
    assert error == pytest.approx(2 * torch.tensor([6.0, 4.5, 7.5]).std().item() / 3**0.5)
    assert mean_distance(torch.full((300, 4), 1e4)) == (0, 0), "two blocks of equal samples"


def test_a_gaussian_has_the_mean_distance_of_its_difference():
    """‖x − x'‖ of standard normal vectors in three dimensions has the mean √2 · √(8/π)."""
    assert mean_distance(gaussian(1500, 3, 0)).value == pytest.approx(2**0.5 * (8 / math.pi) ** 0.5, rel=0.03)


@pytest.mark.slow
def test_the_error_is_the_scatter_over_samples():
    y = torch.arange(90) % 3
    found = []
    for seed in range(80):
        fake = labelled(gaussian(90, 4, seed) * (1 + y[:, None]), y)
        found.append(ClassDiversity(Identity()).measure(fake, fake)["class_diversity"])
    values, errors = (torch.tensor(column) for column in list(zip(*found, strict=True))[:2])
    assert 0.75 < errors.square().mean().sqrt() / values.std() < 1.35


def test_diversity_is_the_mean_over_classes():
    y = torch.tensor([0, 0, 0, 1, 1, 2])
    x = torch.tensor([[0.0], [3.0], [9.0], [5.0], [7.0], [100.0]])
    metric = ClassDiversity(Identity())
    found = metric.measure(labelled(x, y), labelled(x, y))["class_diversity"]
    assert found.value == pytest.approx((6 + 2) / 2), "a class of one sample has none"
    assert found.higher_is_better
    assert metric.measure(Encoded(x, x), Encoded(x, x))["class_diversity"].value == pytest.approx(mean_distance(x).value)
    single = labelled(x[[0, 3]], y[[0, 3]])
    assert math.isnan(metric.measure(single, single)["class_diversity"].value)
    with pytest.raises(UserError, match="Class diversity: needs finite features"):
        mean_distance(torch.full((3, 2), math.nan))
