"""A generator at rest before a discriminator and a critic that learn from scratch."""

from collections.abc import Mapping
from copy import deepcopy
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from gan_cli.errors import UserError
from gan_cli.games.base import Turn, frozen, penalized
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective, Part
from gan_cli.games.reporting import reported
from gan_cli.losses.base import Loss
from gan_cli.losses.minimax import Minimax
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.models.base import Discriminator, Generator
from gan_cli.precision import widened
from gan_cli.regularizers.base import Judged
from gan_cli.types import Batch, Stats

PROBE = 64
"""Number of fakes on which the generator's gradients are computed."""


class RetrainedDiscriminatorGAN(GAN):
    """A GAN, and two more players that start as its discriminator did (Arjovsky and Bottou, 2017, figures 2 and 3).

    ``retrained_discriminator`` learns by cross-entropy, ``retrained_critic`` by the Wasserstein loss under the regularizers,
    which have no part in the GAN itself. The game is played in phases: first generator and discriminator, then, with the
    generator at rest, the two retrained players. What the generator would learn from them is measured: the gradients of its
    saturating and non-saturating costs for the retrained discriminator, and of its Wasserstein cost for the retrained critic.

    Raises:
        UserError: If the players use labels, or a regularizer is for another player than the critic.
    """

    uses: ClassVar[tuple[Part, ...]] = ("loss", "regularizer")
    retrained_critic: nn.Module
    judgements: Tensor

    def __init__(self, generator: Generator, discriminator: Discriminator, objective: Objective) -> None:
        super().__init__(generator, discriminator, objective)
        if self.conditional or discriminator.conditional:
            raise UserError("game=retrained_discriminator measures players that use no labels: choose another model.")
        for name, regularizer in objective.regularizers.items():
            if not set(regularizer.players) <= set(self.regularized_as("retrained_critic")):
                raise UserError(f"regularizer.{name}: in this game regularizers are for the critic, players=[discriminator].")
        self.retrained_discriminator = deepcopy(discriminator)
        self.add_players(retrained_critic=deepcopy(discriminator))
        self.register_buffer("judgements", torch.zeros((), dtype=torch.int64))

    def regularized_as(self, player: str) -> tuple[str, ...]:
        """Return the names of the critic, the only player that is regularized; ``discriminator`` is the config's default."""
        return ("retrained_critic", "discriminator") if player == "retrained_critic" else ()

    def turns(self) -> Mapping[str, Turn]:
        return {
            **super().turns(),
            "retrained_discriminator": self.turn(
                "retrained_discriminator", loss=self.retrained_discriminator_loss, after=self.count
            ),
            "retrained_critic": self.turn("retrained_critic", loss=self.retrained_critic_loss),
        }

    def draw(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the real samples of the batch and as many fakes."""
        with frozen():
            return batch.x, self.sample(self.latents(len(batch.x)), batch.y)

    def retrained_discriminator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return the cross-entropy, and report the estimate of JS."""
        d_real, d_fake = (widened(self.retrained_discriminator(x, batch.y)) for x in self.draw(batch))
        return Minimax().discriminator_loss(d_real, d_fake), reported(lambda: judged(Minimax(), d_real, d_fake))

    def retrained_critic_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return the Wasserstein loss + penalties, and report the estimate of W_1."""
        real, fake = self.draw(batch)

        def critic(x: Tensor) -> Tensor:
            return self.retrained_critic(x, batch.y).to(x.dtype)

        d_real, d_fake = critic(real), critic(fake)
        penalties = self.penalties("retrained_critic", critic, Judged(real, fake, d_real, d_fake))
        loss = Wasserstein().discriminator_loss(d_real, d_fake)
        stats = {"adversarial": loss} | penalties | reported(lambda: judged(Wasserstein(), d_real, d_fake))
        return penalized(loss, penalties), stats

    def count(self) -> None:
        """Count one more turn of the retrained discriminator."""
        self.judgements += 1

    def measure(self, step: int) -> Mapping[str, float]:
        """Return ``judging/iterations`` and ``generator_gradient/<cost>`` once the retrained players learn, nothing before.

        ``judging/iterations`` counts the turns of the retrained discriminator. ``generator_gradient/<cost>`` is the norm over
        all of the generator's parameters of ∇ E -softplus(f) (``saturating``) and ∇ E softplus(-f) (``non_saturating``), f
        being the logits of the retrained discriminator, and of ∇ E -f (``wasserstein``), f being those of the retrained
        critic, on ``PROBE`` fakes. All networks are in train mode, as in a generator's turn.
        """
        if not self.judgements:
            return {}
        z = self.latents(PROBE)
        costs = {
            "saturating": (self.retrained_discriminator, Minimax()),
            "non_saturating": (self.retrained_discriminator, NonSaturating()),
            "wasserstein": (self.retrained_critic, Wasserstein()),
        }
        return {"judging/iterations": float(self.judgements)} | {
            f"generator_gradient/{name}": float(gradient_norm(self.generator, critic, loss, z))
            for name, (critic, loss) in costs.items()
        }


def judged(loss: Loss, d_real: Tensor, d_fake: Tensor) -> Stats:
    """Return the estimate of a retrained player, and its judgement with ``_retrained`` behind each name."""
    judgement = {f"{name}_retrained": value for name, value in loss.judgement(d_real, d_fake).items()}
    return {**loss.estimate(d_real, d_fake), **judgement}


def gradient_norm(generator: Generator, critic: nn.Module, loss: Loss, z: Tensor) -> Tensor:
    """Return ‖∇ over G's parameters of L_G(D(G(z)))‖, computed on copies in train mode, so that no running statistics move."""
    generator, critic = deepcopy(generator).train(), deepcopy(critic).train()
    with torch.enable_grad():
        logits = critic(generator(z, None), None)
        cost = loss.generator_loss(logits.new_empty(0), logits)
        return get_total_norm(torch.autograd.grad(cost, list(generator.parameters())))
