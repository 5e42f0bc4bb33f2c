"""Share: one of the equal parts into which the batch of a turn is divided."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.types import Batch

_current: "ContextVar[Share | None]" = ContextVar("share", default=None)


class NeedsWholeBatch(UserError):
    """A turn looks at the whole batch, and the batch is divided."""


class Share:
    """Part ``index`` of ``count`` equal parts of a turn's batch.

    Every part draws the random numbers of the whole batch, from the same state of torch's default generators, and takes its
    own rows of them. ``draws`` has the functions for it; a draw that is made without them is an error.

    Args:
        index: Number of the part, from 0.
        count: Number of parts.
        batch: The samples of this part.
        whole: The samples of the whole batch.
        device: Device whose default generator is drawn from beside that of the CPU.
    """

    def __init__(self, index: int, count: int, batch: Batch, whole: Batch, device: torch.device) -> None:
        self.index, self.count, self.rows, self.device = index, count, len(batch.x), device
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
                "divided.\nDraw one row for each sample, and several numbers in a row. Or set train.accumulate=1."
            )
        return self.drawn(lambda: draw(n * self.count))[self.index * n : (self.index + 1) * n]

    def drawn(self, draw: Callable[[], Tensor]) -> Tensor:
        """Return ``draw()``, which draws from the default generators."""
        self._expect_seen()
        numbers = draw()
        self.seen = self._states()
        return numbers

    def _states(self) -> list[Tensor]:
        own = [torch.cuda.get_rng_state(self.device)] if self.device.type == "cuda" else []
        return [torch.get_rng_state(), *([torch.mps.get_rng_state()] if self.device.type == "mps" else own)]

    def _expect_seen(self) -> None:
        if not all(map(torch.equal, self._states(), self.seen)):
            raise UserError(
                "a turn draws random numbers by other functions than those of gan_cli.parallel.draws (torch.nn.Dropout, for "
                "instance),\nso that parts of a batch would not get those of the whole. Use these, or set train.accumulate=1."
            )


def current() -> Share | None:
    """Return the share that is being computed; None outside of a turn and where the batch is not divided."""
    return _current.get()


def whole_data(x: Tensor) -> Tensor:
    """Return the data of the whole batch of which ``x`` ``[B, *shape]`` is the current part.

    Raises:
        NeedsWholeBatch: If the batch is divided and ``x`` is not its data.
    """
    share = current()
    if share is None:
        return x
    if id(x) not in share.whole:
        need_whole_batch("it looks at samples of the whole batch that are made part by part")
    return share.whole[id(x)]


def need_whole_batch(reason: str) -> None:
    """Check that the batch is not divided.

    Args:
        reason: Why it must not be, as a clause.

    Raises:
        NeedsWholeBatch: If it is.
    """
    if share := current():
        raise NeedsWholeBatch(
            f"train.accumulate={share.count}: {reason}, so that the batch cannot be divided.\n"
            "Set train.accumulate=1; a smaller train.batch_size needs less memory."
        )
