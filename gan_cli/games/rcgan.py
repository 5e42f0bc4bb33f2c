"""Recurrent GANs whose discriminator judges every step (Hyland et al., 2017)."""

from collections.abc import Mapping

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.augmentations.base import Augmentation
from gan_cli.data.base import Data
from gan_cli.errors import FieldError
from gan_cli.games.base import need_sequences
from gan_cli.games.gan import GAN
from gan_cli.losses.base import Loss
from gan_cli.models.base import Discriminator, Generator
from gan_cli.regularizers.base import Regularizer
from gan_cli.types import Batch, Stats


class RCGAN(GAN):
    """A GAN of sequences: z_t ~ N(0, I) fresh at every step, and the mean of the losses of every step's logit.

    Labels, where the players look at them, are joined to z_t and to x_t at every step. ``wrong_labels``: D also learns to tell
    real sequences with another class's label from those with their own, as in GAN-CLS (Reed et al., 2016): L_D of D(x, y) and
    D(x, y') more. The published code has that as an option, where D(x, y) counts once.

    Raises UserError for data that are no sequences, and for ``wrong_labels`` where D looks at none.
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        loss: Loss,
        regularizers: Mapping[str, Regularizer] | None = None,
        augmentation: Augmentation | None = None,
        classes: int = 0,
        wrong_labels: bool = False,
    ) -> None:
        checks.flag("wrong_labels", wrong_labels)
        if wrong_labels and not (discriminator.conditional and classes > 1):
            raise FieldError(
                *("wrong_labels", wrong_labels),
                "this discriminator looks at no labels.\nTake model=rcgan_labels and a data set with classes, or leave it out.",
            )
        super().__init__(generator, discriminator, loss, regularizers, augmentation)
        self.classes, self.wrong_labels = classes, wrong_labels

    @classmethod
    def check(cls, data: Data) -> None:
        """UserError unless the data are sequences."""
        need_sequences(data, "rcgan")

    def discriminator_loss_on_fakes(self, batch: Batch, fake: Tensor) -> tuple[Tensor, Stats]:
        critic = self.critic(batch.y)
        d_real, d_fake = critic(batch.x), critic(fake)
        loss, stats = self.discriminator_loss_on_logits(critic, batch.x, fake, d_real, d_fake)
        if not self.wrong_labels or batch.y is None:
            return loss, stats
        others = torch.randint(1, self.classes, batch.y.shape, device=batch.y.device)
        d_wrong = self.critic((batch.y + others) % self.classes)(batch.x)
        wrong = self.objective.discriminator_loss(d_real, d_wrong)
        return loss + wrong, stats | {"wrong_labels": wrong}
