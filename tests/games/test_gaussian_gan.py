"""A GAN on the line whose laws are known."""

import math

import pytest
import torch
from support.players import alternating

from gan_cli.errors import UserError
from gan_cli.games.analytic.gaussian_gan import GaussianGAN
from gan_cli.games.objective import Objective
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.models.affine import Affine
from gan_cli.models.base import Discriminator
from gan_cli.models.mlp import MLPDiscriminator, MLPGenerator
from gan_cli.types import Batch

BATCH = Batch(torch.zeros(256, 1))


class Exact(Discriminator):
    """log p_data - log p_g for two Gaussians of width 1."""

    def __init__(self, p: float, q: float):
        super().__init__()
        self.p, self.q = p, q

    def forward(self, x, y=None):
        return ((x - self.q).square() - (x - self.p).square()).squeeze(1) / 2


def game(discriminator=None, mean: float = 2.0, std: float = 1.0, generator=None) -> GaussianGAN:
    torch.manual_seed(0)
    generator = generator or Affine((1,), 0, 0.0, 1.0)
    return GaussianGAN(generator, discriminator or MLPDiscriminator((1,), 0, 32, 3), Objective(NonSaturating(), {}), mean, std)


@torch.no_grad()
def test_the_optimal_discriminator_has_no_error():
    numbers = game(Exact(2.0, 0.0)).measure(0)
    assert numbers["discriminator/error"] < 1e-6
    assert numbers["discriminator/from_half"] > 0.3
    assert numbers["w/exact"] == pytest.approx(2.0, rel=1e-3)
    assert (numbers["generator/mean"], numbers["generator/std"]) == (0, 1)


@torch.no_grad()
def test_of_equal_laws_nothing_is_left():
    numbers = game(Exact(0.0, 0.0), mean=0.0).measure(0)
    assert {name: numbers[name] for name in ("discriminator/error", "discriminator/from_half", "js/exact", "w/exact")} == (
        pytest.approx({"discriminator/error": 0, "discriminator/from_half": 0, "js/exact": 0, "w/exact": 0}, abs=1e-5)
    )


@torch.no_grad()
def test_the_distance_of_widths():
    """W_1 of N(0, 1) and N(0, 3^2) is 2 E|z|, whatever the sign of the generator's factor."""
    for factor in (1.0, -1.0):
        played = game(mean=0.0, std=3.0)
        played.generator.std.fill_(factor)
        numbers = played.measure(0)
        assert numbers["w/exact"] == pytest.approx(2 * math.sqrt(2 / math.pi), rel=1e-3)
        assert numbers["generator/std"] == 1


@torch.no_grad()
@pytest.mark.parametrize(
    ("data", "fakes", "exact"),
    [
        ((0.0, 0.001), (0.001, 0.001), (0.1114, 0.001)),
        ((0.0, 1e-6), (0.0, 2e-6), (0.09273, 0.798e-6)),
        ((100.0, 0.001), (100.001, 0.001), (0.1114, 0.001)),
        ((0.0, 0.001), (1000.0, 0.001), (math.log(2), 1000.0)),
        ((0.0, 0.001), (0.0, 0.0), (math.log(2), 0.000798)),
    ],
)
@pytest.mark.slow
def test_laws_of_every_width_are_measured_exactly(data, fakes, exact):
    played = game(mean=data[0], std=data[1])
    played.generator.mean.fill_(fakes[0])
    played.generator.std.fill_(fakes[1])
    numbers = played.measure(0)
    assert (numbers["js/exact"], numbers["w/exact"]) == pytest.approx(exact, rel=2e-2)
    assert 0 < numbers["discriminator/error"] < 1
    assert played.picture(list).ndim == 3


def test_the_data_is_drawn_afresh():
    played = game(mean=5.0, std=0.1)
    x = played.data(1000).x
    assert abs(float(x.mean()) - 5) < 0.02
    assert not torch.equal(x, played.data(1000).x)
    seen = []
    played.discriminator.register_forward_hook(lambda module, inputs, output: seen.append(float(inputs[0].mean())))
    played.discriminator_loss(BATCH)
    assert seen[0] == pytest.approx(5, abs=0.05), "not the batch, which is nothing"


@pytest.mark.slow
def test_the_discriminator_comes_to_its_optimum():
    played = game(std=0.5)
    solver = alternating(played, torch.optim.Adam, lr=0.01)
    with torch.no_grad():
        before = played.measure(0)["discriminator/error"]
    for _ in range(150):
        solver.round(["discriminator"], iter([BATCH]))
    with torch.no_grad():
        assert played.measure(150)["discriminator/error"] < 0.03 < before
        assert played.picture(list).ndim == 3


def test_another_generator_is_refused():
    for generator in (MLPGenerator((1,), 0, 2, 8, 2), Affine((2,), 0, 0.0, 1.0)):
        with pytest.raises(UserError, match="model/generator=affine"):
            game(generator=generator)


def test_the_affine_generators_law():
    torch.manual_seed(0)
    generator = Affine((2, 3), 0, -1.0, 0.5)
    assert generator.latent_dim == 6
    x = generator(torch.randn(20_000, 6))
    assert x.shape == (20_000, 2, 3)
    torch.testing.assert_close(x.mean(0), torch.full((2, 3), -1.0), atol=0.02, rtol=0)
    torch.testing.assert_close(x.std(0), torch.full((2, 3), 0.5), atol=0.02, rtol=0)
    with pytest.raises(UserError, match=r"std=0"):
        Affine((1,), 0, 0.0, 0)
