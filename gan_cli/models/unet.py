"""The U-Net of Ho et al., 2020, which predicts the noise in an image."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.models.base import Denoiser, image_size, looked_at
from gan_cli.models.embedding import Embedding, linear

GROUPS = 32
"""Groups of a normalisation, fewer where one would have under four channels."""


class UNet(Denoiser):
    """(x_t, t, y) -> noise: residual blocks down to small sides and up again, where each meets what it passed on the way down.

    ``width``: channels at full size; ``multiples``: of it at full size, half of it, a quarter, ...; ``blocks``: residual blocks
    of each size on the way down, one more on the way up. ``attention``: the sides at which self-attention follows every
    block; it always stands in the middle. ``dropout``: in every block. ``patch``: side of the squares of pixels that become
    the channels of one place, so that a small machine is spared the full size (1: none). ``conditional``: whether it
    looks at the classes.
    All begins as in the authors' code: variance 2 / (fan in + fan out), and 0 where a residual or the output is made.

    Raises UserError for images that are not square, of a side other than a power of two, or too small for ``multiples``.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        width: int,
        multiples: Sequence[int],
        blocks: int,
        attention: Sequence[int],
        dropout: float,
        patch: int,
        conditional: bool,
    ) -> None:
        super().__init__()
        for name, values in (("multiples", multiples), ("attention", attention)):
            checks.listed(name, values)
            checks.counts(**{f"{name}[{i}]": value for i, value in enumerate(values)})
        checks.counts(width=width, blocks=blocks, patch=patch)
        checks.share("dropout", dropout)
        channels, size = image_size(shape, "unet", "model/denoiser")
        if size % patch:
            raise FieldError("patch", patch, f"{size}x{size} pixels cannot be cut into such squares.")
        size, channels = size // patch, channels * patch**2
        if not 0 < len(multiples) <= size.bit_length():
            raise FieldError(
                *("multiples", list(multiples)),
                f"{size}x{size} places can be halved {size.bit_length() - 1} times, so that there must be 1 to "
                f"{size.bit_length()} of them.",
            )
        self.patch = patch
        self.shape, self.classes = tuple(shape), looked_at(classes, conditional)
        told = 4 * width
        self.embedding = Embedding(width, told, self.classes)
        sides = [size >> level for level in range(len(multiples))]
        widths = [width * multiple for multiple in multiples]

        def stage(inputs: int, outputs: int, side: int) -> Stage:
            return Stage(ResidualBlock(inputs, outputs, told, dropout), Attention(outputs) if side in attention else None)

        self.first = convolution(channels, width, 3)
        self.down, passed = nn.ModuleList(), [width]
        for level, (side, outputs) in enumerate(zip(sides, widths, strict=True)):
            for _ in range(blocks):
                self.down.append(stage(passed[-1], outputs, side))
                passed.append(outputs)
            if level < len(sides) - 1:
                self.down.append(Halve(outputs))
                passed.append(outputs)
        deepest = widths[-1]
        self.middle = nn.ModuleList(
            [
                Stage(ResidualBlock(deepest, deepest, told, dropout), Attention(deepest)),
                Stage(ResidualBlock(deepest, deepest, told, dropout), None),
            ]
        )
        self.up, inputs = nn.ModuleList(), deepest
        for level in reversed(range(len(sides))):
            for _ in range(blocks + 1):
                self.up.append(stage(inputs + passed.pop(), widths[level], sides[level]))
                inputs = widths[level]
            if level:
                self.up.append(Double(inputs))
        self.last = nn.Sequential(normalised(inputs), nn.SiLU(), convolution(inputs, channels, 3, gain=0))

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        e = self.embedding(t, y)
        passed = [self.first(F.pixel_unshuffle(x, self.patch))]
        for layer in self.down:
            passed.append(layer(passed[-1], e))
        h = passed[-1]
        for layer in self.middle:
            h = layer(h, e)
        for layer in self.up:
            h = layer(h, e) if isinstance(layer, Double) else layer(torch.cat([h, passed.pop()], 1), e)
        return F.pixel_shuffle(self.last(h), self.patch)


class Stage(nn.Module):
    """A residual block, and self-attention after it where there is any."""

    def __init__(self, block: "ResidualBlock", attention: "Attention | None") -> None:
        super().__init__()
        self.block, self.attention = block, attention or nn.Identity()

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        return self.attention(self.block(x, e))


class ResidualBlock(nn.Module):
    """x + two convolutions, group norm and SiLU before each, the embedding ``[B, told]`` added between them."""

    def __init__(self, inputs: int, outputs: int, told: int, dropout: float) -> None:
        super().__init__()
        self.before = nn.Sequential(normalised(inputs), nn.SiLU(), convolution(inputs, outputs, 3))
        self.told = nn.Sequential(nn.SiLU(), linear(told, outputs))
        self.after = nn.Sequential(
            normalised(outputs), nn.SiLU(), nn.Dropout(dropout), convolution(outputs, outputs, 3, gain=0)
        )
        self.shortcut = nn.Identity() if inputs == outputs else convolution(inputs, outputs, 1)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        return self.shortcut(x) + self.after(self.before(x) + self.told(e)[:, :, None, None])


class Attention(nn.Module):
    """x + self-attention of one head among all places of ``[B, C, H, W]``: softmax(q'k / sqrt C) v."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = normalised(channels)
        self.queries, self.keys, self.values = (convolution(channels, channels, 1) for _ in range(3))
        self.out = convolution(channels, channels, 1, gain=0)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        q, k, v = (project(h).flatten(2) for project in (self.queries, self.keys, self.values))
        # spelt out: the fused one cannot be differentiated twice, which the diagnostics of the game do
        weights = torch.softmax(q.mT @ k / q.shape[1] ** 0.5, -1)
        return x + self.out((v @ weights.mT).reshape(x.shape))


class Halve(nn.Module):
    """A strided convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = convolution(channels, channels, 3, 2)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        return self.body(x)


class Double(nn.Module):
    """Each pixel four times, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = convolution(channels, channels, 3)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        return self.body(x.repeat_interleave(2, 2).repeat_interleave(2, 3))  # interpolate has no deterministic gradient


def normalised(channels: int) -> nn.GroupNorm:
    """Group norm with 32 groups, or as many as leave four channels to each and divide ``channels``."""
    most = min(GROUPS, max(1, channels // 4))
    return nn.GroupNorm(next(groups for groups in range(most, 0, -1) if channels % groups == 0), channels, eps=1e-6)


def convolution(inputs: int, outputs: int, size: int, stride: int = 1, gain: float = 1.0) -> nn.Conv2d:
    """A padded convolution whose weights begin with variance 2 gain^2 / (fan in + fan out), its biases at 0."""
    layer = nn.Conv2d(inputs, outputs, size, stride, size // 2)
    nn.init.xavier_uniform_(layer.weight, gain)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
