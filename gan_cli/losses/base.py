"""Loss: the base class of all losses."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from gan_cli.contracts import SCALAR, STATS, Contract
from gan_cli.types import Stats


class Loss(Contract, ABC):
    """The losses of discriminator and generator as functions of the logits. Both are minimized.

    ``real`` is D(x) and ``fake`` is D(G(z)): raw logits (critic scores, no sigmoid), batch first, of any shape, such as
    ``[B]``, patches ``[B, 1, h, w]`` or time steps ``[B, T]``. Losses average over all of them.

    A new loss is a frozen dataclass in a file of this folder; its fields are the keys of its yaml in ``conf/loss/``. A loss
    that remembers something defines ``state_dict`` and ``load_state_dict``, one that depends on the round
    ``begin_round(step)``; see ``gan_cli.games.objective``.
    """

    contract: ClassVar = {"discriminator_loss": SCALAR, "generator_loss": SCALAR, "estimate": STATS, "judgement": STATS}
    boundary: ClassVar[float | None] = None
    """The optimal discriminator's logit of a sample that is as likely data as fake; larger logits mean data.

    None if a single logit does not say so, as for the logits of a critic or an energy, or for a relativistic loss.
    """
    looks_at_real: ClassVar[bool] = False
    """True if ``generator_loss`` uses ``real``; otherwise games save the forward pass and pass an empty tensor."""
    never_negative: ClassVar[bool] = False
    """True if neither loss can be negative, so that one can be compared to the other as a share of it."""

    @abstractmethod
    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the scalar that the discriminator minimizes."""

    @abstractmethod
    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the scalar that the generator minimizes; ``real`` is empty unless ``looks_at_real``."""

    def estimate(self, real: Tensor, fake: Tensor) -> Stats:
        """Return what these logits say about the distance between data and generator, without any penalty.

        For example ``{"wasserstein": E D(x) - E D(G(z))}`` in units of the critic's slope, or ``{"js": log 2 - L_D / 2}`` in
        nats; empty if the loss bounds no divergence. On samples that the discriminator was not trained on, the expectation is a
        lower bound of the distance; on the training batch a discriminator that memorises exceeds it. Must not change the
        state of the loss.
        """
        return {}

    def log_ratio(self, logits: Tensor) -> Tensor | None:
        """Return log p(x) / q(x), data over fakes, that these logits mean if the discriminator is optimal.

        None if a single logit does not say so, as for ``boundary``. Must not change the state of the loss.
        """
        return None

    @torch.no_grad()
    def judgement(self, real: Tensor, fake: Tensor) -> Stats:
        """Return what the discriminator takes data and fakes for, as means over all logits, under their full tags.

        ``D/real`` and ``D/fake`` are E D(x) and E D(G(z)), the probabilities of being data that the logits imply; for a loss
        without a ``log_ratio`` they are ``logit/real`` and ``logit/fake``, the mean logits. ``accuracy/real`` and
        ``accuracy/fake`` are the shares with a ``log_ratio`` above and below 0, or without one on the right side of
        ``boundary``, if there is one.
        """
        real_ratio, fake_ratio = self.log_ratio(real), self.log_ratio(fake)
        if real_ratio is None or fake_ratio is None:
            stats = {"logit/real": real.mean(), "logit/fake": fake.mean()}
            return stats if self.boundary is None else stats | accuracies(real - self.boundary, fake - self.boundary)
        shares = accuracies(real_ratio, fake_ratio)
        return {"D/real": real_ratio.sigmoid().mean(), "D/fake": fake_ratio.sigmoid().mean(), **shares}


def accuracies(real: Tensor, fake: Tensor) -> Stats:
    """Return the shares of ``real`` above 0 and of ``fake`` below 0."""
    return {"accuracy/real": (real > 0).float().mean(), "accuracy/fake": (fake < 0).float().mean()}
