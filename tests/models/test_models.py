"""MLP and DCGAN: shapes, ranges and initial weights."""

import math
from itertools import repeat

import pytest
import torch
from support.players import alternating
from torch import nn

from gan_cli.errors import UserError
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.models.base import image_size
from gan_cli.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_cli.models.mlp import MLPDiscriminator, MLPGenerator
from gan_cli.types import Batch

pytestmark = pytest.mark.slow

SIZES = (8, 16, 32, 64, 128, 256)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def layers(network, kind):
    return [module for module in network.modules() if isinstance(module, kind)]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("variant", [{}, {"growth": 1, "batch_norm": False}], ids=["dcgan", "constant"])
class TestEverySize:
    def test_dcgan(self, size, channels, variant):
        shape = (channels, size, size)
        with torch.device("meta"):  # shapes without values: 256 pixels cost nothing
            generator = DCGANGenerator(shape, 0, 100, 64, **variant)
            discriminator = DCGANDiscriminator(shape, 0, 64, **variant)
            images = generator(torch.randn(3, 100))
            assert images.shape == (3, *shape)
            assert discriminator(images).shape == (3,)

    def test_mlp(self, size, channels, variant):
        shape = (channels, size, size)
        with torch.device("meta"):
            images = MLPGenerator(shape, 0, 100, 512, 4)(torch.randn(3, 100))
            assert images.shape == (3, *shape)
            assert MLPDiscriminator(shape, 0, 512, 4)(images).shape == (3,)


@pytest.mark.parametrize("make", [lambda shape: DCGANGenerator(shape, 0, 5, 4), lambda shape: DCGANDiscriminator(shape, 0, 4)])
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 7, 7), "power of two from 8 to 256, not 7x7"),
        ((1, 20, 20), "power of two from 8 to 256, not 20x20"),
        ((1, 4, 4), "not 4x4"),
        ((1, 512, 512), "not 512x512"),
        ((3, 32, 64), "square images .* not 32x64"),
        ((3, 32, 30), "not 32x30"),
        ((2,), r"needs images, but this data set's samples have shape \(2,\)"),
        ((24, 5), r"shape \(24, 5\)"),
    ],
)
def test_shapes_that_dcgan_cannot_take(make, shape, message):
    with pytest.raises(UserError, match=f"model=dcgan .*{message}"):
        make(shape)


def test_image_size():
    assert [image_size((3, size, size), "x") for size in SIZES] == [(3, size) for size in SIZES]


@pytest.mark.parametrize("shape", [(2,), (1,), (1, 28, 28), (3, 5, 9), (24, 5)])
def test_mlp_takes_any_shape(shape):
    x = MLPGenerator(shape, 0, 7, 16, 3)(torch.randn(5, 7))
    assert x.shape == (5, *shape)
    assert MLPDiscriminator(shape, 0, 16, 3)(x).shape == (5,)


@pytest.mark.parametrize("make", [lambda: DCGANGenerator((1, 8, 8), 0, 6, 4), lambda: MLPGenerator((1, 8, 8), 0, 6, 16, 3)])
def test_images_lie_in_minus_one_to_one(make):
    generator = make().eval()
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(100)
        images = generator(100 * torch.randn(20, 6))
    assert images.min() == -1
    assert images.max() == 1


def test_points_are_unbounded():
    generator = MLPGenerator((2,), 0, 6, 16, 3)
    assert generator(1e4 * torch.randn(20, 6)).abs().max() > 10


@pytest.mark.parametrize("kind", ["generator", "discriminator"])
def test_initial_weights_of_dcgan_are_the_published_ones(kind):
    shape = (3, 64, 64)
    network = DCGANGenerator(shape, 0, 100, 64) if kind == "generator" else DCGANDiscriminator(shape, 0, 64)
    convolutions = layers(network, nn.Conv2d | nn.ConvTranspose2d)
    assert len(convolutions) == 5
    for layer in convolutions:
        assert layer.weight.std().item() == pytest.approx(0.02, rel=5 / math.sqrt(2 * layer.weight.numel()))
        assert abs(layer.weight.mean().item()) < 5 * 0.02 / math.sqrt(layer.weight.numel())
        assert layer.bias is None or layer.bias.eq(0).all()
    gains = torch.cat([layer.weight for layer in layers(network, nn.BatchNorm2d)])
    assert gains.mean().item() == pytest.approx(1, abs=0.005)
    assert gains.std().item() == pytest.approx(0.02, rel=0.2)
    assert all(layer.bias.eq(0).all() for layer in layers(network, nn.BatchNorm2d))


