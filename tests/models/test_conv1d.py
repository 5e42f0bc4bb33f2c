"""Convolutions along time: any length, phase shuffle, WaveGAN's sizes."""

import pytest
import torch

from gan_cli.errors import UserError
from gan_cli.models.conv1d import Conv1dDiscriminator, Conv1dGenerator, lengths, shift_in_time
from gan_cli.regularizers.base import slopes
from gan_cli.regularizers.spectral_norm import SpectralNorm

SIZES = {"width": 4, "depth": 3, "kernel": 5, "stride": 2}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("kernel", [2, 5, 6])
@pytest.mark.parametrize("steps", [1, 2, 7, 24, 33])
def test_any_length(steps, kernel):
    shape = (steps, 3)
    sizes = SIZES | {"kernel": kernel}
    generator, discriminator = Conv1dGenerator(shape, 0, 8, **sizes), Conv1dDiscriminator(shape, 0, **sizes, shuffle=0)
    x = generator(torch.randn(5, *generator.latent_shape))
    assert x.shape == (5, *shape)
    assert ((x > 0) & (x < 1)).all()
    assert (x.std(0) > 0).all(), "every step and feature depends on z"
    x.requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x)
    assert (slope != 0).all(), "the logit depends on every step and feature"
    assert slopes(SpectralNorm().transform(discriminator), x).isfinite().all()


def test_published_sizes():
    assert lengths(16384, 4, 5) == [16384, 4096, 1024, 256, 64, 16]
    assert lengths(24, 2, 3) == [24, 12, 6, 3]
    assert lengths(25, 2, 3) == [25, 13, 7, 4]
    generator = Conv1dGenerator((16384, 1), 0, 100, 64, 5, 25, 4)
    assert generator.first.out_features == 16 * 1024
    assert [layer.in_channels for layer in generator.layers] == [1024, 512, 256, 128, 64]
    discriminator = Conv1dDiscriminator((16384, 1), 0, 64, 5, 25, 4, shuffle=2)
    assert discriminator.feature_dim == 16 * 1024


def test_a_shift_is_filled_by_reflection():
    x = torch.arange(6.0).expand(2, 1, 6)
    shifts = {tuple(shift_in_time(x, 2)[0, 0].tolist()) for _ in range(100)}
    assert shifts == {
        (2, 1, 0, 1, 2, 3),
        (1, 0, 1, 2, 3, 4),
        (0, 1, 2, 3, 4, 5),
        (1, 2, 3, 4, 5, 4),
        (2, 3, 4, 5, 4, 3),
    }


def test_phase_shuffle_only_in_training_mode():
    network, x = Conv1dDiscriminator((24, 2), 0, **SIZES, shuffle=2), torch.rand(3, 24, 2)
    assert len({network(x)[0].item() for _ in range(20)}) > 1
    assert torch.equal(network.eval()(x), network(x))
    unshifted = Conv1dDiscriminator((24, 2), 0, **SIZES, shuffle=0)
    assert torch.equal(unshifted(x), unshifted(x))
    with pytest.raises(UserError, match="the last layer but one has 3 steps"):
        Conv1dDiscriminator((12, 2), 0, **SIZES, shuffle=3)


def test_invalid_arguments():
    with pytest.raises(UserError, match="needs sequences"):
        Conv1dGenerator((1, 8, 8), 0, 8, **SIZES)
    with pytest.raises(UserError, match="kernel=1: it must be a whole number, at least 2"):
        Conv1dGenerator((24, 1), 0, 8, **SIZES | {"kernel": 1})
