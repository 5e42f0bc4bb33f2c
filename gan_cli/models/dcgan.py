"""dcgan, dcgan_constant, dcgan_small, dcgan_tiny: DCGAN (Radford et al., 2016) for sides from 8 to 256, powers of two."""

from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from gan_cli import checks
from gan_cli.models.base import FeatureDiscriminator, Generator, Kind, image_size
from gan_cli.models.layers import through
from gan_cli.models.minibatch import minibatch_layers

MAX_MULTIPLE = 8
"""Largest number of channels, in multiples of the first layer's width, so that 128 and 256 pixels stay affordable."""


class DCGANGenerator(Generator):
    """Transposed convolutions from 4x4 upwards with batch norm and ReLU, and tanh at the end.

    ``growth=1, batch_norm=False`` is the constant-width generator of the WGAN paper's figure 6.

    Args:
        latent_dim: Number of latents.
        width: Number of channels of the layer next to the image.
        growth: Ratio of the channels of a layer to those of the next one; at most 8 * ``width`` channels.
        batch_norm: Use batch norm in front of every ReLU.
    """

    kind: ClassVar[Kind] = "convolutional"

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        latent_dim: int,
        width: int,
        growth: int = 2,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        checks.counts(latent_dim=latent_dim, width=width, growth=growth)
        checks.flag("batch_norm", batch_norm)
        self.latent_dim = latent_dim
        channels, size = image_size(shape, "dcgan")
        widths = _widths(width, growth, size)[::-1]
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent_dim, widths[0], 4, 1, 0, bias=not batch_norm)]
        for i, o in pairwise(widths):
            layers += _normalised(i, batch_norm)
            layers += [nn.ReLU(), nn.ConvTranspose2d(i, o, 4, 2, 1, bias=not batch_norm)]
        layers += _normalised(widths[-1], batch_norm)
        layers += [nn.ReLU(), nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1), nn.Tanh()]
        self.body = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.body(z[:, :, None, None])


class DCGANDiscriminator(FeatureDiscriminator):
    """Strided convolutions down to 4x4 with batch norm (not in the first layer) and leaky ReLU, and one logit ``[B]``.

    Every convolution has a bias.

    Args:
        width: Number of channels of the first layer.
        growth: Ratio of the channels of a layer to those of the previous one; at most 8 * ``width`` channels.
        batch_norm: Use batch norm; a gradient penalty replaces it by layer norm, spectral norm removes it.
        outputs: Numbers per sample; more than one give logits ``[B, outputs]``.
        minibatch_std: Add the batch's standard deviation as a channel before the last layer (Karras et al., 2018).
        minibatch_kernels: Number of closeness features of minibatch discrimination (Salimans et al., 2016); 0 for none.
        minibatch_dims: Dimension in which each of them measures the distance to the other samples.
    """

    kind: ClassVar[Kind] = "convolutional"

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        width: int,
        growth: int = 2,
        batch_norm: bool = True,
        outputs: int = 1,
        minibatch_std: bool = False,
        minibatch_kernels: int = 0,
        minibatch_dims: int = 16,
    ) -> None:
        super().__init__()
        checks.counts(width=width, growth=growth, outputs=outputs)
        checks.flag("batch_norm", batch_norm)
        channels, size = image_size(shape, "dcgan")
        widths = _widths(width, growth, size)
        layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
        for i, o in pairwise(widths):
            layers += [nn.Conv2d(i, o, 4, 2, 1), *_normalised(o, batch_norm), nn.LeakyReLU(0.2)]
        batch_layers, extra = minibatch_layers(widths[-1] * 16, minibatch_std, minibatch_kernels, minibatch_dims)
        layers += [*batch_layers, nn.Conv2d(widths[-1] + extra, outputs, 4, 1, 0)]
        self.body = nn.Sequential(*layers)
        self.feature_dim = (widths[-1] + extra) * 4 * 4
        self.apply(initialise)

    def features(self, x: Tensor) -> Tensor:
        """Return the 4x4 map in front of the last convolution, flattened."""
        return through(list(self.body)[:-1], x).flatten(1)

    def logits(self, features: Tensor) -> Tensor:
        """Apply the last convolution, which covers the whole map."""
        return self.body[-1](features.unflatten(1, (-1, 4, 4))).flatten(1).squeeze(1)


def initialise(module: nn.Module) -> None:
    """Initialise weights from N(0, 0.02), batch norm's gains from N(1, 0.02), biases at 0 (Radford et al., 2016, section 4)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def _widths(width: int, growth: int, size: int) -> list[int]:
    """Return the channels at the sides size/2, size/4, ..., 4."""
    levels = size.bit_length() - 3
    return [width * min(growth**level, MAX_MULTIPLE) for level in range(levels)]


def _normalised(channels: int, batch_norm: bool) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels)] if batch_norm else []
