"""The game whose discriminator also tells the classes apart."""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gan_cli import checks
from gan_cli.augmentations.base import Augmentation
from gan_cli.errors import UserError
from gan_cli.games.base import Turn, frozen
from gan_cli.games.gan import GAN
from gan_cli.losses.base import Loss
from gan_cli.models.base import Discriminator, FeatureDiscriminator, Generator, require_features
from gan_cli.models.conditional import require_classes, require_labels
from gan_cli.regularizers.base import Regularizer
from gan_cli.types import Batch, Stats


class ACGAN(GAN):
    """L_D - w L_C and L_G - w L_C, where L_C = E log C(y|x) + E log C(y|G(z, y)) (Odena et al., 2017).

    C is a linear head on D's features and moves with D; both players want it to be right. So samples are trained on the
    score that a classifier of classes would give them, and tend to show what is typical of a class rather than all of it.

    ``weight``: w >= 0. Raises UserError for data without classes, a generator that takes no labels, or a discriminator that
    does not show its features.
    """

    discriminator: FeatureDiscriminator

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        loss: Loss,
        classes: int,
        regularizers: Mapping[str, Regularizer] | None = None,
        weight: float = 1.0,
        augmentation: Augmentation | None = None,
    ) -> None:
        checks.number("weight", weight, least=0)
        require_classes(classes)
        if not generator.conditional:
            raise UserError("game=acgan needs a generator that takes labels: model=cgan_auxiliary, or model/generator=one_hot.")
        super().__init__(generator, discriminator, loss, regularizers, augmentation)
        self.discriminator = require_features(self.discriminator, "game=acgan")
        self.weight, self.classifier = weight, nn.Linear(self.discriminator.feature_dim, classes)

    def turns(self) -> Mapping[str, Turn]:
        turns = dict(super().turns())
        own = turns["discriminator"]
        turns["discriminator"] = own._replace(parameters=(*own.parameters, *self.classifier.parameters()))
        return turns

    def seen(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logits of D ``[B]`` and of C ``[B, classes]``, of one and the same T(x), in the precision of ``x``."""
        features = self.discriminator.features(self.augmentation(x))
        return self.discriminator.logits(features).to(x.dtype), self.classifier(features).to(x.dtype)

    def discriminator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """L_D - w L_C + penalties."""
        y = require_labels(batch.y)
        with frozen():
            fake = self.sample(self.latents(len(batch.x)), y)
        (d_real, c_real), (d_fake, c_fake) = self.seen(batch.x), self.seen(fake)
        loss, stats = self.discriminator_loss_on_logits(self.critic(y), batch.x, fake, d_real, d_fake)
        real, generated = cross_entropy(c_real, y), cross_entropy(c_fake, y)
        said = {"classifier/real": real, "classifier/fake": generated}
        return loss + self.weight * (real + generated), stats | said

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """L_G - w L_C + penalties."""
        y = require_labels(batch.y)
        fake = self.sample(self.latents(len(batch.x)), y)
        d_fake, c_fake = self.seen(fake)
        loss, stats = self.generator_loss_on_logits(self.critic(y), batch.x, fake, d_fake)
        return loss + self.weight * cross_entropy(c_fake, y), stats
