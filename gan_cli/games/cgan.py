"""cgan, cgan_embedding, cgan_projection: GANs whose players both look at the labels."""

from torch import nn

from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.models.base import Discriminator, Generator, UnfitModel
from gan_cli.models.biggan import BigGANDiscriminator
from gan_cli.models.conditional import (
    LabelledDiscriminator,
    LabelledGenerator,
    ProjectionDiscriminator,
    looks_at_labels,
    require_classes,
)


class ConditionalGAN(GAN):
    """A GAN of G(z, y) and D(x, y); fakes carry the labels of the real batch (Mirza and Osindero, 2014).

    Args:
        classes: Number of classes of the data.

    Raises:
        UserError: If the data have no classes, or a player looks at no labels.
    """

    def __init__(self, generator: Generator, discriminator: Discriminator, objective: Objective, classes: int) -> None:
        require_classes(classes)
        super().__init__(generator, discriminator, objective)

    @classmethod
    def check_labels(cls, generator: Generator, discriminator: Discriminator) -> None:
        """Check that both players look at labels.

        Raises:
            UnfitModel: If one does not.
        """
        blind = [type(player).__name__ for player in (generator, discriminator) if not looks_at_labels(player)]
        if blind:
            raise UnfitModel(
                f"a conditional game needs players that look at labels; not so {' and '.join(blind)}.",
                "Wrap networks so that they do: model=cgan model/generator@model.generator.inner=mlp "
                "model/discriminator@model.discriminator.inner=mlp, for instance.",
            )


class EmbeddingGAN(ConditionalGAN):
    """A conditional GAN whose players concatenate a learnt embedding of the label to z and to x."""

    @classmethod
    def check_labels(cls, generator: Generator, discriminator: Discriminator) -> None:
        """Check that both players embed the label.

        Raises:
            UnfitModel: If one does not.
        """
        super().check_labels(generator, discriminator)
        if not (
            isinstance(generator, LabelledGenerator)
            and isinstance(discriminator, LabelledDiscriminator)
            and all(isinstance(player.labels.table, nn.Parameter) for player in (generator, discriminator))
        ):
            raise UnfitModel(
                "game=cgan_embedding: these players learn no embedding of the label.",
                "Take model=cgan_embedding, or game=cgan, which leaves the use of the label to the model.",
            )


class ProjectionGAN(ConditionalGAN):
    """A conditional GAN with a projection discriminator (Miyato and Koyama, 2018)."""

    @classmethod
    def check_labels(cls, generator: Generator, discriminator: Discriminator) -> None:
        """Check that the discriminator projects its features on the label's embedding.

        Raises:
            UnfitModel: If it does not.
        """
        super().check_labels(generator, discriminator)
        if not isinstance(discriminator, ProjectionDiscriminator | BigGANDiscriminator):
            raise UnfitModel(
                f"game=cgan_projection needs a projection discriminator, which {type(discriminator).__name__} is not.",
                "Take model=cgan_projection, or game=cgan, which leaves the use of the label to the model.",
            )
