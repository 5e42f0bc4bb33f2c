"""A recurrent generator fed its own output, which matches features of a bidirectional discriminator (Mogren, 2016)."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.errors import FieldError, UserError
from gan_cli.games.base import Game, Turn, frozen, need_sequences
from gan_cli.games.gan import GAN
from gan_cli.losses.base import Loss
from gan_cli.models.base import Discriminator, FeatureDiscriminator, Generator, require_features
from gan_cli.models.recurrent import AutoregressiveGenerator
from gan_cli.regularizers.base import Regularizer
from gan_cli.types import Batch, Critic, Stats


class CRNNGAN(GAN):
    """min over D of L_D, min over G of E |R(x) - R(G(z))|^2, R being D's features and z ~ U[0, 1] fresh at every step.

    ``feature_matching`` false: min over G of L_G. ``pairs``: the squared distance is that of a real sample's R and a fake's, as
    in the paper and its code. As E |R(x) - R(G(z))|^2 = |E R(x) - E R(G(z))|^2 + tr Cov R(x) + tr Cov R(G(z)), that also draws
    the fakes together; false: the distance of the batch's means (Salimans et al., 2016).

    ``freezing``: a player rests while its adversarial loss is below this share of the other's (0.7 in the paper; 0: nobody
    rests). L_D is the sum of two terms and L_G one, so that G rests where nobody is ahead, at 2 log 2 and log 2, and D gets
    ahead. In the ``pretraining`` turn G predicts each step from the real ones before it, by
    E (x_t - g(z_t, x_{t-1}, ...))^2.

    The published code differs: distances of features are summed over the batch, and not what is played by default; its last
    version rests G where D is ahead; G has dropout, too; songs grow longer in the course of pretraining.

    Raises UserError for data that are no sequences, a generator that is not fed back, a discriminator without features, and
    where players rest by a loss that can be negative.
    """

    generator: AutoregressiveGenerator
    discriminator: FeatureDiscriminator

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        loss: Loss,
        regularizers: Mapping[str, Regularizer] | None = None,
        feature_matching: bool = True,
        pairs: bool = True,
        freezing: float = 0.7,
    ) -> None:
        checks.flag("feature_matching", feature_matching)
        checks.flag("pairs", pairs)
        checks.share("freezing", freezing)
        if not isinstance(generator, AutoregressiveGenerator):
            raise UserError("game=c_rnn_gan feeds its generator's output back: it takes model/generator=c_rnn_gan.")
        if freezing and not loss.never_negative:
            raise FieldError(
                *("freezing", freezing),
                f"it takes one loss as a share of the other; {type(loss).__name__}'s can be negative.\n"
                "Set it to 0.0, or take loss=non_saturating.",
            )
        super().__init__(generator, discriminator, loss, regularizers)
        self.discriminator = require_features(self.discriminator, "game=c_rnn_gan")
        self.feature_matching, self.pairs, self.freezing = feature_matching, pairs, freezing

    @classmethod
    def check(cls, data: Data) -> None:
        """UserError unless the data are sequences."""
        need_sequences(data, "c_rnn_gan")

    def turns(self) -> Mapping[str, Turn]:
        turns = super().turns()
        return {
            "pretraining": turns["generator"]._replace(loss=self.prediction_loss),
            "discriminator": turns["discriminator"]._replace(should_step=self.discriminator_plays),
            "generator": turns["generator"]._replace(should_step=self.generator_plays),
        }

    def latents(self, n: int) -> Tensor:
        """U[0, 1] ``[n, T, latent_dim]``."""
        return torch.rand(n, *self.generator.latent_shape, device=self.device)

    def truncated(self, n: int, threshold: float) -> Tensor:
        """UserError: these latents are not normal."""
        return Game.truncated(self, n, threshold)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """On the straight line, which does not leave [0, 1]."""
        return torch.lerp(a, b, t)

    def prediction_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """E |x_t - g(z_t, x_{t-1}, ...)|^2 per number, the real steps fed in the generator's place."""
        found = self.generator.predict(self.latents(len(batch.x)), batch.x).to(batch.x.dtype)
        return mse_loss(found, batch.x), {}

    def discriminator_loss_on_logits(
        self, critic: Critic, real: Tensor, fake: Tensor, d_real: Tensor, d_fake: Tensor
    ) -> tuple[Tensor, Stats]:
        loss, stats = super().discriminator_loss_on_logits(critic, real, fake, d_real, d_fake)
        return loss, stats | self.both(d_real, d_fake)

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """The distance of features, or L_G, and penalties."""
        fake = self.sample(self.latents(len(batch.x)), batch.y)
        with frozen():
            r_real = self.discriminator.features(batch.x)
        r_fake = self.discriminator.features(fake)
        d_real, d_fake = (self.discriminator.logits(r).to(fake.dtype) for r in (r_real, r_fake))
        distance = self.distance(r_real.to(fake.dtype), r_fake.to(fake.dtype))
        penalties = self.penalties("generator", self.critic(batch.y), batch.x, fake)
        loss = distance if self.feature_matching else self.objective.generator_loss(d_real, d_fake)
        return loss + sum(penalties.values()), penalties | {"features": distance} | self.both(d_real, d_fake)

    def distance(self, real: Tensor, fake: Tensor) -> Tensor:
        """|R(x) - R(G(z))|^2, ``[B, feature_dim]`` each: the mean over pairs, or of the batch's means."""
        return (fake - real if self.pairs else fake.mean(0) - real.mean(0)).square().sum(-1).mean()

    def both(self, d_real: Tensor, d_fake: Tensor) -> Stats:
        """L_D and L_G, which the freezing compares."""
        return {
            "adversarial_d": self.objective.discriminator_loss(d_real, d_fake).detach(),
            "adversarial_g": self.objective.generator_loss(d_real, d_fake).detach(),
        }

    def discriminator_plays(self, loss: Tensor, stats: Stats) -> bool:
        """Whether L_D >= ``freezing`` L_G."""
        return bool(stats["adversarial_d/discriminator"] >= self.freezing * stats["adversarial_g/discriminator"])

    def generator_plays(self, loss: Tensor, stats: Stats) -> bool:
        """Whether L_G >= ``freezing`` L_D."""
        return bool(stats["adversarial_g/generator"] >= self.freezing * stats["adversarial_d/generator"])
