"""The endless stream of batches that training draws from a data set."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache

import torch
from torch import Tensor

from gan_cli.data.base import Dataset, generator
from gan_cli.errors import UserError
from gan_cli.types import Batch

AHEAD = 2
"""Batches that are read ahead of the one handed out, where reading costs decoding."""


class Stream(Iterator[Batch]):
    """Endless, seeded, resumable batches of ``batch_size`` samples on ``device``.

    The order is addressed by position: batch k holds the samples k·B … k·B + B − 1 of the endless row in which sample i
    is the (i mod n)-th of the order that belongs to epoch ⌊i / n⌋. Every epoch shows every sample once; a batch
    may straddle epochs. Orders come from generators of their own, seeded from (seed, epoch): torch's default ones
    are never touched, and a stream that starts at position k equals one that has handed out k batches.

    ``position``: number of batches handed out. Batches that were only read ahead do not count.

    Raises:
        UserError: if the data set is empty or the batch size is not positive.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        seed: int,
        device: torch.device = torch.device("cpu"),  # noqa: B008
        position: int = 0,
    ):
        if len(dataset) < 1:
            raise UserError("The data set holds no samples: nothing can be drawn from it.")
        if batch_size < 1:
            raise UserError(f"train.batch_size is {batch_size}: it must be at least 1.")
        self.dataset, self.batch_size, self.seed, self.device = dataset, batch_size, seed, device
        self.position = position
        self._order = lru_cache(maxsize=2)(self._epoch)
        self._reader: ThreadPoolExecutor | None = None
        self._ahead: deque[Future[Batch]] = deque()

    def indices(self, position: int) -> Tensor:
        """Which samples (int64 ``[B]``, or rows ``[B, k]``) make up the batch at ``position``."""
        n, parts = len(self.dataset), []
        start, stop = position * self.batch_size, (position + 1) * self.batch_size
        while start < stop:
            epoch, offset = divmod(start, n)
            parts.append(self._order(epoch)[offset : offset + stop - start])
            start += len(parts[-1])
        return torch.cat(parts)

    def __next__(self) -> Batch:
        batch = self._next_ahead() if self.dataset.decodes else self._read(self.position)
        self.position += 1
        return batch.to(self.device)

    def state_dict(self) -> dict[str, int]:
        """Where the stream stands, and the size of the set that gives this position its meaning."""
        return {"position": self.position, "samples": self.dataset.size}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue where the stream stood when ``state`` was taken.

        Raises:
            UserError: if the data set has another number of samples by now, because its order would be another one.
        """
        if state["samples"] != self.dataset.size:
            raise UserError(
                f"The data set has changed: {state['samples']} samples when the checkpoint was written, "
                f"{self.dataset.size} now.\nThe run cannot continue on it as if nothing had happened."
            )
        self._forget_ahead()
        self.position = state["position"]

    def close(self) -> None:
        """Stop reading ahead. The stream can still be used: it starts to read again."""
        self._forget_ahead()
        if self._reader is not None:
            self._reader.shutdown(wait=True)
            self._reader = None

    def _epoch(self, epoch: int) -> Tensor:
        return self.dataset.epoch(generator(self.seed, "epoch", epoch))

    def _read(self, position: int) -> Batch:
        batch = self.dataset.batch(self.indices(position))
        if self.device.type == "cuda":  # pinned memory is what lets the copy run beside the computation
            return Batch(batch.x.pin_memory(), None if batch.y is None else batch.y.pin_memory())
        return batch

    def _next_ahead(self) -> Batch:
        if self._reader is None:
            self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="stream")
        while len(self._ahead) <= AHEAD:
            self._ahead.append(self._reader.submit(self._read, self.position + len(self._ahead)))
        try:
            return self._ahead.popleft().result()
        except BaseException:
            self._forget_ahead()  # what was read ahead no longer lines up with the position
            raise

    def _forget_ahead(self) -> None:
        for future in self._ahead:
            future.cancel()
        self._ahead.clear()
