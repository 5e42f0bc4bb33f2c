"""AdversarialGame: what all games of one generator against one discriminator share."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.games.base import Turn, frozen, penalized
from gan_cli.games.generator_game import GeneratorGame
from gan_cli.games.objective import Objective, Part
from gan_cli.games.reporting import reported
from gan_cli.losses.base import Loss
from gan_cli.models.base import Discriminator, Generator, UnfitModel
from gan_cli.models.conditional import looks_at_labels
from gan_cli.regularizers.base import Judged
from gan_cli.types import Batch, Critic, Stats


class AdversarialGame(GeneratorGame):
    """min over D of L_D, min over G of L_G, each plus the penalties of its regularizers.

    D sees everything, data and fakes, through the augmentation of the objective. Subclasses override the step that differs:
    the whole loss of a turn, the loss given fakes, or the loss given logits.

    Raises:
        UserError: If one player looks at labels and the other does not, or the augmentation needs to know what D takes for
            data, and the logits of the loss do not tell.
    """

    uses: ClassVar[tuple[Part, ...]] = ("loss", "regularizer", "augmentation")
    discriminator: Discriminator

    def __init__(self, generator: Generator, discriminator: Discriminator, objective: Objective) -> None:
        super().__init__(objective)
        self.check_labels(generator, discriminator)
        self.add_players(generator=generator, discriminator=discriminator)
        self.augmentation = objective.augmentation
        loss = objective.loss  # a run that is only sampled may have none
        if self.augmentation.needs_boundary and loss is not None and loss.boundary is None:
            raise UserError(
                "this augmentation adapts to what D takes for data, and the logits of this loss do not tell.\n"
                "Set augmentation.target=null, so that it grows whatever D does, or take augmentation=diff_augment."
            )

    @classmethod
    def check_labels(cls, generator: Generator, discriminator: Discriminator) -> None:
        """Check that both players look at labels, or neither does.

        Raises:
            UnfitModel: If only one of them does, from which neither learns what the labels mean.
        """
        if looks_at_labels(generator) != looks_at_labels(discriminator):
            sees, blind = ("generator", "discriminator") if looks_at_labels(generator) else ("discriminator", "generator")
            raise UnfitModel(
                f"the {sees} looks at labels and the {blind} does not, so that neither learns what they mean.",
                "Let both look at them, as model=cgan does, or neither.",
            )

    @property
    def loss(self) -> Loss:
        """The loss of both players, as a function of D's logits."""
        assert self.objective.loss is not None
        return self.objective.loss

    @property
    def conditional(self) -> bool:
        return looks_at_labels(self.generator)

    def turns(self) -> Mapping[str, Turn]:
        return {
            "discriminator": self.turn("discriminator", loss=self.discriminator_loss, after=self.augmentation.adapt),
            "generator": self.turn("generator", loss=self.generator_loss),
        }

    def critic(self, y: Tensor | None = None) -> Critic:
        """Return x -> D(T(x), y) in the precision of x, whatever the precision of the network; T(x) = x in eval mode."""
        return lambda x: self.discriminator(self.augmentation(x), y).to(x.dtype)

    def discriminator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return L_D + penalties."""
        with frozen():
            fake = self.sample(self.latents(len(batch.x)), batch.y)
        return self.discriminator_loss_on_fakes(batch, fake)

    def discriminator_loss_on_fakes(self, batch: Batch, fake: Tensor) -> tuple[Tensor, Stats]:
        """Return L_D + penalties, for these fakes against the batch."""
        critic = self.critic(batch.y)
        return self.discriminator_loss_on_logits(critic, Judged(batch.x, fake, critic(batch.x), critic(fake)))

    def discriminator_loss_on_logits(self, critic: Critic, judged: Judged) -> tuple[Tensor, Stats]:
        """Return L_D + penalties, given the logits of both kinds of samples; L_D is reported as ``adversarial``."""
        d_real, d_fake = judged.real_logits, judged.fake_logits
        self.augmentation.observe(d_real - self.loss.boundary if self.loss.boundary else d_real)
        loss = self.loss.discriminator_loss(d_real, d_fake)
        penalties = self.penalties("discriminator", *self.regularized_critic(critic, judged))
        stats = {"adversarial": loss} | penalties | reported(lambda: self.opinion(d_real, d_fake))
        return penalized(loss, penalties), stats

    @torch.no_grad()
    def opinion(self, d_real: Tensor, d_fake: Tensor) -> Stats:
        """Return the estimate and the judgement of these logits, and the numbers of the augmentation."""
        estimate = {f"estimate/{name}": value for name, value in self.loss.estimate(d_real, d_fake).items()}
        return estimate | self.loss.judgement(d_real, d_fake) | self.augmentation.stats()

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return L_G + penalties."""
        return self.generator_loss_on_fakes(batch, self.sample(self.latents(len(batch.x)), batch.y))

    def generator_loss_on_fakes(self, batch: Batch, fake: Tensor) -> tuple[Tensor, Stats]:
        """Return L_G + penalties, for these fakes against the batch."""
        critic = self.critic(batch.y)
        return self.generator_loss_on_logits(critic, batch.x, fake, critic(fake))

    def generator_loss_on_logits(self, critic: Critic, real: Tensor, fake: Tensor, d_fake: Tensor) -> tuple[Tensor, Stats]:
        """Return L_G + penalties, given the logits of the fakes; those of the data are computed if the loss needs them.

        L_G is reported as ``adversarial``.
        """
        d_real = critic(real) if self.loss.looks_at_real else d_fake.new_empty(0)
        penalties = self.penalties("generator", critic, Judged(real, fake, d_real, d_fake))
        loss = self.loss.generator_loss(d_real, d_fake)
        return penalized(loss, penalties), {"adversarial": loss} | penalties

    def regularized_critic(self, critic: Critic, judged: Judged) -> tuple[Critic, Judged]:
        """Return the function of samples that D's regularizers act on, with its logits: by default D itself."""
        return critic, judged

    def estimate(self, batch: Batch) -> Stats:
        return self.estimate_on_fakes(batch, self.sample(self.latents(len(batch.x)), batch.y))

    def estimate_on_fakes(self, batch: Batch, fake: Tensor) -> Stats:
        """Return what the critic says about the distance between these fakes and the batch."""
        critic = self.critic(batch.y)
        return self.loss.estimate(critic(batch.x), critic(fake))
