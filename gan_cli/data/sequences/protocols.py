"""Protocols that cut one long series into windows and split them into a training and a held-out part."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data, Dataset, evenly_spaced, seeded_generator
from gan_cli.data.scaling import Scaling, Series
from gan_cli.data.sequences.tables import Table
from gan_cli.errors import FieldError, UserError
from gan_cli.types import Batch


class Windows(Dataset):
    """Windows of one series: sample i consists of the rows starts[i] … starts[i] + T − 1.

    Args:
        rows: The series, float32 ``[N, F]``.
        starts: First row of each window, int64 ``[n]``.
        window: Number of rows T of a window.
        origins: Facts about the table that the series was read from.
    """

    classes = 0

    def __init__(self, rows: Tensor, starts: Tensor, window: int, origins: Mapping[str, Any]):
        self.rows, self.starts, self.shape = rows, starts, (window, rows.shape[1])
        self._origins = origins

    def __len__(self) -> int:
        return len(self.starts)

    def origins(self) -> Mapping[str, Any]:
        return self._origins

    def batch(self, indices: Tensor) -> Batch:
        return Batch(self.rows[self.starts[indices][:, None] + torch.arange(self.shape[0])])


class WindowSplit(NamedTuple):
    """A series and the windows of both parts.

    Attributes:
        values: The series ``[N, F]``.
        names: Names of its F features.
        train: First row of each training window, int64 ``[n]``, ascending.
        heldout: First row of each held-out window, int64 ``[m]``, ascending.
    """

    values: Tensor
    names: tuple[str, ...]
    train: Tensor
    heldout: Tensor


class Protocol(NamedTuple):
    """Protocol by which a table is cut into windows.

    Attributes:
        description: Description, which every result includes.
        cut: Function of (table, window, share) that cuts the table.
        share: Default share of the windows that is held out, in [0, 1].
        by_time: True if the held-out windows are from another time, so that one part against the other measures how far two
            times differ.
    """

    description: str
    cut: Callable[[Table, int, float], WindowSplit]
    share: float
    by_time: bool


def shuffled(table: Table, window: int, share: float) -> WindowSplit:
    """Cut into all overlapping windows of the original values, in a random order, and hold out a share (Yoon et al., 2019).

    Nearly every held-out row is also part of training windows, so that a held-out window is new only in where it starts. The
    choice of held-out windows is fixed: every run has the same.
    """
    n = len(table.values) - window + 1
    held = _heldout(table, n, window, share)
    order = torch.randperm(n, generator=seeded_generator("heldout"))
    return WindowSplit(table.values, table.names, order[held:].sort().values, order[:held].sort().values)


def by_time(table: Table, window: int, share: float) -> WindowSplit:
    """Cut into windows without overlap of the changes from row to row, and hold out the last share.

    A change is the difference of logarithms, log u_t − log u_{t−1} (of prices: the return), if all values of the column are
    above 0, and u_t − u_{t−1} otherwise. Remaining rows at the end are dropped.
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
    return WindowSplit(changes, names, starts[:train], starts[train:])


PROTOCOLS = {
    "shuffled": Protocol("overlapping windows, shuffled and then split", shuffled, 0.2, by_time=False),
    "by_time": Protocol("changes in windows without overlap, split by time", by_time, 0.5, by_time=True),
}
"""``by_time`` holds out half of the windows, as many as it trains on, which the floor needs."""


def sequences(
    table: Table, window: int, protocol: str, heldout_share: float | None, max_samples: int | None, notes: tuple[str, ...] = ()
) -> Data:
    """Return the windows of a table, scaled in each feature so that the rows of the training part exactly fill [0, 1].

    Args:
        table: The series.
        window: Number of rows of a window, at least 2.
        protocol: ``shuffled`` or ``by_time``.
        heldout_share: Share of the windows that is held out, in [0, 1]; None for the protocol's default.
        max_samples: Largest number of windows of each part, evenly spaced in time; None for all.
        notes: What a user should know before training on the data.

    Raises:
        UserError: If an argument is out of its range, the table has too few rows, or a column is constant.
    """
    if protocol not in PROTOCOLS:
        raise FieldError("protocol", protocol, f"it must be one of {', '.join(PROTOCOLS)}.")
    checks.count("window", window, least=2)
    if max_samples is not None:
        checks.count("max_samples", max_samples)
    description, cut, share, is_by_time = PROTOCOLS[protocol]
    if heldout_share is not None:
        checks.share("heldout_share", heldout_share)
        share = heldout_share
    values, names, train, held = cut(table, window, share)
    scaling = Scaling.fit(values[covered(len(values), train, window)], names)
    rows = scaling.from_units(values)
    origins = {
        "table": table.title,
        "rows": len(table.values),
        "columns": list(table.names),
        "left_out": list(table.left_out),
        "window": window,
        "windows": len(train) + len(held),
    }
    parts = [Windows(rows, starts[evenly_spaced(len(starts), max_samples)], window, origins) for starts in (train, held)]
    note = f"protocol: {description}"
    return Data(*parts, series=Series(names, scaling, description, (note, *notes, *table.notes), is_by_time))


def covered(n: int, starts: Tensor, window: int) -> Tensor:
    """Return which of ``n`` rows lie in a window, bool ``[n]``, in memory that grows with the rows and not with the window.

    Args:
        n: Number of rows.
        starts: First row of each window, int64 ``[k]``.
        window: Number of rows of a window.
    """
    begun, ended = (torch.bincount(rows, minlength=n + 1) for rows in (starts, starts + window))
    return (begun - ended).cumsum(0)[:n] > 0


def _heldout(table: Table, n: int, window: int, share: float) -> int:
    """Return the number of windows, at least one of ``n``, that are held out."""
    if n < 2:
        raise UserError(
            f"{table.title} has {len(table.values)} rows, too few for windows of {window}: one to train on and one held out.\n"
            "Use a smaller dataset.window or a longer table."
        )
    held = max(1, math.floor(share * n + 0.5))
    if held >= n:
        raise FieldError("heldout_share", share, f"of {n} windows none is left to train on. Hold out a smaller share.")
    return held
