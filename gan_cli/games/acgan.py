"""ACGAN: a discriminator that also predicts the classes."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.games.base import Turn, frozen
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.models.base import Discriminator, FeatureDiscriminator, Generator, require_features
from gan_cli.models.conditional import require_classes, require_labels
from gan_cli.regularizers.base import Judged
from gan_cli.types import Batch, Stats


class ACGAN(GAN):
    """L_D - w L_C and L_G - w L_C, where L_C = E log C(y|x) + E log C(y|G(z, y)) (Odena et al., 2017).

    The classifier C is a linear head on D's features and moves with D; both players want it to be right. Samples are
    therefore trained to be classified well, and tend to show what is typical of a class rather than all of it.

    Args:
        classes: Number of classes of the data.
        weight: w >= 0.

    Raises:
        UserError: If the data have no classes, the generator takes no labels, or the discriminator has no features.
    """

    follows: ClassVar[Mapping[str, str]] = {"classifier": "discriminator"}
    discriminator: FeatureDiscriminator

    def __init__(
        self, generator: Generator, discriminator: Discriminator, objective: Objective, classes: int, weight: float = 1.0
    ) -> None:
        checks.number("weight", weight, least=0)
        require_classes(classes)
        super().__init__(generator, discriminator, objective)
        self.discriminator = require_features(self.discriminator, "game=acgan")
        self.weight, self.classifier = weight, nn.Linear(self.discriminator.feature_dim, classes)

    @classmethod
    def check_labels(cls, generator: Generator, discriminator: Discriminator) -> None:
        """Check that the generator looks at labels; the discriminator predicts them.

        Raises:
            UserError: If it does not.
        """
        if not generator.conditional:
            raise UserError("game=acgan needs a generator that takes labels: model=cgan_auxiliary, or model/generator=one_hot.")

    def turns(self) -> Mapping[str, Turn]:
        own = self.turn("discriminator", "classifier", loss=self.discriminator_loss, after=self.augmentation.adapt)
        return {**super().turns(), "discriminator": own}

    def class_logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of D ``[B]`` and of C ``[B, classes]``, of the same T(x), in the precision of ``x``."""
        features = self.discriminator.features(self.augmentation(x))
        return self.discriminator.logits(features).to(x.dtype), self.classifier(features).to(x.dtype)

    def classify(self, x: Tensor) -> Tensor:
        """Return the logits of C ``[B, classes]``."""
        return self.class_logits(x)[1]

    def discriminator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return L_D - w L_C + penalties."""
        y = require_labels(batch.y)
        with frozen():
            fake = self.sample(self.latents(len(batch.x)), y)
        (d_real, c_real), (d_fake, c_fake) = self.class_logits(batch.x), self.class_logits(fake)
        loss, stats = self.discriminator_loss_on_logits(self.critic(y), Judged(batch.x, fake, d_real, d_fake))
        real, generated = cross_entropy(c_real, y), cross_entropy(c_fake, y)
        reported = {"classifier/real": real, "classifier/fake": generated}
        return loss + self.weight * (real + generated), stats | reported

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return L_G - w L_C + penalties."""
        y = require_labels(batch.y)
        fake = self.sample(self.latents(len(batch.x)), y)
        d_fake, c_fake = self.class_logits(fake)
        loss, stats = self.generator_loss_on_logits(self.critic(y), batch.x, fake, d_fake)
        classified = cross_entropy(c_fake, y)
        return loss + self.weight * classified, stats | {"classifier": classified}
