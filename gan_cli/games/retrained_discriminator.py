"""A generator at rest before judges that learn from scratch (Arjovsky & Bottou, 2017, figures 2 and 3)."""

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from gan_cli.errors import UserError
from gan_cli.games.base import Turn, frozen
from gan_cli.games.gan import GAN
from gan_cli.losses.base import Loss
from gan_cli.losses.minimax import Minimax
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.models.base import Discriminator, Generator
from gan_cli.regularizers.base import Regularizer, constrain, penalties
from gan_cli.types import Batch, Critic, Stats

PROBE = 64
"""Fakes on which the generator's gradients are taken."""


class RetrainedDiscriminatorGAN(GAN):
    """A GAN of ``generator`` and ``discriminator`` under ``loss``, and two judges who start as the discriminator did.

    The ``judge`` learns by cross-entropy, the ``critic`` by the Wasserstein loss under the ``regularizers``, which have no part
    in the GAN. Played in phases: first generator and discriminator, then, the generator at rest, judge and critic. What the
    generator would learn from them is measured: the gradients of its saturating and non-saturating costs before the judge, and
    of its Wasserstein cost before the critic.
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        loss: Loss,
        regularizers: Mapping[str, Regularizer],
    ) -> None:
        super().__init__(generator, discriminator, loss)
        if self.conditional or discriminator.conditional:
            raise UserError("game=retrained_discriminator measures players that look at no labels: choose another model.")
        self.judge = deepcopy(discriminator)
        self.judging = dict(regularizers)
        network: torch.nn.Module = deepcopy(discriminator)
        for name, regularizer in regularizers.items():
            if tuple(regularizer.players) != ("discriminator",):
                raise UserError(f"regularizer.{name}: in this game regularizers are for the critic, players=[discriminator].")
            network = regularizer.transform(network)
        self.wasserstein_critic = network
        self.register_buffer("judgements", torch.zeros((), dtype=torch.int64))

    judgements: Tensor

    def turns(self) -> Mapping[str, Turn]:
        return {
            **super().turns(),
            "judge": Turn(tuple(self.judge.parameters()), self.judge_loss, self.count),
            "critic": Turn(tuple(self.wasserstein_critic.parameters()), self.critic_loss, self.constrain_critic),
        }

    def drawn(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Real samples and as many fakes."""
        with frozen():
            return batch.x, self.sample(self.latents(len(batch.x)), batch.y)

    def judge_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Cross-entropy, and the estimate of JS."""
        d_real, d_fake = (self.judge(x, batch.y) for x in self.drawn(batch))
        return Minimax().discriminator_loss(d_real, d_fake), Minimax().estimate(d_real, d_fake)

    def critic_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Wasserstein loss + penalties, and the estimate of W_1."""
        real, fake = self.drawn(batch)
        critic = self.judging_critic(batch.y)
        d_real, d_fake = critic(real), critic(fake)
        added = penalties(self.judging, self.wasserstein_critic, critic, real, fake)
        loss = Wasserstein().discriminator_loss(d_real, d_fake)
        return loss + sum(added.values()), added | Wasserstein().estimate(d_real, d_fake)

    def judging_critic(self, y: Tensor | None) -> Critic:
        """x -> the critic's logits."""
        return lambda x: self.wasserstein_critic(x, y).to(x.dtype)

    def count(self) -> None:
        """One more judgement."""
        self.judgements += 1

    def constrain_critic(self) -> None:
        """Lets the regularizers put the critic's weights back where they may be."""
        constrain(self.judging, self.wasserstein_critic)

    def measure(self, step: int) -> Mapping[str, float]:
        """While the judges learn: ``judging/iterations``, how many turns they had, and ``generator_gradient/<cost>``.

        The norm over all of the generator's parameters of ∇ E -softplus(f) (``saturating``) and ∇ E softplus(-f)
        (``non_saturating``), f the judge's logits, and ∇ E -f (``wasserstein``), f the critic's, on ``PROBE`` fakes; everybody
        in train mode, as in a generator's turn.
        """
        if not self.judgements:
            return {}
        z = self.latents(PROBE)
        costs = {
            "saturating": (self.judge, Minimax()),
            "non_saturating": (self.judge, NonSaturating()),
            "wasserstein": (self.wasserstein_critic, Wasserstein()),
        }
        return {"judging/iterations": float(self.judgements)} | {
            f"generator_gradient/{name}": float(gradient_norm(self.generator, judge, loss, z))
            for name, (judge, loss) in costs.items()
        }


def gradient_norm(generator: Generator, judge: torch.nn.Module, loss: Loss, z: Tensor) -> Tensor:
    """‖∇ over G's parameters of L_G(D(G(z)))‖, of copies in train mode, so that no running statistics move."""
    generator, judge = deepcopy(generator).train(), deepcopy(judge).train()
    with torch.enable_grad():
        logits = judge(generator(z, None), None)
        cost = loss.generator_loss(logits.new_empty(0), logits)
        return get_total_norm(torch.autograd.grad(cost, list(generator.parameters())))
