"""Types shared by the whole package: batches, statistics and critics."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Stats = dict[str, Tensor]
"""Named scalars (0-d tensors) that a turn reports; solvers detach them from the graph."""

Critic = Callable[[Tensor], Tensor]
"""x ``[B, *shape]`` -> logits: a discriminator whose labels are fixed."""


class Batch(NamedTuple):
    """One batch of data.

    Attributes:
        x: Samples, float32 ``[B, *shape]``: images ``[B, C, H, W]`` in [-1, 1], points ``[B, d]`` or sequences ``[B, T, F]``.
        y: Labels, int64 ``[B]``. For translation the sources, float32 ``[B, *source]``: the inputs that belong to x, or
            samples of another domain. None if the data has neither.
    """

    x: Tensor
    y: Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on another device."""
        y = None if self.y is None else self.y.to(device, non_blocking=True)
        return Batch(self.x.to(device, non_blocking=True), y)
