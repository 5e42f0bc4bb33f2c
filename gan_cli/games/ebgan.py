"""EBGAN: an auto-encoder as discriminator, and the pull-away term."""

from torch import Tensor

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.models.autoencoder import AutoEncoder
from gan_cli.models.base import Discriminator, Generator
from gan_cli.parallel.share import whole_rows
from gan_cli.precision import in_full_precision
from gan_cli.types import Batch, Stats


class EBGAN(GAN):
    """A GAN against an auto-encoder; the generator keeps the codes of fakes apart (EBGAN-PT, Zhao et al., 2017, section 2.4).

    Args:
        pull_away: Weight of the pull-away term in the generator's loss: 0.1 in the paper, 0 for none.

    Raises:
        UserError: If the discriminator is no auto-encoder.
    """

    def __init__(self, generator: Generator, discriminator: Discriminator, objective: Objective, pull_away: float) -> None:
        if not isinstance(discriminator, AutoEncoder):
            raise UserError(
                "game=ebgan: the discriminator must be an auto-encoder.\n"
                "Take model/discriminator=autoencoder for images, model/discriminator=autoencoder_mlp for points."
            )
        checks.number("pull_away", pull_away, least=0)
        super().__init__(generator, discriminator, objective)
        self.pull_away = pull_away

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return L_G + pull-away term + penalties."""
        fake = self.sample(self.latents(len(batch.x)), batch.y)
        assert isinstance(self.discriminator, AutoEncoder)
        d_fake, code = (out.to(fake.dtype) for out in self.discriminator.logits_and_code(self.augmentation(fake)))
        loss, stats = self.generator_loss_on_logits(self.critic(batch.y), batch.x, fake, d_fake)
        if self.pull_away:
            code = whole_rows(
                code, "the pull-away term compares all samples of a batch with each other (game.pull_away=0: none)"
            )
        pull_away = pull_away_term(code)
        return loss + self.pull_away * pull_away, stats | {"pull_away": pull_away}


def pull_away_term(code: Tensor) -> Tensor:
    """Return the mean of cos^2 over all pairs of different codes ``[B, k]``, in [0, 1]: 0 if all are orthogonal or B = 1."""
    unit = code / code.norm(dim=1, keepdim=True).clamp(min=1e-12)
    with in_full_precision(code.device):
        squared = (unit @ unit.T).square()
    return (squared.sum() - squared.trace()) / (len(code) * max(len(code) - 1, 1))
