"""RCGAN: recurrent players and a discriminator that judges every time step."""

from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.errors import FieldError, UserError
from gan_cli.games.base import need_sequences
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.models.base import Discriminator, Generator
from gan_cli.parallel import draws
from gan_cli.regularizers.base import Judged
from gan_cli.types import Batch, Stats


class RCGAN(GAN):
    """A GAN of sequences: z_t ~ N(0, I) at every step, losses averaged over the logits of all steps (Hyland et al., 2017).

    Labels, if the players use them, are joined to z_t and to x_t at every step.

    Args:
        classes: Number of classes of the data, 0 if there are none.
        wrong_labels: If true, D also learns to tell real sequences with the label of another class from those with their own,
            as in GAN-CLS (Reed et al., 2016): L_D of D(x, y) and D(x, y') is added. The published code has this as an option,
            in which D(x, y) counts once.

    Raises:
        UserError: If a player does not work step by step, or ``wrong_labels`` is true and D uses no labels.
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        objective: Objective,
        classes: int = 0,
        wrong_labels: bool = False,
    ) -> None:
        checks.flag("wrong_labels", wrong_labels)
        if wrong_labels and not (discriminator.conditional and classes > 1):
            raise FieldError(
                *("wrong_labels", wrong_labels),
                "this discriminator uses no labels.\nTake model=rcgan_labels and a data set with classes, or leave it out.",
            )
        if len(generator.latent_shape) < 2 or not getattr(discriminator, "stepwise", False):
            raise UserError(
                "game=rcgan needs a generator with new noise and a discriminator with a logit at every step.\n"
                "Take model=rcgan, with labels model=rcgan_labels; with other networks play game=gan."
            )
        super().__init__(generator, discriminator, objective)
        self.classes, self.wrong_labels = classes, wrong_labels

    @classmethod
    def check(cls, data: Data) -> None:
        """Check that the data are sequences.

        Raises:
            UserError: If they are not.
        """
        need_sequences(data, "rcgan")

    def discriminator_loss_on_fakes(self, batch: Batch, fake: Tensor) -> tuple[Tensor, Stats]:
        critic = self.critic(batch.y)
        d_real, d_fake = critic(batch.x), critic(fake)
        loss, stats = self.discriminator_loss_on_logits(critic, Judged(batch.x, fake, d_real, d_fake))
        if not self.wrong_labels or batch.y is None:
            return loss, stats
        others = draws.randint(1, self.classes, *batch.y.shape, device=batch.y.device)
        d_wrong = self.critic((batch.y + others) % self.classes)(batch.x)
        wrong = self.loss.discriminator_loss(d_real, d_wrong)
        return loss + wrong, stats | {"wrong_labels": wrong}
