"""Types shared by the whole package: batches, statistics and critics."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

Stats = dict[str, Tensor]
"""Named scalars (0-d tensors) that a turn reports; solvers detach them from the graph."""

Critic = Callable[[Tensor], Tensor]
"""x ``[B, *shape]`` -> logits: a discriminator whose labels are fixed."""


@runtime_checkable
class Stateful(Protocol):
    """A part that remembers something between rounds, such as a moving average.

    It may be a loss, a regularizer, a metric, a schedule, a learning rate or the training part of a data set.

    The state is plain data and tensors. It is saved in every checkpoint and handed back, with its tensors on the CPU, when a
    run is resumed, so that the resumed run equals the uninterrupted one.
    """

    def state_dict(self) -> Mapping[str, Any]:
        """Return everything that the part remembers."""

    def load_state_dict(self, state_dict: Mapping[str, Any], /) -> Any:
        """Restore what ``state_dict`` returned."""


class Batch(NamedTuple):
    """One batch of data.

    Attributes:
        x: Samples, float32 ``[B, *shape]``: images ``[B, C, H, W]`` in [-1, 1], points ``[B, d]`` or sequences ``[B, T, F]``.
        y: Labels, int64 ``[B]``. For translation the sources, float32 ``[B, *source]``: the inputs that belong to x, or
            samples of another domain. None if the data has neither.
    """

    x: Tensor
    y: Tensor | None = None

    def to(self, device: torch.device, memory_format: str = "contiguous") -> "Batch":
        """Return the batch on another device, with its images in a memory format: ``contiguous`` or ``channels_last``."""
        x, y = (None if t is None else t.to(device, non_blocking=True) for t in self)
        if memory_format == "channels_last":
            x, y = (t if t is None or t.ndim != 4 else t.contiguous(memory_format=torch.channels_last) for t in (x, y))
        assert x is not None
        return Batch(x, y)

    @classmethod
    def joined(cls, batches: Sequence["Batch"]) -> "Batch":
        """Return one batch of the samples of all ``batches``, at least one, in their order."""
        if len(batches) == 1:
            return batches[0]
        labels = [batch.y for batch in batches if batch.y is not None]
        return cls(torch.cat([batch.x for batch in batches]), torch.cat(labels) if labels else None)
