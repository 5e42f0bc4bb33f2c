"""The contract of a loss."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from gan_cli.types import Stats


class Loss(ABC):
    """What the discriminator and the generator minimise, as a function of the logits alone.

    ``real`` is D(x) and ``fake`` is D(G(z)): raw logits (critic scores, no sigmoid), batch first, of any shape (``[B]``,
    patches ``[B, 1, h, w]``, time steps ``[B, T]``); losses average over all of it. Both losses are minimised.

    A new loss is a frozen dataclass in a file of this folder, its fields being the keys of its yaml in ``conf/loss/``.
    """

    boundary: ClassVar[float | None] = None
    """The logit of what the best discriminator finds as likely to be data as fake, so that it takes what lies above for data.

    None where one logit says no such thing: a critic's and an energy's do not, and a relativistic one only beside another.
    """
    looks_at_real: ClassVar[bool] = False
    """Whether ``generator_loss`` looks at ``real``; where it does not, games spare the forward pass and pass no logits."""
    never_negative: ClassVar[bool] = False
    """Whether neither loss comes below 0, whatever the logits, so that one can be a share of the other."""

    @abstractmethod
    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Scalar that the discriminator minimises."""

    @abstractmethod
    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Scalar that the generator minimises; ``real`` is empty unless the loss ``looks_at_real``."""

    def estimate(self, real: Tensor, fake: Tensor) -> Stats:
        """What these logits say about the distance between data and generator, never with a penalty in it.

        ``{"wasserstein": E D(x) - E D(G(z))}`` in units of the critic's slope, or a lower bound in nats such as
        ``{"js": log 2 - L_D / 2}``; empty where the loss bounds no divergence.
        """
        return {}
