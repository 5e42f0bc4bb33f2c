"""unet_translator, unet_translator_small, resnet_translator, resnet_translator_small: image-to-image generators."""

from itertools import pairwise
from math import prod
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.errors import FieldError, UserError
from gan_cli.models.base import Generator, Kind, image_size
from gan_cli.models.dcgan import MAX_MULTIPLE, initialise
from gan_cli.parallel import draws

NORMS = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d, "none": None}


class Translator(Generator):
    """G(z, y): sources y ``[B, *source]`` to images ``[B, *shape]`` of the same side, in [-1, 1]; z is empty.

    For data without sources it is an ordinary generator: y is ignored, and z, noise of the image's shape, is translated.

    Args:
        shape: Shape of an image.
        source: Shape of a source; None for data without sources.
        network: Option of ``model``, for messages.

    Attributes:
        multiple: After training, sources of any height and width that it divides can be translated. None: only those of the
            images' side can.

    Raises:
        UserError: If images and sources do not have the same side, or if their shapes are not supported.
    """

    kind: ClassVar[Kind] = "convolutional"
    multiple: int | None = None

    def __init__(self, shape: tuple[int, ...], source: tuple[int, ...] | None, network: str) -> None:
        super().__init__()
        self.channels, self.side = image_size(shape, network)
        self.source = source
        self.latent_dim = 0 if source else prod(shape)
        self.inputs, side = image_size(source or shape, network)
        if side != self.side:
            raise UserError(f"model={network} needs sources of the images' side, which is {self.side}, but theirs is {side}.")

    def read(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Return the images to translate, ``[B, inputs, side, side]``."""
        if self.source is None:
            return z.view(-1, self.inputs, self.side, self.side)
        if y is None:
            raise UserError("a translator needs sources, but the samples have none.")
        return y


class UNetTranslator(Translator):
    """U-Net (Isola et al., 2017, section 6.1): 4x4 convolutions of stride 2 down to 1x1 and up again, with skips; tanh.

    The encoder is C64-C128-C256-C512-... with leaky ReLU. The decoder mirrors it with ReLU, and each of its layers also gets
    the output of the encoder's layer of its size.

    Args:
        source: Shape of a source; None for data without sources.
        width: Number of channels of the first layer; it doubles with each layer, up to 8 * ``width``.
        norm: Normalisation: batch, instance (the paper's batch norm at batch size 1) or none. The first layer and the layer at
            1x1, where normalisation would remove everything, have none.
        dropout: Probability of dropout in the decoder, in [0, 1). It is active in eval mode, too, as it is the noise of the
            paper's generator.
        dropouts: Number of layers with dropout, from the innermost one.

    Raises:
        UserError: If ``dropout`` is not in [0, 1) or ``norm`` is unknown.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        source: tuple[int, ...] | None,
        width: int,
        norm: str = "batch",
        dropout: float = 0.5,
        dropouts: int = 3,
    ) -> None:
        super().__init__(shape, source, "unet_translator")
        checks.counts(width=width)
        checks.count("dropouts", dropouts, least=0)
        checks.number("dropout", dropout, least=0)
        if dropout >= 1:
            raise FieldError("dropout", dropout, "it must be a probability below 1.")
        self.dropout, self.dropouts = dropout, dropouts
        levels = self.side.bit_length() - 1
        self.multiple = self.side
        widths = [width * min(2**level, MAX_MULTIPLE) for level in range(levels)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, (i, o) in enumerate(pairwise([self.inputs, *widths])):
            inner = 0 < level < levels - 1
            activation = [nn.LeakyReLU(0.2)] if level else []
            self.down.append(nn.Sequential(*activation, *conv4x4(i, o, norm if inner else "none")))
        for level in reversed(range(levels)):
            i = widths[level] * (1 if level == levels - 1 else 2)
            o = widths[level - 1] if level else self.channels
            self.up.append(nn.Sequential(nn.ReLU(), *conv4x4(i, o, norm if level else "none", up=True)))
        self.apply(initialise)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        x = self.read(z, y)
        skips = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        skips.pop()  # the innermost output is the decoder's input
        for depth, layer in enumerate(self.up):
            x = layer(x)
            if depth < min(self.dropouts, len(self.up) - 1) and self.dropout:
                x = draws.dropout(x, self.dropout)
            if skips:
                x = torch.cat([x, skips.pop()], dim=1)
        return x.tanh()


class ResNetTranslator(Translator):
    """Johnson's network in CycleGAN's form (Zhu et al., 2017, appendix 7.2): c7s1-64, d128, d256, R256 ..., u128, u64, c7s1-3.

    7x7, two 3x3 of stride 2, residual blocks, two transposed 3x3 of stride 2, 7x7 and tanh; ReLU, reflection padding.

    Args:
        source: Shape of a source; None for data without sources.
        width: Number of channels of the first layer.
        blocks: Number of residual blocks; 9 in the paper from 256 pixels, 6 below.
        norm: Normalisation: instance (the paper's), batch or none.

    Raises:
        UserError: If ``norm`` is unknown.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        source: tuple[int, ...] | None,
        width: int,
        blocks: int = 9,
        norm: str = "instance",
    ) -> None:
        super().__init__(shape, source, "resnet_translator")
        checks.counts(width=width, blocks=blocks)
        self.multiple = 4  # two convolutions of stride 2
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), *with_norm(nn.Conv2d(self.inputs, width, 7), width, norm), nn.ReLU()]
        for w in (width, 2 * width):
            layers += [*with_norm(nn.Conv2d(w, 2 * w, 3, 2, 1), 2 * w, norm), nn.ReLU()]
        layers += [TranslatorBlock(4 * width, norm) for _ in range(blocks)]
        for w in (2 * width, width):
            layers += [*with_norm(nn.ConvTranspose2d(2 * w, w, 3, 2, 1, output_padding=1), w, norm), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, self.channels, 7), nn.Tanh()]
        self.body = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.body(self.read(z, y))


class TranslatorBlock(nn.Module):
    """x + f(x), where f is two 3x3 convolutions with a ReLU between them and none after."""

    def __init__(self, width: int, norm: str) -> None:
        super().__init__()
        convolutions = [[nn.ReflectionPad2d(1), *with_norm(nn.Conv2d(width, width, 3), width, norm)] for _ in range(2)]
        self.body = nn.Sequential(*convolutions[0], nn.ReLU(), *convolutions[1])

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def conv4x4(i: int, o: int, norm: str, stride: int = 2, up: bool = False) -> list[nn.Module]:
    """Return a 4x4 convolution and its normalisation.

    Args:
        i: Number of input channels.
        o: Number of output channels.
        norm: Normalisation: batch, instance or none.
        stride: 2 halves the side, 1 reduces it by 1.
        up: Use a transposed convolution, which doubles the side.
    """
    kind = nn.ConvTranspose2d if up else nn.Conv2d
    return with_norm(kind(i, o, 4, stride, 1), o, norm)


def with_norm(layer: nn.Module, channels: int, norm: str) -> list[nn.Module]:
    """Return ``layer`` and its normalisation layer, if it has one.

    Raises:
        UserError: If ``norm`` is not batch, instance or none.
    """
    if norm not in NORMS:
        raise FieldError("norm", norm, f"it must be one of {', '.join(NORMS)}.")
    kind = NORMS[norm]
    return [layer] if kind is None else [layer, kind(channels)]
