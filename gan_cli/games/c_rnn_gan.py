"""C-RNN-GAN: a recurrent generator that is fed its own output and matches the features of its discriminator."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.errors import FieldError, UserError
from gan_cli.games.adversarial import AdversarialGame
from gan_cli.games.base import Turn, frozen, need_sequences, penalized
from gan_cli.games.objective import Objective, Part
from gan_cli.models.base import Discriminator, FeatureDiscriminator, Generator, require_features
from gan_cli.models.recurrent import AutoregressiveGenerator
from gan_cli.parallel import draws
from gan_cli.parallel.share import whole_rows
from gan_cli.regularizers.base import Judged
from gan_cli.types import Batch, Critic, Stats


class CRNNGAN(AdversarialGame):
    """min over D of L_D, min over G of E |R(x) - R(G(z))|^2 with R the features of D, z ~ U[0, 1] at every step (Mogren, 2016).

    In the ``pretraining`` turn G predicts each step from the real ones before it: E (x_t - g(z_t, x_{t-1}, ...))^2.

    The published code differs in several points: distances of features are summed over the batch and are not used by default;
    its last version lets G rest when D is ahead; G has dropout; songs grow longer during pretraining.

    Args:
        feature_matching: If false, G minimizes L_G instead.
        pairs: If true, the distance is between the features of one real sample and one fake, as in the paper and its code.
            As E |R(x) - R(G(z))|^2 = |E R(x) - E R(G(z))|^2 + tr Cov R(x) + tr Cov R(G(z)), this also draws the fakes
            together. If false, it is the distance of the batch's means (Salimans et al., 2016).
        freezing: A player rests while its adversarial loss is below this share of the other's: 0.7 in the paper, 0 if nobody
            rests. L_D is the sum of two terms and L_G has one, so that G rests when nobody is ahead, at 2 log 2 and log 2,
            until D is ahead.

    Raises:
        UserError: If the generator is not fed back, the discriminator has no features, or players rest by a loss that can be
            negative.
    """

    uses: ClassVar[tuple[Part, ...]] = ("loss", "regularizer")

    generator: AutoregressiveGenerator
    discriminator: FeatureDiscriminator

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        objective: Objective,
        feature_matching: bool = True,
        pairs: bool = True,
        freezing: float = 0.7,
    ) -> None:
        checks.flag("feature_matching", feature_matching)
        checks.flag("pairs", pairs)
        checks.share("freezing", freezing)
        if not isinstance(generator, AutoregressiveGenerator):
            raise UserError("game=c_rnn_gan feeds its generator's output back: it takes model/generator=c_rnn_gan.")
        loss = objective.loss
        if freezing and loss is not None and not loss.never_negative:
            raise FieldError(
                *("freezing", freezing),
                f"it takes one loss as a share of the other; {type(loss).__name__}'s can be negative.\n"
                "Set it to 0.0, or take loss=non_saturating.",
            )
        super().__init__(generator, discriminator, objective)
        self.discriminator = require_features(self.discriminator, "game=c_rnn_gan")
        self.feature_matching, self.pairs, self.freezing = feature_matching, pairs, freezing

    @classmethod
    def check(cls, data: Data) -> None:
        """Check that the data are sequences.

        Raises:
            UserError: If they are not.
        """
        need_sequences(data, "c_rnn_gan")

    def turns(self) -> Mapping[str, Turn]:
        turns = super().turns()
        return {
            "pretraining": turns["generator"]._replace(loss=self.prediction_loss),
            "discriminator": turns["discriminator"]._replace(should_step=self.discriminator_steps),
            "generator": turns["generator"]._replace(should_step=self.generator_steps),
        }

    @property
    def law(self) -> str:
        return "U[0, 1]"

    def latents(self, n: int) -> Tensor:
        """Draw ``[n, T, latent_dim]`` from U[0, 1]."""
        return draws.rand(n, *self.generator.latent_shape, device=self.device)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """Return latents on the straight line, which does not leave [0, 1]."""
        return torch.lerp(a, b, t)

    def prediction_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return E (x_t - g(z_t, x_{t-1}, ...))^2 per number; the generator is fed the real steps instead of its own."""
        predicted = self.generator.predict(self.latents(len(batch.x)), batch.x).to(batch.x.dtype)
        return mse_loss(predicted, batch.x), {}

    def discriminator_loss_on_logits(self, critic: Critic, judged: Judged) -> tuple[Tensor, Stats]:
        loss, stats = super().discriminator_loss_on_logits(critic, judged)
        return loss, stats | self.adversarial_losses(judged.real_logits, judged.fake_logits)

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return the distance of features, or L_G, + penalties."""
        fake = self.sample(self.latents(len(batch.x)), batch.y)
        with frozen():
            r_real = self.discriminator.features(batch.x)
        r_fake = self.discriminator.features(fake)
        d_real, d_fake = (self.discriminator.logits(r).to(fake.dtype) for r in (r_real, r_fake))
        distance = self.distance(r_real.to(fake.dtype), r_fake.to(fake.dtype))
        penalties = self.penalties("generator", self.critic(batch.y), Judged(batch.x, fake, d_real, d_fake))
        loss = distance if self.feature_matching else self.loss.generator_loss(d_real, d_fake)
        return penalized(loss, penalties), penalties | {"features": distance} | self.adversarial_losses(d_real, d_fake)

    def distance(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return |R(x) - R(G(z))|^2 for features ``[B, feature_dim]``: the mean over pairs, or of the batch's means."""
        if not self.pairs:
            reason = "game.pairs=false takes means of features over a whole batch"
            real, fake = whole_rows(real, reason), whole_rows(fake, reason)
        return (fake - real if self.pairs else fake.mean(0) - real.mean(0)).square().sum(-1).mean()

    def adversarial_losses(self, d_real: Tensor, d_fake: Tensor) -> Stats:
        """Return L_D and L_G, which ``freezing`` compares."""
        return {
            "adversarial_d": self.loss.discriminator_loss(d_real, d_fake).detach(),
            "adversarial_g": self.loss.generator_loss(d_real, d_fake).detach(),
        }

    def discriminator_steps(self, loss: Tensor, stats: Stats) -> bool:
        """Return whether L_D >= ``freezing`` L_G."""
        return bool(stats["adversarial_d/discriminator"] >= self.freezing * stats["adversarial_g/discriminator"])

    def generator_steps(self, loss: Tensor, stats: Stats) -> bool:
        """Return whether L_G >= ``freezing`` L_D."""
        return bool(stats["adversarial_g/generator"] >= self.freezing * stats["adversarial_d/generator"])
