"""The runs below a folder: what each of them is, how far it has come, and its number. Everything is read as plain data."""

import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_cli.activity import Activity, activity
from gan_cli.config.identity import flat
from gan_cli.config.names import method_name
from gan_cli.config.stored import read_plain
from gan_cli.errors import UserError
from gan_cli.runs import environment, lock, naming
from gan_cli.runs.folder import START, holds_config, read_result, steps_in
from gan_cli.runs.started import options

if TYPE_CHECKING:
    import pandas

RUNNING, UNFINISHED, UNREADABLE = "running", "unfinished", "unreadable"
"""Statuses beside those of ``result.json``: a process works in the folder; none does, and no result was written; no config."""
RESUMABLE = ("stopped", "requeue", UNFINISHED)
"""Statuses of runs that have not come to their end."""
STATUSES = (RUNNING, "finished", "pruned", "failed", *RESUMABLE, UNREADABLE)
TAIL = 64 * 1024
"""Number of bytes at the end of ``metrics.jsonl`` in which the newest number of an unfinished run is looked for."""


@dataclass(frozen=True)
class Row:
    """One run.

    Attributes:
        folder: Its folder.
        method: The name of the method: ``method`` in its config, else the game and the loss.
        data: The data set.
        step: Number of rounds that it has saved.
        steps: Its last round.
        status: One of ``STATUSES``.
        metric: The name of the metric. None: none was measured.
        value: The newest value of the metric.
        age: Seconds since something was written.
        size: Bytes on the disk.
        reason: Why it failed or stopped.
        settings: Chosen options by group, and values of the config by dotted key.
    """

    folder: Path
    method: str
    data: str
    step: int
    steps: int | None
    status: str
    metric: str | None
    value: float | None
    age: float
    size: int
    reason: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_begun(self) -> bool:
        """True if a checkpoint is left from which it can be continued."""
        return bool(steps_in(self.folder))


def rows(root: Path, now: float) -> list[Row]:
    """Return the runs at or below ``root``, the one that was written to last first.

    Args:
        root: A folder.
        now: The time from which ages are counted.

    Raises:
        UserError: If there is no such folder.
    """
    if not root.is_dir():
        raise UserError(f"{root}: there is no such folder. Runs lie below outputs/ unless hydra.run.dir names another place.")
    with activity(f"looking for runs in {root}, folder") as work:
        return sorted((row(folder, now) for folder in _runs(root, work)), key=lambda one: (one.age, str(one.folder)))


def _runs(root: Path, work: Activity) -> Iterator[Path]:
    """Yield the folders of runs at or below ``root``, and count the folders that are searched; links are not followed."""
    for place, folders, names in os.walk(root):
        work.advance()
        if {"config.yaml", "result.json"} & {*names} and _is_run(Path(place)):
            yield Path(place)
            folders.clear()
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def _is_run(folder: Path) -> bool:
    """Return True if a run has begun in ``folder``, or a job failed there before it began.

    Other programs write files of these names, too. A run records its environment before its config, and the result of a job
    that failed holds the hash of the job's config.
    """
    if holds_config(folder):
        return bool(environment.read(folder))
    result = read_result(folder) or {}
    return (folder / START).is_dir() and result.get("status") == "failed" and "config" in result


def row(folder: Path, now: float) -> Row:
    """Return the run in ``folder``."""
    config: dict[str, Any] = {}
    with suppress(OSError, UserError):
        config = read_plain(folder / "config.yaml")
    result, chosen = read_result(folder) or {}, options(folder)
    metric, value = _metric(folder, result)
    written = list(_written(folder))
    return Row(
        folder=folder,
        method=str(config.get("method") or method_name(_name(config, chosen, "game"), _name(config, chosen, "loss"))),
        data=_name(config, chosen, "dataset"),
        step=max(0, int(result.get("step", 0)), *steps_in(folder)),
        steps=config.get("train", {}).get("steps") if isinstance(config.get("train"), dict) else None,
        status=_status(folder, config, result),
        metric=metric,
        value=value,
        age=max(0.0, now - max((status.st_mtime for status in written), default=now)),
        size=sum(status.st_size for status in written),
        reason=str(result.get("reason", "")),
        settings={**flat(config), **chosen},
    )


def runs(folder: str | Path = naming.OUTPUTS) -> "pandas.DataFrame":
    """Return the runs at or below ``folder`` as a table: a row for each run, the one that was written to last first.

    The columns are ``folder``, ``method``, ``data``, ``step``, ``steps``, ``status``, ``metric``, ``value``, ``age`` in
    seconds, ``size`` in bytes, ``reason``, and each setting of the runs under its key, as ``loss`` or ``train.batch_size``.

    Args:
        folder: A run, a sweep, or any folder above them.

    Raises:
        UserError: If there is no such folder.
    """
    import time

    import pandas

    table = []
    for one in rows(Path(folder).expanduser(), time.time()):
        own = asdict(one)
        settings = {key: value for key, value in own.pop("settings").items() if key not in own}
        table.append({**own, **settings})
    return pandas.DataFrame(table)


def _status(folder: Path, config: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    if os.path.lexists(folder / lock.NAME):
        with suppress(UserError, OSError):
            if lock.holder(folder) is not None:
                return RUNNING
    if "train" not in config and result.get("status") != "failed":
        return UNREADABLE
    return str(result["status"]) if result.get("status") in STATUSES else UNFINISHED


def _name(config: Mapping[str, Any], chosen: Mapping[str, str], group: str) -> str:
    """Return the chosen option of a group, or the name of its target where the choice was not recorded."""
    node = config.get(group)
    target = node.get("_target_") if isinstance(node, dict) else None
    return chosen.get(group) or str(target or "unknown").rpartition(".")[2]


def _metric(folder: Path, result: Mapping[str, Any]) -> tuple[str | None, float | None]:
    """Return the name of the run's metric and its newest value: that of the result, or else of the curve."""
    metric = result.get("metric")
    if metric:
        return metric["name"], metric.get("final")
    try:
        with (folder / "metrics.jsonl").open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            lines = file.read(TAIL).splitlines()
    except OSError:
        return None, None
    for line in reversed(lines):
        with suppress(ValueError, RecursionError):
            found = json.loads(line)
            for tag, value in found.items() if isinstance(found, dict) else ():
                if tag.startswith("metric/") and isinstance(value, int | float) and math.isfinite(value):
                    return tag.removeprefix("metric/"), float(value)
    return None, None


def _written(folder: Path) -> Iterator[os.stat_result]:
    """Yield the status of each regular file of a run; files that are removed meanwhile are left out, links not followed."""
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                status = os.lstat(os.path.join(place, name))
                if stat.S_ISREG(status.st_mode):
                    yield status
