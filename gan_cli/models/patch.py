"""patch, patch_instance, patch_small: a discriminator that classifies patches."""

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.models.base import Discriminator, Kind, image_size
from gan_cli.models.dcgan import MAX_MULTIPLE, initialise
from gan_cli.models.translators import conv4x4


class PatchDiscriminator(Discriminator):
    """PatchGAN: D(x, y) -> logits of many overlapping patches ``[B, 1, h, w]`` (Isola et al., 2017, section 6.1.2).

    C64-C128-C256-C512 and a convolution to one channel, all 4x4, with leaky ReLU; the first ``n_layers`` have stride 2 and
    the last two stride 1. The receptive field of a logit is 16 pixels a side for 1 layer, 34 for 2, 70 for 3 (the paper's) and
    142 for 4: one more layer takes r to 2r + 2. With sources, D gets (y, x) concatenated along the channels.

    Args:
        source: Shape of a source; None for data without sources.
        width: Number of channels of the first layer.
        n_layers: Number of layers with stride 2.
        norm: Normalisation: batch, instance or none. The first layer never has one.

    Raises:
        UserError: If the images are too small for ``n_layers``, or if ``norm`` is unknown.
    """

    kind: ClassVar[Kind] = "convolutional"

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        source: tuple[int, ...] | None,
        width: int,
        n_layers: int = 3,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        checks.counts(width=width, n_layers=n_layers)
        channels, side = image_size(shape, "patch")
        if side < 4 * 2**n_layers:
            raise UserError(
                f"model.discriminator.n_layers={n_layers} needs images of at least {4 * 2**n_layers} pixels, not {side}.\n"
                "Lower model.discriminator.n_layers or raise dataset.size."
            )
        self.source = source
        widths = [width * min(2**level, MAX_MULTIPLE) for level in range(n_layers + 1)]
        layers: list[nn.Module] = [*conv4x4(channels + (source[0] if source else 0), widths[0], "none"), nn.LeakyReLU(0.2)]
        for level, (i, o) in enumerate(pairwise(widths), start=1):
            layers += [*conv4x4(i, o, norm, stride=2 if level < n_layers else 1), nn.LeakyReLU(0.2)]
        layers += conv4x4(widths[-1], 1, "none", stride=1)
        self.body = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        if self.source is None:
            return self.body(x)
        if y is None:
            raise UserError("this discriminator needs samples together with their sources.")
        return self.body(torch.cat([y, x], dim=1))
