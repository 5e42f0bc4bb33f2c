"""biggan, biggan_128, biggan_small: BigGAN (Brock et al., 2019) for sides that are powers of two from 8 to 256."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.models.base import Discriminator, Generator, Kind, image_size
from gan_cli.models.conditional import require_classes, require_labels
from gan_cli.models.layers import (
    ClassBatchNorm2d,
    ConditionalBatchNorm2d,
    SelfAttention,
    UpBlock,
    conv3x3,
    embedded,
    initialise_normal,
    initialise_orthogonal,
    widths,
)
from gan_cli.models.resnet import Trunk, require_side

INITIALISATIONS = {"orthogonal": initialise_orthogonal, "normal": initialise_normal}
"""How weights start: ``orthogonal`` as in the paper, ``normal`` as in its code for CIFAR-10."""


class BigGANGenerator(Generator):
    """Residual blocks from 4x4 upwards with batch norms that are conditioned on the class and on a part of z.

    Spectral normalisation comes from regularizer=spectral_norm_both.

    Args:
        latent_dim: Number of latents.
        width: Number of channels of the last block.
        growth: Ratio of the channels of a block to those of the next one.
        max_multiple: Largest number of channels, in multiples of ``width``.
        embedding_dim: Size of the class embedding, which all blocks share. None: every batch norm learns gains and biases of
            the classes by itself.
        hierarchical: Split z into one part for the linear layer and one for every block, of sizes that differ by at most 1;
            a block's condition is its part concatenated to the embedding. If false, the linear layer gets all of z and the
            condition is the embedding.
        attention: Side of the block that self-attention follows; 0 for none.
        initialisation: ``orthogonal`` or ``normal``: how weights start.

    Raises:
        UserError: If the data set has no classes, if no block has the side ``attention``, or if z is split between blocks that
            share no embedding.
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
        embedding_dim: int | None,
        hierarchical: bool,
        attention: int,
        initialisation: str = "orthogonal",
    ) -> None:
        super().__init__()
        require_classes(classes)
        checks.counts(width=width, growth=growth, max_multiple=max_multiple)
        checks.flag("hierarchical", hierarchical)
        initialise = checked_initialisation(initialisation)
        if embedding_dim is None and hierarchical:
            raise FieldError(
                *("hierarchical", hierarchical), "parts of z are joined to a shared embedding. Set embedding_dim, such as 128."
            )
        channels, size = image_size(shape, "biggan")
        sizes = widths(width, growth, max_multiple, size.bit_length() - 2)[::-1]  # at side 4, 8, ..., size
        checks.count("latent_dim", latent_dim, least=len(sizes) if hierarchical else 1)
        self.latent_dim = latent_dim
        first, *parts = split_sizes(latent_dim, len(sizes)) if hierarchical else [latent_dim, *[0] * (len(sizes) - 1)]
        self.parts = (first, *parts)
        self.embedding: nn.Embedding | None = None
        if embedding_dim is not None:
            checks.counts(embedding_dim=embedding_dim)
            self.embedding = nn.Embedding(classes, embedding_dim)
        self.stem = nn.Linear(first, sizes[0] * 4 * 4)
        norms: list[Callable[[int], nn.Module]] = [
            partial(ClassBatchNorm2d, classes=classes)
            if embedding_dim is None
            else partial(ConditionalBatchNorm2d, condition=embedding_dim + part)
            for part in parts
        ]
        self.blocks = nn.ModuleList(UpBlock(i, o, norm) for (i, o), norm in zip(pairwise(sizes), norms, strict=True))
        sides = [8 << index for index in range(len(self.blocks))]
        require_side(attention, sides)
        self.attentions = nn.ModuleList(
            SelfAttention(o) if side == attention else nn.Identity() for side, o in zip(sides, sizes[1:], strict=True)
        )
        self.to_image = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), conv3x3(width, channels), nn.Tanh())
        initialise(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        label = require_labels(y)
        if self.embedding is not None:
            label = embedded(label, self.embedding.weight)
        first, *parts = z.split(self.parts, dim=1)
        h = self.stem(first).unflatten(1, (-1, 4, 4))
        for block, attention, part in zip(self.blocks, self.attentions, parts, strict=True):
            h = attention(block(h, label if self.embedding is None else torch.cat([label, part], dim=1)))
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
        initialisation: ``orthogonal`` or ``normal``: how weights start.

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
        initialisation: str = "orthogonal",
    ) -> None:
        super().__init__()
        require_classes(classes)
        initialise = checked_initialisation(initialisation)
        channels, size = image_size(shape, "biggan")
        self.trunk = Trunk(channels, size, width, growth, max_multiple, last_side, blocks, wide=True, attention=attention)
        self.head = nn.Linear(self.trunk.channels, 1)
        self.embedding = nn.Embedding(classes, self.trunk.channels)
        initialise(self)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        h = relu(self.trunk(x)).sum((2, 3))
        return self.head(h).squeeze(1) + (self.embedding(require_labels(y)) * h).sum(1)


def checked_initialisation(name: str) -> Callable[[nn.Module], None]:
    """Return the function that initialises the weights of a network.

    Raises:
        UserError: If there is none of this name.
    """
    if name not in INITIALISATIONS:
        raise FieldError("initialisation", name, f"it must be one of {', '.join(INITIALISATIONS)}.")
    return INITIALISATIONS[name]


def split_sizes(n: int, parts: int) -> list[int]:
    """Split ``n`` into ``parts`` integers that differ by at most 1, the larger ones first."""
    return [n // parts + (index < n % parts) for index in range(parts)]
