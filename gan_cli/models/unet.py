"""unet, unet_small: the U-Net of Ho et al. (2020), which predicts the noise in an image."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.models.base import Denoiser, Kind, effective_classes, image_size
from gan_cli.models.time_embedding import TimeEmbedding, glorot_linear
from gan_cli.parallel import draws

GROUPS = 32
"""Number of groups of a group norm; fewer if a group would have less than four channels."""


class UNet(Denoiser):
    """(x_t, t, y) -> noise: residual blocks down to small sides and up again, with skips from each block on the way down.

    Weights start as in the authors' code: with variance 2 / (fan in + fan out), and at 0 in the last convolution of a
    residual branch and of the network.

    Args:
        width: Number of channels at full size.
        multiples: Number of channels at full size, half of it, a quarter, ..., in multiples of ``width``.
        blocks: Number of residual blocks of each size on the way down; there is one more on the way up.
        attention: Sides at which self-attention follows every block. The middle always has it.
        dropout: Probability of dropout in every block, in [0, 1].
        patch: Side in pixels of the patches that become the channels of one position, which saves memory and time at full
            size; 1 for none.
        conditional: Depend on the classes.

    Raises:
        UserError: If the images are not square, if their side is no power of two or too small for ``multiples``, or if
            ``conditional`` is true and the data set has no classes.
    """

    kind: ClassVar[Kind] = "attentive"

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
        channels, size = image_size(shape, "unet", "model/denoiser", "Use model/denoiser=mlp for points.")
        if size % patch:
            raise FieldError("patch", patch, f"{size}x{size} pixels cannot be divided into such patches.")
        size, channels = size // patch, channels * patch**2
        if not 0 < len(multiples) <= size.bit_length():
            raise FieldError(
                *("multiples", list(multiples)),
                f"{size}x{size} can be halved {size.bit_length() - 1} times, so the list must have 1 to "
                f"{size.bit_length()} numbers.",
            )
        self.patch = patch
        self.shape, self.classes = tuple(shape), effective_classes(classes, conditional)
        embedding_dim = 4 * width
        self.embedding = TimeEmbedding(width, embedding_dim, self.classes)
        sides = [size >> level for level in range(len(multiples))]
        widths = [width * multiple for multiple in multiples]

        def stage(inputs: int, outputs: int, side: int) -> Stage:
            block = ResidualBlock(inputs, outputs, embedding_dim, dropout)
            return Stage(block, AttentionBlock(outputs) if side in attention else None)

        self.first = scaled_conv(channels, width, 3)
        self.down, skips = nn.ModuleList(), [width]
        for level, (side, outputs) in enumerate(zip(sides, widths, strict=True)):
            for _ in range(blocks):
                self.down.append(stage(skips[-1], outputs, side))
                skips.append(outputs)
            if level < len(sides) - 1:
                self.down.append(Downsample(outputs))
                skips.append(outputs)
        deepest = widths[-1]
        self.middle = nn.ModuleList(
            [
                Stage(ResidualBlock(deepest, deepest, embedding_dim, dropout), AttentionBlock(deepest)),
                Stage(ResidualBlock(deepest, deepest, embedding_dim, dropout), None),
            ]
        )
        self.up, inputs = nn.ModuleList(), deepest
        for level in reversed(range(len(sides))):
            for _ in range(blocks + 1):
                self.up.append(stage(inputs + skips.pop(), widths[level], sides[level]))
                inputs = widths[level]
            if level:
                self.up.append(Upsample(inputs))
        self.last = nn.Sequential(group_norm(inputs), nn.SiLU(), scaled_conv(inputs, channels, 3, gain=0))

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        e = self.embedding(t, y)
        skips = [self.first(F.pixel_unshuffle(x, self.patch))]
        for layer in self.down:
            skips.append(layer(skips[-1], e))
        h = skips[-1]
        for layer in self.middle:
            h = layer(h, e)
        for layer in self.up:
            h = layer(h, e) if isinstance(layer, Upsample) else layer(torch.cat([h, skips.pop()], 1), e)
        return F.pixel_shuffle(self.last(h), self.patch)


class Stage(nn.Module):
    """A residual block, optionally followed by self-attention."""

    def __init__(self, block: "ResidualBlock", attention: "AttentionBlock | None") -> None:
        super().__init__()
        self.block, self.attention = block, attention or nn.Identity()

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        return self.attention(self.block(x, e))


class ResidualBlock(nn.Module):
    """x + two convolutions with group norm and SiLU before each; the embedding ``[B, embedding_dim]`` is added between them."""

    def __init__(self, inputs: int, outputs: int, embedding_dim: int, dropout: float) -> None:
        super().__init__()
        self.before = nn.Sequential(group_norm(inputs), nn.SiLU(), scaled_conv(inputs, outputs, 3))
        self.from_embedding = nn.Sequential(nn.SiLU(), glorot_linear(embedding_dim, outputs))
        self.after = nn.Sequential(
            group_norm(outputs), nn.SiLU(), draws.Dropout(dropout), scaled_conv(outputs, outputs, 3, gain=0)
        )
        self.shortcut = nn.Identity() if inputs == outputs else scaled_conv(inputs, outputs, 1)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        return self.shortcut(x) + self.after(self.before(x) + self.from_embedding(e)[:, :, None, None])


class AttentionBlock(nn.Module):
    """x + single-head self-attention over all positions of ``[B, C, H, W]``: softmax(q'k / sqrt C) v."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = group_norm(channels)
        self.queries, self.keys, self.values = (scaled_conv(channels, channels, 1) for _ in range(3))
        self.out = scaled_conv(channels, channels, 1, gain=0)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        q, k, v = (project(h).flatten(2) for project in (self.queries, self.keys, self.values))
        # torch's fused attention has no second derivative, which the diagnostics of the game need
        weights = torch.softmax(q.mT @ k / q.shape[1] ** 0.5, -1)
        return x + self.out((v @ weights.mT).reshape(x.shape))


class Downsample(nn.Module):
    """A convolution of stride 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = scaled_conv(channels, channels, 3, 2)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        return self.body(x)


class Upsample(nn.Module):
    """Nearest-neighbour upsampling by 2, followed by a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = scaled_conv(channels, channels, 3)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        return self.body(x.repeat_interleave(2, 2).repeat_interleave(2, 3))  # interpolate's gradient is not deterministic


def group_norm(channels: int) -> nn.GroupNorm:
    """Return a group norm with at most 32 groups of at least four channels each, where ``channels`` allows."""
    most = min(GROUPS, max(1, channels // 4))
    return nn.GroupNorm(next(groups for groups in range(most, 0, -1) if channels % groups == 0), channels, eps=1e-6)


def scaled_conv(inputs: int, outputs: int, size: int, stride: int = 1, gain: float = 1.0) -> nn.Conv2d:
    """Return a padded convolution with weights of variance 2 gain^2 / (fan in + fan out) and biases 0."""
    layer = nn.Conv2d(inputs, outputs, size, stride, size // 2)
    nn.init.xavier_uniform_(layer.weight, gain)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
