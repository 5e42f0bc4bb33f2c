"""From one long series to sequences: how it is cut into windows, and which of them no player ever sees."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data, Dataset, evenly, generator
from gan_cli.data.scaling import Scaling, Series
from gan_cli.data.sequences.tables import Table
from gan_cli.errors import FieldError, UserError
from gan_cli.types import Batch


class Windows(Dataset):
    """Windows of one series: sample i is the rows starts[i] … starts[i] + T − 1 of ``rows`` ``[N, F]`` float32.

    ``starts``: int64 ``[n]``; ``window``: T.
    """

    classes = 0

    def __init__(self, rows: Tensor, starts: Tensor, window: int):
        self.rows, self.starts, self.shape = rows, starts, (window, rows.shape[1])

    def __len__(self) -> int:
        return len(self.starts)

    def batch(self, indices: Tensor) -> Batch:
        """The windows at ``indices`` (int64 ``[B]``)."""
        return Batch(self.rows[self.starts[indices][:, None] + torch.arange(self.shape[0])])


class Cut(NamedTuple):
    """``values`` ``[N, F]`` of ``names``, and where the windows of both parts begin: int64 ``[n]`` each, ascending."""

    values: Tensor
    names: tuple[str, ...]
    train: Tensor
    heldout: Tensor


class Protocol(NamedTuple):
    """``words``: what it does, as every result says it; ``cut``: does it; ``share``: of the windows that it holds out.

    ``by_time``: whether these are of another time, so that one part against the other says how far two times differ.
    """

    words: str
    cut: Callable[[Table, int, float], Cut]
    share: float
    by_time: bool


def shuffled(table: Table, window: int, share: float) -> Cut:
    """All overlapping windows of the values as they are, in a random order, of which a ``share`` is held out.

    As in the TimeGAN paper (Yoon et al., 2019). Nearly every held-out row lies in windows of the training part, too, so that
    held-out windows are known but for where they begin. Which ones are held out is fixed: every run has the same.
    """
    n = len(table.values) - window + 1
    held = _heldout(table, n, window, share)
    order = torch.randperm(n, generator=generator("heldout"))
    return Cut(table.values, table.names, order[held:].sort().values, order[:held].sort().values)


def by_time(table: Table, window: int, share: float) -> Cut:
    """Windows without overlap of the changes from row to row, of which the last ``share`` is held out.

    A change is the difference of logarithms, log u_t − log u_{t−1} (of prices: the return), where all values of the column are
    above 0, and the difference u_t − u_{t−1} elsewhere. What is left over at the end is dropped.
    """
    u = table.values
    positive = (u > 0).all(0)
    changes = torch.where(positive, u.clamp(min=torch.finfo(u.dtype).tiny).log().diff(dim=0), u.diff(dim=0))
    names = tuple(
        f"{name} {'log return' if logs else 'change'}" for name, logs in zip(table.names, positive.tolist(), strict=True)
    )
    n = len(changes) // window
    starts = window * torch.arange(n)
    train = n - _heldout(table, n, window, share)
    return Cut(changes, names, starts[:train], starts[train:])


PROTOCOLS = {
    "shuffled": Protocol("overlapping windows, shuffled and then split", shuffled, 0.2, by_time=False),
    "by_time": Protocol("changes in windows without overlap, split by time", by_time, 0.5, by_time=True),
}
"""By time half is held out, as many windows as there are to train on, for the floor."""


def sequences(
    table: Table, window: int, protocol: str, heldout_share: float | None, max_windows: int | None, notes: tuple[str, ...] = ()
) -> Data:
    """The windows of a table, scaled feature by feature so that the rows of the training part just fill [0, 1].

    ``heldout_share``: of the windows, those that no player sees; None: the protocol's own. ``max_windows`` keeps at most that
    many of each part, evenly spaced in time; ``notes``: what the table's numbers must not be taken for.

    Raises UserError for an unknown protocol, a share out of range, too few rows and columns that never change.
    """
    if protocol not in PROTOCOLS:
        raise FieldError("protocol", protocol, f"it must be one of {', '.join(PROTOCOLS)}.")
    checks.count("window", window, least=2)
    if max_windows is not None:
        checks.count("max_windows", max_windows)
    words, cut, share, apart = PROTOCOLS[protocol]
    if heldout_share is not None:
        checks.share("heldout_share", heldout_share)
        share = heldout_share
    values, names, train, held = cut(table, window, share)
    scaling = Scaling.learnt(values[(train[:, None] + torch.arange(window)).unique()], names)
    rows = scaling.from_units(values)
    parts = [Windows(rows, starts[evenly(len(starts), max_windows)], window) for starts in (train, held)]
    said = f"protocol: {words} ({len(parts[0])} windows to train on, {len(parts[1])} held out)"
    return Data(*parts, series=Series(names, scaling, words, (said, *notes), apart))


def _heldout(table: Table, n: int, window: int, share: float) -> int:
    """How many of ``n`` windows are held out: at least one. UserError where none is left to train on."""
    if n < 2:
        raise UserError(
            f"{table.title} has {len(table.values)} rows, too few for windows of {window}: one to train on and one held out.\n"
            "Take a smaller dataset.window, or a longer table."
        )
    held = max(1, math.floor(share * n + 0.5))
    if held >= n:
        raise FieldError("heldout_share", share, f"of {n} windows none is left to train on. Hold out a smaller share.")
    return held
