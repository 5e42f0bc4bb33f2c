"""biggan, biggan_128, biggan_small: BigGAN (Brock et al., 2019) for sides that are powers of two from 8 to 256."""

from functools import partial
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from gan_cli import checks
from gan_cli.models.base import Discriminator, Generator, Kind, image_size
from gan_cli.models.conditional import embedded, require_classes, require_labels
from gan_cli.models.layers import (
    ConditionalBatchNorm2d,
    SelfAttention,
    UpBlock,
    conv3x3,
    initialise_orthogonal,
    widths,
)
from gan_cli.models.resnet import Trunk, require_side


class BigGANGenerator(Generator):
    """Residual blocks from 4x4 upwards with batch norms that are conditioned on the class and on a part of z.

    Spectral normalisation comes from regularizer=spectral_norm_both. Weights start orthogonal.

    Args:
        latent_dim: Number of latents.
        width: Number of channels of the last block.
        growth: Ratio of the channels of a block to those of the next one.
        max_multiple: Largest number of channels, in multiples of ``width``.
        embedding_dim: Size of the class embedding, which all blocks share.
        hierarchical: Split z into one part for the linear layer and one for every block, of sizes that differ by at most 1;
            a block's condition is its part concatenated to the embedding. If false, the linear layer gets all of z and the
            condition is the embedding.
        attention: Side of the block that self-attention follows; 0 for none.

    Raises:
        UserError: If the data set has no classes, or if no block has the side ``attention``.
    """

    kind: ClassVar[Kind] = "attentive"
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
        first, *parts = split_sizes(latent_dim, len(sizes)) if hierarchical else [latent_dim, *[0] * (len(sizes) - 1)]
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
        self.to_image = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), conv3x3(width, channels), nn.Tanh())
        initialise_orthogonal(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        label = embedded(require_labels(y), self.embedding.weight)
        first, *parts = z.split(self.parts, dim=1)
        h = self.stem(first).unflatten(1, (-1, 4, 4))
        for block, attention, part in zip(self.blocks, self.attentions, parts, strict=True):
            h = attention(block(h, torch.cat([label, part], dim=1)))
        return self.to_image(h)


class BigGANDiscriminator(Discriminator):
    """D(x, y) = (w + v_y) h(x) + b: projection discriminator (Miyato and Koyama, 2018) on a residual network.

    h(x) is the output of the residual blocks, after ReLU, summed over all positions.

    Args:
        width: See ``Trunk``, whose blocks are ``wide``; the same for the arguments below.
        growth: See ``Trunk``.
        max_multiple: See ``Trunk``.
        last_side: See ``Trunk``.
        blocks: See ``Trunk``.
        attention: See ``Trunk``.

    Raises:
        UserError: If the data set has no classes, or if no block has the side ``attention``.
    """

    kind: ClassVar[Kind] = "attentive"
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
        return self.head(h).squeeze(1) + (self.embedding(require_labels(y)) * h).sum(1)


def split_sizes(n: int, parts: int) -> list[int]:
    """Split ``n`` into ``parts`` integers that differ by at most 1, the larger ones first."""
    return [n // parts + (index < n % parts) for index in range(parts)]
