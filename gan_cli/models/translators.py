"""Networks that make an image of another image."""

from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from gan_cli import checks
from gan_cli.errors import FieldError, UserError
from gan_cli.models.base import Generator, image_size
from gan_cli.models.dcgan import MAX_MULTIPLE, initialise

NORMS = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d, "none": None}


class Translator(Generator):
    """G(z, y): sources y ``[B, *source]`` to images ``[B, *shape]`` of the same side, in [-1, 1]; z is empty.

    Of data without sources it generates: y is ignored and z, noise of the image's own shape, is what it translates.
    """

    def __init__(self, shape: tuple[int, ...], source: tuple[int, ...] | None, network: str) -> None:
        super().__init__()
        self.channels, self.side = image_size(shape, network)
        self.source = source
        self.latent_dim = 0 if source else prod(shape)
        self.inputs, side = image_size(source or shape, network)
        if side != self.side:
            raise UserError(f"model={network} makes images of the side of their sources: {self.side} here, but sources {side}.")

    def read(self, z: Tensor, y: Tensor | None) -> Tensor:
        """What is translated, ``[B, inputs, side, side]``."""
        if self.source is None:
            return z.view(-1, self.inputs, self.side, self.side)
        if y is None:
            raise UserError("a translator needs sources.")
        return y


class UNetTranslator(Translator):
    """U-Net (Isola et al., 2017, section 6.1): 4x4 convolutions of stride 2 down to 1x1 and up again, with skips; tanh.

    Encoder C64-C128-C256-C512-..., leaky ReLU; decoder mirrored, ReLU, each layer seeing the encoder's of its size too.
    ``width``: of the first layer, doubled by each up to 8 times. ``norm``: batch, instance (what batch norm is at batch size 1
    in the paper) or none; neither in the first layer nor at 1x1, where it would leave nothing. ``dropout``: probability, in the
    ``dropouts`` innermost layers of the decoder; never switched off, since it is the noise of the paper's generator.
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
            raise FieldError("dropout", dropout, "it is a probability below 1.")
        self.dropout, self.dropouts = dropout, dropouts
        levels = self.side.bit_length() - 1
        widths = [width * min(2**level, MAX_MULTIPLE) for level in range(levels)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, (i, o) in enumerate(pairwise([self.inputs, *widths])):
            inner = 0 < level < levels - 1
            activation = [nn.LeakyReLU(0.2)] if level else []
            self.down.append(nn.Sequential(*activation, *convolution(i, o, norm if inner else "none")))
        for level in reversed(range(levels)):
            i = widths[level] * (1 if level == levels - 1 else 2)
            o = widths[level - 1] if level else self.channels
            self.up.append(nn.Sequential(nn.ReLU(), *convolution(i, o, norm if level else "none", up=True)))
        self.apply(initialise)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        x = self.read(z, y)
        skips = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        skips.pop()  # the innermost is what the decoder begins with
        for depth, layer in enumerate(self.up):
            x = layer(x)
            if depth < min(self.dropouts, len(self.up) - 1) and self.dropout:
                x = functional.dropout(x, self.dropout)
            if skips:
                x = torch.cat([x, skips.pop()], dim=1)
        return x.tanh()


class ResNetTranslator(Translator):
    """Johnson's network as CycleGAN has it (Zhu et al., 2017, appendix 7.2): c7s1-64, d128, d256, R256 ..., u128, u64, c7s1-3.

    7x7, two 3x3 of stride 2, ``blocks`` residual blocks (the paper: 9 from 256 pixels, else 6), two transposed 3x3 of stride 2,
    7x7 and tanh; ReLU, reflected borders. ``width``: of the first layer. ``norm``: instance (the paper's), batch or none.
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
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), *normalised(nn.Conv2d(self.inputs, width, 7), width, norm), nn.ReLU()]
        for w in (width, 2 * width):
            layers += [*normalised(nn.Conv2d(w, 2 * w, 3, 2, 1), 2 * w, norm), nn.ReLU()]
        layers += [Residual(4 * width, norm) for _ in range(blocks)]
        for w in (2 * width, width):
            layers += [*normalised(nn.ConvTranspose2d(2 * w, w, 3, 2, 1, output_padding=1), w, norm), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, self.channels, 7), nn.Tanh()]
        self.body = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.body(self.read(z, y))


class Residual(nn.Module):
    """x + two 3x3 convolutions of it, ReLU between them and none after."""

    def __init__(self, width: int, norm: str) -> None:
        super().__init__()
        convolutions = [[nn.ReflectionPad2d(1), *normalised(nn.Conv2d(width, width, 3), width, norm)] for _ in range(2)]
        self.body = nn.Sequential(*convolutions[0], nn.ReLU(), *convolutions[1])

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def convolution(i: int, o: int, norm: str, stride: int = 2, up: bool = False) -> list[nn.Module]:
    """A 4x4 convolution that halves (``up``: doubles) the side, or shortens it by 1 (``stride=1``), normalised."""
    kind = nn.ConvTranspose2d if up else nn.Conv2d
    return normalised(kind(i, o, 4, stride, 1), o, norm)


def normalised(layer: nn.Module, channels: int, norm: str) -> list[nn.Module]:
    """``layer`` and its normalisation. UserError for an unknown one."""
    if norm not in NORMS:
        raise FieldError("norm", norm, f"it must be one of {', '.join(NORMS)}.")
    kind = NORMS[norm]
    return [layer] if kind is None else [layer, kind(channels)]