class TestDCGANWidths:
    def test_doubling(self):
        with torch.device("meta"):
            generator, discriminator = DCGANGenerator((3, 64, 64), 0, 100, 64), DCGANDiscriminator((3, 64, 64), 0, 64)
        assert [layer.out_channels for layer in layers(generator, nn.ConvTranspose2d)] == [512, 256, 128, 64, 3]
        assert [layer.out_channels for layer in layers(discriminator, nn.Conv2d)] == [64, 128, 256, 512, 1]
        assert [layer.num_features for layer in layers(generator, nn.BatchNorm2d)] == [512, 256, 128, 64]
        assert [layer.num_features for layer in layers(discriminator, nn.BatchNorm2d)] == [128, 256, 512], "not in the first"

    def test_at_most_eight_times_the_first_width(self):
        with torch.device("meta"):
            discriminator = DCGANDiscriminator((3, 256, 256), 0, 16)
        assert [layer.out_channels for layer in layers(discriminator, nn.Conv2d)] == [16, 32, 64, 128, 128, 128, 1]

    def test_constant_without_batch_norm(self):
        with torch.device("meta"):
            generator = DCGANGenerator((3, 64, 64), 0, 100, 48, growth=1, batch_norm=False)
        assert [layer.out_channels for layer in layers(generator, nn.ConvTranspose2d)] == [48, 48, 48, 48, 3]
        assert not layers(generator, nn.BatchNorm2d)
        assert all(layer.bias is not None for layer in layers(generator, nn.ConvTranspose2d))


def test_mlp_has_four_linear_layers():
    for network, ends in (
        (MLPGenerator((3, 64, 64), 0, 100, 512, 4), (100, 3 * 64 * 64)),
        (MLPDiscriminator((3, 64, 64), 0, 512, 4), (3 * 64 * 64, 1)),
    ):
        sizes = [(layer.in_features, layer.out_features) for layer in layers(network, nn.Linear)]
        assert sizes == [(ends[0], 512), (512, 512), (512, 512), (512, ends[1])]
        assert len(layers(network, nn.ReLU)) == 3
        assert isinstance(network.body[-1], nn.Linear), "nothing after the last"


@pytest.mark.parametrize("mixed", ["mlp against dcgan", "dcgan against mlp"])
def test_players_mix(mixed):
    shape = (1, 8, 8)
    if mixed == "mlp against dcgan":
        game = GAN(MLPGenerator(shape, 0, 5, 16, 4), DCGANDiscriminator(shape, 0, 4), Objective(NonSaturating()))
    else:
        game = GAN(DCGANGenerator(shape, 0, 5, 4), MLPDiscriminator(shape, 0, 16, 4), Objective(NonSaturating()))
    stats = alternating(game).round(["discriminator", "generator"], repeat(Batch(torch.randn(4, *shape))))
    assert all(value.isfinite() for value in stats.values())


@pytest.mark.parametrize("value", [0, -3, 1.5, "wide", True, None])
def test_invalid_sizes(value):
    for network, shape, sizes in (
        (MLPGenerator, (2,), {"latent_dim": 2, "width": 4, "depth": 2}),
        (MLPDiscriminator, (2,), {"width": 4, "depth": 2}),
        (DCGANGenerator, (1, 8, 8), {"latent_dim": 2, "width": 4, "growth": 2}),
        (DCGANDiscriminator, (1, 8, 8), {"width": 4, "growth": 2}),
    ):
        for name in sizes:
            with pytest.raises(UserError, match=f"{name}={value!r}: it must be a whole number, at least 1"):
                network(shape, 0, **{**sizes, name: value})


def test_invalid_flags():
    with pytest.raises(UserError, match="batch_norm='no': it must be true or false"):
        DCGANGenerator((1, 8, 8), 0, 2, 4, batch_norm="no")
    with pytest.raises(UserError, match="batch_norm='no': it must be true or false"):
        DCGANDiscriminator((1, 8, 8), 0, 4, batch_norm="no")
