"""The game of one generator against one discriminator."""

from collections.abc import Mapping
from functools import partial

from torch import Tensor

from gan_cli.augmentations.base import Augmentation
from gan_cli.errors import UserError
from gan_cli.games.base import Turn, frozen
from gan_cli.games.generator_game import GeneratorGame
from gan_cli.losses.base import Loss
from gan_cli.models.base import Discriminator, Generator
from gan_cli.regularizers.base import Regularizer, constrain, penalties
from gan_cli.types import Batch, Critic, Stats


class GAN(GeneratorGame):
    """min over D of L_D, min over G of L_G, z ~ N(0, I) (Goodfellow et al., 2014).

    Conditional where the players use labels: fakes then carry the labels of the real batch, which follow the data's law.
    D sees everything, data and fakes, through the ``augmentation``.
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        loss: Loss,
        regularizers: Mapping[str, Regularizer] | None = None,
        augmentation: Augmentation | None = None,
    ) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.objective, self.regularizers = loss, dict(regularizers or {})
        self.augmentation = augmentation or Augmentation()
        if self.augmentation.needs_boundary and loss.boundary is None:
            raise UserError(
                "this augmentation goes by what D takes for data, and the logits of this loss do not say.\n"
                "Set augmentation.target=null, so that it grows whatever D does, or take augmentation=diff_augment."
            )
        for name, regularizer in self.regularizers.items():
            for player in regularizer.players:
                if player not in ("generator", "discriminator"):
                    raise UserError(
                        f"regularizer.{name} is to regularize {player!r}, but this game's players are "
                        "generator and discriminator."
                    )
                setattr(self, player, regularizer.transform(getattr(self, player)))

    @property
    def conditional(self) -> bool:
        """Whether the players look at labels."""
        return any(getattr(player, "conditional", False) for player in (self.generator, self.discriminator))

    def turns(self) -> Mapping[str, Turn]:
        return {
            "discriminator": Turn(tuple(self.discriminator.parameters()), self.discriminator_loss, self.after_discriminator),
            "generator": Turn(tuple(self.generator.parameters()), self.generator_loss, partial(self.constrain, "generator")),
        }

    def critic(self, y: Tensor | None = None) -> Critic:
        """x -> D(T(x), y) in the precision of x, whatever autocast makes the network compute in; T(x) = x in eval mode."""
        return lambda x: self.discriminator(self.augmentation(x), y).to(x.dtype)

    def discriminator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """L_D + penalties."""
        with frozen():
            fake = self.sample(self.latents(len(batch.x)), batch.y)
        return self.discriminator_loss_on_fakes(batch, fake)

    def discriminator_loss_on_fakes(self, batch: Batch, fake: Tensor) -> tuple[Tensor, Stats]:
        """L_D + penalties, of these fakes against the batch."""
        critic = self.critic(batch.y)
        return self.discriminator_loss_on_logits(critic, batch.x, fake, critic(batch.x), critic(fake))

    def discriminator_loss_on_logits(
        self, critic: Critic, real: Tensor, fake: Tensor, d_real: Tensor, d_fake: Tensor
    ) -> tuple[Tensor, Stats]:
        """L_D + penalties, from the logits of both kinds of samples."""
        self.augmentation.observe(d_real - (self.objective.boundary or 0.0))
        loss = self.objective.discriminator_loss(d_real, d_fake)
        penalties = self.penalties("discriminator", self.regularized(critic, d_real, d_fake), real, fake)
        estimate = {f"estimate/{name}": value for name, value in self.objective.estimate(d_real, d_fake).items()}
        return loss + sum(penalties.values()), penalties | estimate | self.augmentation.stats()

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """L_G + penalties."""
        return self.generator_loss_on_fakes(batch, self.sample(self.latents(len(batch.x)), batch.y))

    def generator_loss_on_fakes(self, batch: Batch, fake: Tensor) -> tuple[Tensor, Stats]:
        """L_G + penalties, of these fakes against the batch."""
        critic = self.critic(batch.y)
        return self.generator_loss_on_logits(critic, batch.x, fake, critic(fake))

    def generator_loss_on_logits(self, critic: Critic, real: Tensor, fake: Tensor, d_fake: Tensor) -> tuple[Tensor, Stats]:
        """L_G + penalties, from the logits of the fakes."""
        d_real = critic(real) if self.objective.looks_at_real else d_fake.new_empty(0)
        penalties = self.penalties("generator", critic, real, fake)
        return self.objective.generator_loss(d_real, d_fake) + sum(penalties.values()), penalties

    def regularized(self, critic: Critic, d_real: Tensor, d_fake: Tensor) -> Critic:
        """The function of samples that D's regularizers look at, given D(x) and D(G(z)): D itself."""
        return critic

    def regularizers_of(self, player: str) -> Mapping[str, Regularizer]:
        """The regularizers of ``player``."""
        return {name: regularizer for name, regularizer in self.regularizers.items() if player in regularizer.players}

    def penalties(self, player: str, critic: Critic, real: Tensor, fake: Tensor) -> Stats:
        """What each regularizer of ``player`` adds to its loss, as ``penalty_<its name in the config>``."""
        return penalties(self.regularizers_of(player), getattr(self, player), critic, real, fake)

    def after_discriminator(self) -> None:
        """Constraints, and an augmentation that goes by what D has just been seen to know."""
        self.constrain("discriminator")
        self.augmentation.adapt()

    def constrain(self, player: str) -> None:
        """Lets all regularizers of ``player`` put its weights back where they may be."""
        constrain(self.regularizers_of(player), getattr(self, player))

    def estimate(self, batch: Batch) -> Stats:
        return self.estimated(batch, self.sample(self.latents(len(batch.x)), batch.y))

    def estimated(self, batch: Batch, fake: Tensor) -> Stats:
        """What the critic says about the distance between these fakes and the batch."""
        critic = self.critic(batch.y)
        return self.objective.estimate(critic(batch.x), critic(fake))
