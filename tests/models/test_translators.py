"""Translators and PatchGAN: shapes, skips, noise, receptive fields."""

import pytest
import torch

from gan_cli.errors import UserError
from gan_cli.models.patch import PatchDiscriminator
from gan_cli.models.translators import ResNetTranslator, UNetTranslator

SIDES = [8, 16, 32, 64, 128, 256]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def unet(side: int, source=1, channels: int = 3, **options) -> UNetTranslator:
    return UNetTranslator((channels, side, side), 0, source and (source, side, side), width=2, **options)


def resnet(side: int, source=1, channels: int = 3, **options) -> ResNetTranslator:
    return ResNetTranslator((channels, side, side), 0, source and (source, side, side), width=2, blocks=1, **options)


@pytest.mark.parametrize("make", [unet, resnet])
@pytest.mark.parametrize("side", SIDES)
def test_sides_and_channels(make, side):
    network = make(side)
    assert network.latent_dim == 0
    y = 2 * torch.rand(2, 1, side, side) - 1
    x = network(torch.zeros(2, 0), y)
    assert x.shape == (2, 3, side, side)
    assert x.abs().max() <= 1
    assert len(getattr(network, "down", range(1))) == (side.bit_length() - 1 if make is unet else 1)


@pytest.mark.parametrize("make", [unet, resnet])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_norms(make, norm):
    x = make(16, norm=norm)(torch.zeros(2, 0), torch.randn(2, 1, 16, 16))
    x.square().sum().backward()
    assert x.isfinite().all()


@pytest.mark.parametrize("make", [unet, resnet])
def test_without_sources_noise_is_translated(make):
    network = make(8, source=None)
    assert network.latent_dim == 3 * 64
    z = torch.randn(4, network.latent_dim)
    network.eval()
    torch.manual_seed(1)
    x = network(z, torch.arange(4))
    assert x.shape == (4, 3, 8, 8)
    torch.manual_seed(1)
    assert torch.equal(network(z), x), "labels are ignored"


def test_published_unet():
    """16 layers, widths 64-128-256-512-512-512-512-512 and back, and a skip to each but the innermost."""
    with torch.device("meta"):
        network = UNetTranslator((3, 256, 256), 0, (3, 256, 256), width=64)
    down = [layer[-1 if len(layer) < 3 else -2] for layer in network.down]
    assert [c.out_channels for c in down] == [64, 128, 256, 512, 512, 512, 512, 512]
    up = [next(m for m in layer if isinstance(m, torch.nn.ConvTranspose2d)) for layer in network.up]
    assert [c.in_channels for c in up] == [512, 1024, 1024, 1024, 1024, 512, 256, 128]
    assert [c.out_channels for c in up] == [512, 512, 512, 512, 256, 128, 64, 3]
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(54.4e6, rel=0.01)


def test_published_resnet():
    with torch.device("meta"):
        network = ResNetTranslator((3, 256, 256), 0, (3, 256, 256), width=64)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(11.4e6, rel=0.01)


def test_skips_reach_the_output():
    """An output pixel depends most on the input near it, which cannot pass the bottleneck."""
    network = unet(16, dropout=0.0, norm="none").eval()
    y = torch.randn(1, 1, 16, 16, requires_grad=True)
    x = network(torch.zeros(1, 0), y)
    (gradient,) = torch.autograd.grad(x[0, :, 8, 8].sum(), y)
    near, far = gradient[0, 0, 6:11, 6:11].abs().mean(), gradient[0, 0, :3, :3].abs().mean()
    assert near > 3 * far


def test_dropout_is_active_in_eval_mode():
    y = torch.randn(4, 1, 16, 16)
    network = unet(16).eval()
    assert not torch.equal(network(torch.zeros(4, 0), y), network(torch.zeros(4, 0), y))
    for deterministic in (unet(16, dropout=0.0), unet(16, dropouts=0)):
        deterministic.eval()
        assert torch.equal(deterministic(torch.zeros(4, 0), y), deterministic(torch.zeros(4, 0), y))


@pytest.mark.parametrize(("n_layers", "field", "side"), [(1, 16, 64), (2, 34, 64), (3, 70, 128), (4, 142, 256)])
def test_receptive_field_of_a_logit(n_layers, field, side):
    network = PatchDiscriminator((1, side, side), 0, None, width=2, n_layers=n_layers, norm="none").double()
    x = torch.randn(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    logits = network(x)
    assert logits.shape == (1, 1, side // 2**n_layers - 2, side // 2**n_layers - 2)
    middle = logits.shape[-1] // 2
    (gradient,) = torch.autograd.grad(logits[0, 0, middle, middle], x)
    rows, columns = torch.nonzero(gradient[0, 0]).T
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (field, field)


def test_patch_discriminator_needs_the_sources():
    network = PatchDiscriminator((3, 16, 16), 0, (1, 16, 16), width=2, n_layers=1, norm="none")
    x, y = torch.randn(2, 3, 16, 16), torch.randn(2, 1, 16, 16)
    assert network(x, y).shape == (2, 1, 6, 6)
    assert not torch.equal(network(x, y), network(x, -y))
    with pytest.raises(UserError, match="together with their sources"):
        network(x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: unet(16, norm="layer"), "norm='layer': it must be one of batch, instance, none"),
        (lambda: unet(16, dropout=1.0), r"dropout=1\.0"),
        (lambda: unet(24), "power of two"),
        (lambda: UNetTranslator((1, 16, 16), 0, (1, 8, 8), 2), "which is 16, but theirs is 8"),
        (
            lambda: PatchDiscriminator((1, 16, 16), 0, None, 2, n_layers=3),
            "n_layers=3 needs images of at least 32 pixels, not 16",
        ),
        (lambda: unet(16)(torch.zeros(1, 0)), "needs sources"),
    ],
)
def test_invalid_arguments(make, message):
    with pytest.raises(UserError, match=message):
        make()
