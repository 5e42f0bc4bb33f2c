"""Share: one of the equal parts into which the batch of a turn is divided."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.parallel.gather import gathered
from gan_cli.parallel.ranks import ALONE, Ranks
from gan_cli.types import Batch

_current: "ContextVar[Share | None]" = ContextVar("share", default=None)


class NeedsWholeBatch(UserError):
    """A turn looks at the whole batch, and the batch is divided."""


class Share:
    """One of the equal parts of a turn's batch.

    Every part draws the random numbers of the whole batch, from the same state of torch's default generators, and takes its
    own rows of them. ``draws`` has the functions for it; a draw that is made without them is an error.

    Args:
        index: Number of the part, from 0.
        parts: Number of parts that each process computes.
        batch: The samples of this part.
        whole: The samples of the whole batch.
        device: Device whose default generator is drawn from beside that of the CPU.
        ranks: The processes that compute parts at the same time.

    Attributes:
        count: Number of parts, those of all processes together.
    """

    def __init__(self, index: int, parts: int, batch: Batch, whole: Batch, device: torch.device, ranks: Ranks = ALONE) -> None:
        self.index, self.parts, self.ranks, self.rows, self.device = index, parts, ranks, len(batch.x), device
        self.count = parts * ranks.count
        self.whole: dict[int, Tensor] = {id(batch.x): whole.x}
        if batch.y is not None and whole.y is not None:
            self.whole[id(batch.y)] = whole.y
        self.seen = self._states()

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Make this the current share inside the context.

        Raises:
            UserError: If random numbers are drawn without ``draws``.
        """
        token = _current.set(self)
        try:
            yield
            self._expect_seen()
        finally:
            _current.reset(token)

    def own_rows(self, n: int, draw: Callable[[int], Tensor]) -> Tensor:
        """Return the rows of this part of ``draw(m)``, the numbers of all ``m`` samples of the whole batch.

        Args:
            n: Number of samples of this part.
            draw: Draws numbers for so many samples, one row each.

        Raises:
            UserError: If this part has not ``n`` samples.
        """
        if n != self.rows:
            raise UserError(
                f"random numbers for {n} samples are drawn where a part of the batch has {self.rows}: the batch cannot be "
                f"divided.\nDraw one row for each sample, and several numbers in a row. Or set {self.undivided}."
            )
        return self.drawn(lambda: draw(n * self.count))[self.index * n : (self.index + 1) * n]

    def drawn(self, draw: Callable[[], Tensor]) -> Tensor:
        """Return ``draw()``, which draws from the default generators."""
        self._expect_seen()
        numbers = draw()
        self.seen = self._states()
        return numbers

    @property
    def undivided(self) -> str:
        """The words of the command line that leave batches whole."""
        words = {"processes=1": self.ranks.count > 1, "train.accumulate=1": self.parts > 1}
        return " and ".join(word for word, is_needed in words.items() if is_needed)

    def _states(self) -> list[Tensor]:
        own = [torch.cuda.get_rng_state(self.device)] if self.device.type == "cuda" else []
        return [torch.get_rng_state(), *([torch.mps.get_rng_state()] if self.device.type == "mps" else own)]

    def _expect_seen(self) -> None:
        if not all(map(torch.equal, self._states(), self.seen)):
            raise UserError(
                "a turn draws random numbers by other functions than those of gan_cli.parallel.draws (torch.nn.Dropout, for "
                "instance),\n"
                f"so that parts of a batch would not get those of the whole. Use these, or set {self.undivided}."
            )


def current() -> Share | None:
    """Return the share that is being computed; None outside of a turn and where the batch is not divided."""
    return _current.get()


def whole_data(x: Tensor) -> Tensor:
    """Return the data of the whole batch of which ``x`` ``[B, *shape]`` is the current part.

    Raises:
        NeedsWholeBatch: If the parts are computed one after another and ``x`` is not the data of the current one.
    """
    share = current()
    if share is not None and id(x) in share.whole:
        return share.whole[id(x)]
    return whole_rows(x, "it looks at samples of the whole batch that are made part by part")


def whole_rows(x: Tensor, reason: str) -> Tensor:
    """Return the rows of the whole batch of which ``x`` ``[B, *shape]`` are those of the current part, differentiably.

    What every process computes of whole rows is the same in all of them, so that it may stand in a loss beside means over
    the rows of the part.

    Args:
        x: Rows of the current part, at least one; as many in each process.
        reason: Why the whole batch is needed, as a clause.

    Raises:
        NeedsWholeBatch: If the parts are computed one after another, so that those of the others are not there.
    """
    share = current()
    if share is None:
        return x
    if share.parts > 1:
        need_whole_batch(reason, processes_will_do=True)
    return gathered(x, share.ranks).flatten(0, 1)


def own_rows(x: Tensor) -> Tensor:
    """Return the rows of the current part of ``x`` ``[B of the whole batch, *shape]``."""
    share = current()
    return x if share is None else x.tensor_split(share.count)[share.index]


def need_whole_batch(reason: str, processes_will_do: bool = False) -> None:
    """Check that the batch is not divided.

    Args:
        reason: Why it must not be, as a clause.
        processes_will_do: True if several processes may divide it, each of which computes one part.

    Raises:
        NeedsWholeBatch: If it is.
    """
    if share := current():
        undivided = "train.accumulate=1" if processes_will_do else share.undivided
        raise NeedsWholeBatch(
            f"{divided(share.parts, share.ranks.count)}: {reason}, so that the batch cannot be divided.\n"
            f"Set {undivided}{'; a smaller train.batch_size needs less memory' if share.parts > 1 else ''}."
        )


def divided(parts: int, processes: int) -> str:
    """Return the words of the command line that divide batches so."""
    words = {f"processes={processes}": processes > 1, f"train.accumulate={parts}": parts > 1 or processes == 1}
    return " ".join(word for word, is_named in words.items() if is_named)
