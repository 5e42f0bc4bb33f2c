"""Augmentation: the base class of all augmentations."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from gan_cli.contracts import STATS, TENSOR, Contract
from gan_cli.types import Stats


class Augmentation(Contract, nn.Module, ABC):
    """A random transformation T that is applied before the discriminator, to data and to fakes.

    The same T is applied in the turns of both players and is differentiable in x (twice where a penalty needs it), so that
    the generator learns to produce samples that look right under T. It is active in training mode only. Its state is kept in
    buffers, so that a resumed run continues exactly. An augmentation that depends on the round defines ``begin_round(step)``.
    """

    contract: ClassVar = {"transform": TENSOR, "forward": TENSOR, "stats": STATS}

    def __init__(self) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """Return T(x), with T drawn for each sample from torch's default generator; in eval mode return x.

        Args:
            x: Samples ``[B, *shape]``.

        Returns:
            Transformed samples ``[B, *shape]``.
        """
        return self.transform(x) if self.training else x

    @abstractmethod
    def transform(self, x: Tensor) -> Tensor:
        """Return T(x) in training mode: ``[B, *shape] -> [B, *shape]``."""

    @property
    def needs_boundary(self) -> bool:
        """True if the augmentation adapts to D's decisions; the loss must then define a ``boundary``."""
        return False

    def observe(self, d_real: Tensor) -> None:
        """Record D's logits on the data; the values stay on the device.

        This is called whenever the discriminator's loss is computed, which a solver may do several times per step. Only the
        last call before ``adapt`` counts.

        Args:
            d_real: Logits of real samples ``[B, ...]`` minus the loss's ``boundary``.
        """

    def adapt(self) -> None:
        """Update the state after a step of the discriminator."""

    def stats(self) -> Stats:
        """Return 0-d tensors to log, with keys ``augmentation/<name>``."""
        return {}
