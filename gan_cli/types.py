"""The words that everything speaks."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Stats = dict[str, Tensor]
"""Named scalars (0-d tensors) that a turn reports; never part of the graph once they leave a solver."""

Critic = Callable[[Tensor], Tensor]
"""x -> logits: a discriminator with its labels already filled in."""


class Batch(NamedTuple):
    """One batch of data.

    ``x``: float32 ``[B, *shape]``; images lie in [-1, 1] as ``[B, C, H, W]``, sequences are ``[B, T, F]``.
    ``y``: int64 labels ``[B]``; of data for translation the sources float32 ``[B, *source]``, what each x answers or another
    domain; None where the data has neither.
    """

    x: Tensor
    y: Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        y = None if self.y is None else self.y.to(device, non_blocking=True)
        return Batch(self.x.to(device, non_blocking=True), y)
