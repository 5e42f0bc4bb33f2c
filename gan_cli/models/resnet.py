"""Residual networks: SNGAN's (Miyato et al., 2018), WGAN-GP's (Gulrajani et al., 2017), and without norm; 8 to 256 pixels."""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import relu

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.models.base import FeatureDiscriminator, Generator, image_size
from gan_cli.models.layers import (
    DownBlock,
    SelfAttention,
    UpBlock,
    convolution,
    initialise_fixup,
    initialise_glorot,
    no_norm,
    widths,
)

POOLS = ("sum", "mean", "flatten")


class ResNetGenerator(Generator):
    """A linear layer to 4x4, residual blocks that double the side, batch norm, ReLU, 3x3 convolution, tanh.

    ``width``: channels next to the image; each block before it has ``growth`` times as many, up to ``max_multiple`` times.
    At 32 pixels SNGAN has 256 channels everywhere, WGAN-GP 128. ``batch_norm``: in front of every ReLU; a network without it
    takes ``fixup``: every residual branch begins as 0.
    """

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
        self.to_image = nn.Sequential(norm(width), nn.ReLU(), convolution(width, channels), nn.Tanh())
        _initialise(self, fixup)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.to_image(self.blocks(self.stem(z).unflatten(1, (-1, 4, 4))))


class ResNetDiscriminator(FeatureDiscriminator):
    """Residual blocks that halve the side to ``last_side``, ``blocks`` more that keep it, ReLU, pooling, one logit ``[B]``.

    ``outputs``: numbers for each sample; of several the shape is ``[B, outputs]``.
    ``batch_norm``: in front of every ReLU; under a gradient penalty it becomes layer norm. ``fixup`` as in the generator.
    ``pool``: sum (SNGAN) or mean (WGAN-GP at 32) over all places, or flatten: no ReLU and no pooling, a weight for each place
    (WGAN-GP at 64). The other fields are ``Trunk``'s.
    """

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
        """What the last layer looks at: the trunk's map, pooled or flattened."""
        h = self.trunk(x)
        if self.pool == "flatten":
            return h.flatten(1)
        h = relu(h)
        return h.sum((2, 3)) if self.pool == "sum" else h.mean((2, 3))

    def judge(self, features: Tensor) -> Tensor:
        """The last linear layer."""
        return self.head(features).squeeze(1)


def _norm(batch_norm: bool) -> Callable[[int], nn.Module]:
    checks.flag("batch_norm", batch_norm)
    return nn.BatchNorm2d if batch_norm else no_norm


def _initialise(network: nn.Module, fixup: bool) -> None:
    checks.flag("fixup", fixup)
    (initialise_fixup if fixup else initialise_glorot)(network)


class Trunk(nn.Sequential):
    """Images ``[B, channels, size, size]`` to features ``[B, self.channels, self.side, self.side]``.

    ``width``: channels after the first halving; each further one has ``growth`` times as many, up to ``max_multiple`` times.
    ``last_side``: no block halves it, a power of two; ``blocks``: how many follow there at the same width. ``stem``: channels
    of a 3x3 convolution before the blocks; 0: the first block sees the image. ``wide``: a block
    widens in its first convolution (BigGAN), not in its second. ``norm``: channels -> what stands in front of every ReLU.
    ``attention``: the side at which self-attention follows a block, 0: nowhere.
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
            self.append(convolution(channels, stem))
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
    """UserError unless self-attention stands at one of ``sides``, or nowhere (0)."""
    checks.count("attention", attention, least=0)
    if attention and attention not in sides:
        there = ", ".join(map(str, sorted(set(sides))))
        raise FieldError("attention", attention, f"no block ends at this side. There is: {there}; 0 is no attention.")
