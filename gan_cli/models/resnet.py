"""resnet_sngan, resnet_wgan_gp, resnet_fixup: residual networks for sides from 8 to 256, powers of two.

They are those of SNGAN (Miyato et al., 2018), of WGAN-GP (Gulrajani et al., 2017), and networks without normalisation.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import relu

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.models.base import FeatureDiscriminator, Generator, Kind, image_size
from gan_cli.models.layers import (
    DownBlock,
    SelfAttention,
    UpBlock,
    conv3x3,
    initialise_fixup,
    initialise_glorot,
    no_norm,
    widths,
)

POOLS = ("sum", "mean", "flatten")


class ResNetGenerator(Generator):
    """A linear layer to 4x4, residual blocks that double the side, batch norm, ReLU, 3x3 convolution, tanh.

    At 32 pixels all blocks have 256 channels in SNGAN and 128 in WGAN-GP.

    Args:
        latent_dim: Number of latents.
        width: Number of channels of the last block.
        growth: Ratio of the channels of a block to those of the next one.
        max_multiple: Largest number of channels, in multiples of ``width``.
        batch_norm: Use batch norm in front of every ReLU.
        fixup: Start every residual branch at 0, for networks without batch norm.
    """

    kind: ClassVar[Kind] = "convolutional"

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        latent_dim: int,
        width: int,
        growth: int,
        max_multiple: int,
        batch_norm: bool = True,
        fixup: bool = False,
    ) -> None:
        super().__init__()
        checks.counts(latent_dim=latent_dim, width=width, growth=growth, max_multiple=max_multiple)
        norm = _norm(batch_norm)
        self.latent_dim = latent_dim
        channels, size = image_size(shape, "resnet_*")
        sizes = widths(width, growth, max_multiple, size.bit_length() - 2)[::-1]  # at side 4, 8, ..., size
        self.stem = nn.Linear(latent_dim, sizes[0] * 4 * 4)
        self.blocks = nn.Sequential(*(UpBlock(i, o, norm) for i, o in pairwise(sizes)))
        self.to_image = nn.Sequential(norm(width), nn.ReLU(), conv3x3(width, channels), nn.Tanh())
        _initialise(self, fixup)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.to_image(self.blocks(self.stem(z).unflatten(1, (-1, 4, 4))))


class ResNetDiscriminator(FeatureDiscriminator):
    """Residual blocks that halve the side to ``last_side``, ``blocks`` more that keep it, ReLU, pooling, and one logit ``[B]``.

    Args:
        width: See ``Trunk``.
        growth: See ``Trunk``.
        max_multiple: See ``Trunk``.
        last_side: See ``Trunk``.
        blocks: See ``Trunk``.
        pool: ``sum`` (SNGAN) or ``mean`` (WGAN-GP at 32 pixels) over all positions; ``flatten`` for no ReLU, no pooling and
            a weight for each position (WGAN-GP at 64 pixels).
        stem: See ``Trunk``.
        batch_norm: Use batch norm in front of every ReLU; a gradient penalty replaces it by layer norm.
        outputs: Numbers per sample; more than one give logits ``[B, outputs]``.
        fixup: Start every residual branch at 0, for networks without batch norm.

    Raises:
        UserError: If ``pool`` is unknown or the blocks do not fit the images.
    """

    kind: ClassVar[Kind] = "convolutional"

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        width: int,
        growth: int,
        max_multiple: int,
        last_side: int,
        blocks: int,
        pool: str,
        stem: int,
        batch_norm: bool,
        outputs: int = 1,
        fixup: bool = False,
    ) -> None:
        super().__init__()
        checks.counts(outputs=outputs)
        if pool not in POOLS:
            raise FieldError("pool", pool, f"it must be {', '.join(POOLS[:-1])} or {POOLS[-1]}.")
        channels, size = image_size(shape, "resnet_*")
        self.pool = pool
        self.trunk = Trunk(channels, size, width, growth, max_multiple, last_side, blocks, stem, norm=_norm(batch_norm))
        self.feature_dim = self.trunk.channels * (self.trunk.side**2 if pool == "flatten" else 1)
        self.head = nn.Linear(self.feature_dim, outputs)
        _initialise(self, fixup)

    def features(self, x: Tensor) -> Tensor:
        """Return the trunk's output, pooled or flattened."""
        h = self.trunk(x)
        if self.pool == "flatten":
            return h.flatten(1)
        h = relu(h)
        return h.sum((2, 3)) if self.pool == "sum" else h.mean((2, 3))

    def logits(self, features: Tensor) -> Tensor:
        """Apply the last linear layer."""
        return self.head(features).squeeze(1)


