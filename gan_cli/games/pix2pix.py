"""pix2pix: translation learned from pairs."""

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.errors import UserError
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.models.base import Discriminator, Generator
from gan_cli.models.translators import Translator
from gan_cli.types import Batch, Critic, Stats


class Pix2Pix(GAN):
    """A GAN given sources y: L_G + l1 E |x - G(y)|, so that samples also come near the target (Isola et al., 2017, equation 4).

    D judges the pair (x, y). An augmentation is applied to both together, as channels of one image, so
    that they still fit. The generator's noise is its dropout, during training and after.

    Args:
        l1: Weight >= 0 of the distance to the target; 100 in the paper.

    Raises:
        UserError: If the generator is no translator, or the discriminator looks at no sources.
    """

    def __init__(self, generator: Generator, discriminator: Discriminator, objective: Objective, l1: float = 100.0) -> None:
        if not isinstance(generator, Translator):
            raise UserError(
                f"game=pix2pix needs a generator that translates, and {type(generator).__name__} looks at no sources.\n"
                "Take model=unet_translator or model=resnet_translator, or one of their smaller versions."
            )
        if getattr(discriminator, "source", None) is None:
            raise UserError(
                f"game=pix2pix judges pairs, and {type(discriminator).__name__} looks at no sources.\n"
                "Take model/discriminator=patch, or one of its smaller versions."
            )
        super().__init__(generator, discriminator, objective)
        checks.number("l1", l1, least=0)
        self.l1 = l1

    @classmethod
    def check(cls, data: Data) -> None:
        """Check that the data are pairs.

        Raises:
            UserError: If they are not.
        """
        if not data.paired:
            raise UserError(
                "game=pix2pix learns from pairs, and this data set has none.\n"
                "Take dataset=edges2clothes or dataset=side_by_side, for instance, or game=cyclegan for two domains."
            )

    def critic(self, y: Tensor | None = None) -> Critic:
        """Return x -> D(T(x, y))."""
        if y is None:
            return super().critic()

        def d(x: Tensor) -> Tensor:
            seen, source = self.augmentation(torch.cat([x, y], 1)).split([x.shape[1], y.shape[1]], 1)
            return self.discriminator(seen, source).to(x.dtype)

        return d

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return L_G + penalties + the weighted distance to the targets; the distance is reported as ``l1``."""
        fake = self.sample(self.latents(len(batch.x)), batch.y)
        loss, stats = self.generator_loss_on_fakes(batch, fake)
        l1 = distance(fake, batch.x)
        return loss + self.l1 * l1, stats | {"l1": l1}

    def estimate(self, batch: Batch) -> Stats:
        """Return the estimate of D, and ``l1``: E |x - G(y)|, in [0, 2]."""
        fake = self.sample(self.latents(len(batch.x)), batch.y)
        return self.estimate_on_fakes(batch, fake) | {"l1": distance(fake, batch.x)}


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Return E |a - b| over all values, a scalar."""
    return (a - b).abs().mean()
