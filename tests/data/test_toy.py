"""Toy distributions: closed forms, and properties of every toy set."""

import math

import pytest
import torch

from gan_cli.data.points import toy
from gan_cli.errors import UserError
from gan_cli.metrics.points.modes import mixture_of

LAWS = (toy.ring, toy.grid25, toy.swiss_roll, toy.spiral, toy.parallel_lines, toy.gaussians_1d)
MIXTURES = (toy.ring, toy.grid25, toy.gaussians_1d)


@pytest.mark.parametrize("law", LAWS)
def test_fixed_sample(law):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    a, b, other, longer = law(n=300, n_heldout=200), law(n=300, n_heldout=200), law(n=300, seed=1), law(n=400, n_heldout=200)
    assert torch.equal(torch.get_rng_state(), before), "drawn from generators of its own"
    assert torch.equal(a.train.x, b.train.x)
    assert torch.equal(a.heldout.x, longer.heldout.x), "the held-out part does not depend on n"
    assert not torch.equal(a.train.x, other.train.x)
    assert not torch.equal(a.train.x[:200], a.heldout.x)
    assert (len(a.train), len(a.heldout)) == (300, 200)
    assert a.shape == tuple(a.train.x.shape[1:])
    assert a.train.x.dtype == torch.float32
    assert a.train.x.abs().max() <= 5

    indices = torch.tensor([5, 2, 5])
    batch = a.train.batch(indices)
    assert torch.equal(batch.x, a.train.x[indices])
    assert (batch.y is None) == (a.classes == 0)
    cut = law(n=300, n_heldout=200, max_samples=10)
    assert (len(cut.train), len(cut.heldout)) == (10, 10)
    assert torch.equal(cut.train.x, a.train.x[:10])


@pytest.mark.parametrize("law", MIXTURES)
def test_mixture_around_its_centers(law):
    points = law().train
    assert points.centers.shape == (points.classes, points.x.shape[1])
    deviation = (points.x - points.centers[points.y]) / points.std
    assert deviation.mean().abs() < 0.02
    assert deviation.std() == pytest.approx(1, abs=0.02)
    assert torch.equal(torch.cdist(points.x, points.centers).argmin(1), points.y) or law is toy.gaussians_1d
    shares = points.y.bincount() / len(points)
    assert (shares * points.classes - 1).abs().max() < 0.1


def test_fraction_within_three_sigma_of_a_mode():
    points = toy.ring().train  # for a Gaussian in the plane: 1 − exp(−9/2)
    near = torch.cdist(points.x, points.centers).min(1).values <= 3 * points.std
    assert near.float().mean() == pytest.approx(1 - math.exp(-4.5), abs=2e-3)


def test_centers():
    assert torch.allclose(toy.ring(n=1).train.centers.norm(dim=1), torch.ones(8))
    grid = toy.grid25(n=1).train.centers
    assert grid.tolist() == [[2 * i - 4, 2 * j - 4] for i in range(5) for j in range(5)]
    assert toy.gaussians_1d(means=[1, 5], n=1).train.centers.tolist() == [[1], [5]]
    assert toy.swiss_roll(n=1).train.centers is None


def test_parallel_lines_is_example_1_of_the_wgan_paper():
    x = toy.parallel_lines(theta=0.5).train.x
    assert torch.equal(x[:, 0], torch.full_like(x[:, 0], 0.5))
    z = x[:, 1].sort().values  # Kolmogorov–Smirnov: 1.63 / √n is the 1 % point
    assert (z - torch.linspace(0, 1, len(z))).abs().max() < 1.63 / math.sqrt(len(z))


def test_swiss_roll_without_noise_lies_on_its_curve():
    x = toy.swiss_roll(noise=0, scale=1).train.x
    t = x.norm(dim=1)
    assert t.min() >= 1.5 * math.pi - 1e-4
    assert t.max() <= 4.5 * math.pi + 1e-4
    assert torch.allclose(x, torch.stack([t * t.cos(), t * t.sin()], 1), atol=1e-3)


def test_spiral_arms():
    spiral = toy.spiral(noise=0, arms=3, turns=0.5, radius=2)
    points = spiral.train
    r = points.x.norm(dim=1)
    angle = 2 * math.pi * (0.5 * r / 2 + points.y / 3)
    assert torch.allclose(points.x, r[:, None] * torch.stack([angle.cos(), angle.sin()], 1), atol=1e-4)
    assert spiral.classes == 3
    assert (r**2 / 4).mean() == pytest.approx(0.5, abs=0.01), "u is uniform"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 0}, r"n=0"),
        ({"n_heldout": -1}, r"n_heldout=-1"),
        ({"n": 2.5}, r"n=2\.5"),
        ({"max_samples": 0}, r"max_samples=0"),
        ({"std": -1.0}, r"std=-1.*at least 0"),
        ({"std": "wide"}, r"std='wide': it must be a number"),
        ({"radius": float("nan")}, r"radius=nan: it must be a number\."),
        ({"modes": 0}, r"modes=0"),
    ],
)
def test_invalid_numbers(wrong, message):
    with pytest.raises(UserError, match=message):
        toy.ring(**wrong)


def test_one_mean_may_be_a_number():
    assert torch.equal(toy.gaussians_1d(means=3).train.x, toy.gaussians_1d(means=[3.0]).train.x)


def test_empty_means():
    with pytest.raises(UserError, match=r"means=\[\]: it must name"):
        toy.gaussians_1d(means=[])


class TestUnequalMixture:
    def test_weights_and_widths(self):
        data = toy.gaussians_1d(n=20_000, means=[-3, 5], std=[0.1, 2], weights=[1, 3])
        x, y = data.train.batch(torch.arange(20_000))
        assert float((y == 1).float().mean()) == pytest.approx(0.75, abs=0.02)
        for label, (mean, std) in enumerate([(-3, 0.1), (5, 2)]):
            assert float(x[y == label].mean()) == pytest.approx(mean, abs=0.1)
            assert float(x[y == label].std()) == pytest.approx(std, rel=0.05)

    def test_equal_widths_are_known_to_the_modes(self):
        assert mixture_of(toy.gaussians_1d(n=500, weights=[1, 2, 1]).train).std == 0.25
        with pytest.raises(UserError, match="have one width"):
            mixture_of(toy.gaussians_1d(n=500, std=[1, 2, 1]).train)

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"std": [1, 2]}, r"std=\[1, 2\]: it needs a number for each of the 3 means"),
            ({"weights": [1, 0, 1]}, r"weights\[1\]=0: it must be a number.* above 0"),
            ({"weights": 3}, r"weights=3: it needs a number for each"),
        ],
    )
    def test_fields(self, fields, said):
        with pytest.raises(UserError, match=said):
            toy.gaussians_1d(n=10, **fields)