def _norm(batch_norm: bool) -> Callable[[int], nn.Module]:
    checks.flag("batch_norm", batch_norm)
    return nn.BatchNorm2d if batch_norm else no_norm


def _initialise(network: nn.Module, fixup: bool) -> None:
    checks.flag("fixup", fixup)
    (initialise_fixup if fixup else initialise_glorot)(network)


class Trunk(nn.Sequential):
    """Images ``[B, channels, size, size]`` to features ``[B, self.channels, self.side, self.side]``.

    Args:
        channels: Number of channels of the images.
        size: Side of the images, a power of two.
        width: Number of channels after the first halving.
        growth: Ratio of the channels after a halving to those before.
        max_multiple: Largest number of channels, in multiples of ``width``.
        last_side: Side down to which blocks halve, a power of two.
        blocks: Number of further blocks, which keep the side and the number of channels.
        stem: Number of channels of a 3x3 convolution in front of the blocks; 0 for none.
        wide: Change the number of channels in the first convolution of a block (BigGAN) instead of the second.
        attention: Side of the block that self-attention follows; 0 for none.
        norm: Function that makes the layer in front of every ReLU for a number of channels.

    Raises:
        UserError: If ``last_side`` is no power of two, if no block is left, or if no block ends at the side ``attention``.
    """

    def __init__(
        self,
        channels: int,
        size: int,
        width: int,
        growth: int,
        max_multiple: int,
        last_side: int,
        blocks: int,
        stem: int = 0,
        wide: bool = False,
        attention: int = 0,
        norm: Callable[[int], nn.Module] = no_norm,
    ) -> None:
        super().__init__()
        checks.counts(width=width, growth=growth, max_multiple=max_multiple, last_side=last_side)
        checks.count("blocks", blocks, least=0)
        checks.count("stem", stem, least=0)
        if last_side & (last_side - 1):
            raise FieldError("last_side", last_side, "it must be a power of two, for instance 8.")
        halvings = max(0, size.bit_length() - last_side.bit_length())
        if halvings + blocks == 0:
            raise FieldError("last_side", last_side, f"with blocks=0 it leaves no block for images of {size} pixels: lower it.")
        outputs = widths(width, growth, max_multiple, max(1, halvings))
        outputs += [outputs[-1]] * (halvings + blocks - len(outputs))
        if stem:
            self.append(conv3x3(channels, stem))
        inputs, side, sides = stem or channels, size, []
        for index, o in enumerate(outputs):
            halves = index < halvings
            hidden = o if wide or (index == 0 and not stem) else inputs
            self.append(DownBlock(inputs, o, hidden, halves, index == 0 and not stem, norm))
            inputs, side = o, side // 2 if halves else side
            if side == attention and side not in sides:
                self.append(SelfAttention(o))
            sides.append(side)
        require_side(attention, sides)
        self.channels, self.side = inputs, side


def require_side(attention: int, sides: list[int]) -> None:
    """Check that a block ends at the side ``attention``, or that it is 0.

    Raises:
        UserError: If ``attention`` is neither 0 nor one of ``sides``.
    """
    checks.count("attention", attention, least=0)
    if attention and attention not in sides:
        options = ", ".join(map(str, sorted(set(sides))))
        problem = f"no block ends at this side. Use one of: {options}; or 0 for no attention."
        raise FieldError("attention", attention, problem)
