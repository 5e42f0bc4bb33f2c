"""The endless stream of training batches."""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from copy import deepcopy
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from gan_cli.data.base import Dataset, seeded_generator
from gan_cli.errors import UserError
from gan_cli.types import Batch, Stateful

AHEAD = 2
"""Number of batches that are read in advance if reading a batch requires decoding."""


class Stream(Iterator[Batch]):
    """Endless, seeded, resumable batches.

    The order is addressed by position: batch k holds the samples k·B … k·B + B − 1 of an endless sequence in which sample i is
    the (i mod n)-th of the order of epoch ⌊i / n⌋. Every epoch contains every sample once, and a batch may span two epochs.
    The orders have generators of their own, seeded from (seed, epoch). torch's default generators are never used, and a
    stream that starts at position k equals one that has returned k batches.

    Args:
        dataset: Data set to read.
        batch_size: Number of samples B of a batch.
        seed: Seed of the orders.
        device: Device of the batches.
        position: Number of batches already returned. Batches that were only read in advance do not count.
        balanced: True for equally many samples of each class in every batch, see ``balanced_rows``.
        memory_format: Layout of images, see ``Batch.to``.

    Attributes:
        waited: Seconds in which the caller has waited for batches.

    Raises:
        UserError: If the data set is empty, the batch size is below 1, or batches of a data set without labels are to be
            balanced.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        seed: int,
        device: torch.device = torch.device("cpu"),  # noqa: B008
        position: int = 0,
        balanced: bool = False,
        memory_format: str = "contiguous",
    ):
        if len(dataset) < 1 and not dataset.unlimited:
            raise UserError("The data set holds no samples: nothing can be drawn from it.")
        if batch_size < 1:
            raise UserError(f"train.batch_size is {batch_size}: it must be at least 1.")
        self.labels = dataset.known_labels() if balanced else None
        if balanced and self.labels is None:
            raise UserError("train.batches=balanced needs labels that are known before the samples are read; there are none.")
        self.dataset, self.batch_size, self.seed, self.device = dataset, batch_size, seed, device
        self.position, self.memory_format, self.waited = position, memory_format, 0.0
        self._stateful = dataset if isinstance(dataset, Stateful) else None  # asking takes as long as reading a few points
        self._state = None if self._stateful is None else deepcopy(self._stateful.state_dict())
        self._order = lru_cache(maxsize=2)(self._epoch)
        self._reader: ThreadPoolExecutor | None = None
        self._ahead: deque[Future[Batch]] = deque()

    def indices(self, position: int) -> Tensor:
        """Return the rows of the batch at ``position``: int64 ``[B]`` or ``[B, k]``."""
        n, parts = len(self.dataset), []
        start, stop = position * self.batch_size, (position + 1) * self.batch_size
        if self.dataset.unlimited:
            return torch.arange(start, stop)
        while start < stop:
            epoch, offset = divmod(start, n)
            parts.append(self._order(epoch)[offset : offset + stop - start])
            start += len(parts[-1])
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def __next__(self) -> Batch:
        asked = time.perf_counter()
        batch = self._next_ahead() if self.dataset.decodes and self._state is None else self._read(self.position)
        self.position += 1
        batch = batch.to(self.device, self.memory_format)
        self.waited += time.perf_counter() - asked
        return batch

    def state_dict(self) -> dict[str, Any]:
        """Return the position, the size of the data set that gives it its meaning, and the data set's state if it has one."""
        own = {} if self._state is None else {"dataset": self._state}
        return {"position": self.position, "samples": self.dataset.size, **own}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue at the position of ``state``.

        Raises:
            UserError: If the number of samples of the data set has changed, because its order would differ.
        """
        if state["samples"] != self.dataset.size:
            raise UserError(
                f"The data set has changed: it had {state['samples']} samples when the checkpoint was written and has "
                f"{self.dataset.size} now.\nA run resumes only on the data that it started with."
            )
        self._forget_ahead()
        self.position, self._state = state["position"], state.get("dataset")

    def close(self) -> None:
        """Stop reading in advance. The stream can still be used and then starts to read again."""
        self._forget_ahead()
        if self._reader is not None:
            self._reader.shutdown(wait=True)
            self._reader = None

    def _epoch(self, epoch: int) -> Tensor:
        random = seeded_generator(self.seed, "epoch", epoch)
        rows = self.dataset.epoch(random)
        return rows if self.labels is None else balanced_rows(rows, self.labels, random)

    def _read(self, position: int) -> Batch:
        if self._stateful is not None and self._state is not None:  # which other readers may have changed
            self._stateful.load_state_dict(self._state)
        batch = self.dataset.batch(self.indices(position))
        if self._stateful is not None:
            self._state = deepcopy(self._stateful.state_dict())
        if self.device.type == "cuda":  # copies from pinned memory run in parallel to the computation
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
            self._forget_ahead()  # the batches read in advance no longer match the position
            raise

    def _forget_ahead(self) -> None:
        for future in self._ahead:
            future.cancel()
        self._ahead.clear()


def balanced_rows(rows: Tensor, labels: Tensor, random: torch.Generator) -> Tensor:
    """Return rows of the same number in which the classes take turns, so that all are equally frequent in every batch.

    K rows in a row are one of each of the K classes that have samples, in random order. Samples of a class come in random
    order, each once before any comes again. The further columns of rows, which are random changes of samples, stay.

    Args:
        rows: Rows of ``Dataset.epoch``: int64 ``[n]``, or ``[n, k]`` with the index in the first column.
        labels: Labels of all samples, int64 ``[n]``.
        random: Decides the order.
    """
    classes = labels.unique()
    turns = torch.rand(-(-len(rows) // len(classes)), len(classes), generator=random).argsort(1).flatten()[: len(rows)]
    chosen = torch.empty(len(rows), dtype=torch.int64)
    for turn, label in enumerate(classes):
        places, members = (turns == turn).nonzero().flatten(), (labels == label).nonzero().flatten()
        rounds = [torch.randperm(len(members), generator=random) for _ in range(-(-len(places) // len(members)))]
        chosen[places] = members[torch.cat(rounds)[: len(places)]]
    return chosen if rows.ndim == 1 else torch.cat([chosen[:, None], rows[:, 1:]], 1)
