"""A discriminator that judges patches."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.models.base import Discriminator, image_size
from gan_cli.models.dcgan import MAX_MULTIPLE, initialise
from gan_cli.models.translators import convolution


class PatchDiscriminator(Discriminator):
    """PatchGAN: D(x, y) -> a logit for each of many overlapping patches ``[B, 1, h, w]`` (Isola et al., 2017, section 6.1.2).

    C64-C128-C256-C512 and a convolution to one channel, all 4x4; the first ``n_layers`` with stride 2, the last two with
    stride 1; leaky ReLU. A logit sees 16 pixels a side for 1 layer, 34 for 2, 70 for 3 (the paper's), 142 for 4: at the next
    larger layer r -> 2r + 2. With sources it judges (y, x) together, one above the other in channels.
    ``width``: of the first layer. ``norm``: batch, instance or none, never in the first.
    """

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
                f"model/discriminator=patch: n_layers={n_layers} needs images of {4 * 2**n_layers} pixels, these have {side}.\n"
                "Set model.discriminator.n_layers lower, or dataset.size higher."
            )
        self.source = source
        widths = [width * min(2**level, MAX_MULTIPLE) for level in range(n_layers + 1)]
        layers: list[nn.Module] = [*convolution(channels + (source[0] if source else 0), widths[0], "none"), nn.LeakyReLU(0.2)]
        for level, (i, o) in enumerate(pairwise(widths), start=1):
            layers += [*convolution(i, o, norm, stride=2 if level < n_layers else 1), nn.LeakyReLU(0.2)]
        layers += convolution(widths[-1], 1, "none", stride=1)
        self.body = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        if self.source is None:
            return self.body(x)
        if y is None:
            raise UserError("this discriminator judges samples beside their sources: it needs both.")
        return self.body(torch.cat([y, x], dim=1))
