"""BigGAN (Brock et al., 2019) at any power of two from 8 to 256."""

from functools import partial
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from gan_cli import checks
from gan_cli.models.base import Discriminator, Generator, image_size
from gan_cli.models.conditional import given, require_classes
from gan_cli.models.layers import (
    ConditionalBatchNorm2d,
    SelfAttention,
    UpBlock,
    convolution,
    initialise_orthogonal,
    widths,
)
from gan_cli.models.resnet import Trunk, require_side


class BigGANGenerator(Generator):
    """Residual blocks from 4x4 upwards whose batch norms are conditioned on the class and on a part of z.

    ``embedding_dim``: of the class embedding that all blocks share. ``hierarchical``: z is split into a part for the
    linear layer and one for every block, of sizes that differ by 1 at most; a block's condition is its part joined to the
    embedding. Otherwise the linear layer takes all of z, and the condition is the embedding. ``width``, ``growth`` and
    ``max_multiple`` as in the residual networks. ``attention``: the side after whose block self-attention stands, 0: nowhere.
    Spectral normalisation comes from regularizer=spectral_norm_both. Weights begin orthogonal.
    """

    conditional: ClassVar[bool] = True

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        latent_dim: int,
        width: int,
        growth: int,
        max_multiple: int,
        embedding_dim: int,
        hierarchical: bool,
        attention: int,
    ) -> None:
        super().__init__()
        require_classes(classes)
        checks.counts(width=width, growth=growth, max_multiple=max_multiple, embedding_dim=embedding_dim)
        checks.flag("hierarchical", hierarchical)
        channels, size = image_size(shape, "biggan")
        sizes = widths(width, growth, max_multiple, size.bit_length() - 2)[::-1]  # at side 4, 8, ..., size
        checks.count("latent_dim", latent_dim, least=len(sizes) if hierarchical else 1)
        self.latent_dim = latent_dim
        first, *parts = part_sizes(latent_dim, len(sizes)) if hierarchical else [latent_dim, *[0] * (len(sizes) - 1)]
        self.parts = (first, *parts)
        self.embedding = nn.Embedding(classes, embedding_dim)
        self.stem = nn.Linear(first, sizes[0] * 4 * 4)
        norms = [partial(ConditionalBatchNorm2d, condition=embedding_dim + part) for part in parts]
        self.blocks = nn.ModuleList(UpBlock(i, o, norm) for (i, o), norm in zip(pairwise(sizes), norms, strict=True))
        sides = [8 << index for index in range(len(self.blocks))]
        require_side(attention, sides)
        self.attentions = nn.ModuleList(
            SelfAttention(o) if side == attention else nn.Identity() for side, o in zip(sides, sizes[1:], strict=True)
        )
        self.to_image = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), convolution(width, channels), nn.Tanh())
        initialise_orthogonal(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        label = self.embedding(given(y))
        first, *parts = z.split(self.parts, dim=1)
        h = self.stem(first).unflatten(1, (-1, 4, 4))
        for block, attention, part in zip(self.blocks, self.attentions, parts, strict=True):
            h = attention(block(h, torch.cat([label, part], dim=1)))
        return self.to_image(h)


class BigGANDiscriminator(Discriminator):
    """D(x, y) = (w + v_y) h(x) + b, Miyato and Koyama's projection (2018); h(x): residual blocks, ReLU, sum over all places.

    ``width``, ``growth``, ``max_multiple``, ``last_side``, ``blocks`` and ``attention`` as in ``Trunk``, whose blocks are wide.
    """

    conditional: ClassVar[bool] = True

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        width: int,
        growth: int,
        max_multiple: int,
        last_side: int,
        blocks: int,
        attention: int,
    ) -> None:
        super().__init__()
        require_classes(classes)
        channels, size = image_size(shape, "biggan")
        self.trunk = Trunk(channels, size, width, growth, max_multiple, last_side, blocks, wide=True, attention=attention)
        self.head = nn.Linear(self.trunk.channels, 1)
        self.embedding = nn.Embedding(classes, self.trunk.channels)
        initialise_orthogonal(self)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        h = relu(self.trunk(x)).sum((2, 3))
        return self.head(h).squeeze(1) + (self.embedding(given(y)) * h).sum(1)


def part_sizes(n: int, parts: int) -> list[int]:
    """``n`` in ``parts`` whole numbers that differ by 1 at most, the larger ones first."""
    return [n // parts + (index < n % parts) for index in range(parts)]
