"""gan-runs: the runs below a folder as a table, their differences, and what to do with those that failed or stopped."""

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gan_cli.config.grammar import written
from gan_cli.config.names import is_run_only
from gan_cli.config.scalars import scalars
from gan_cli.config.schema import RunsConfig
from gan_cli.errors import UserError, printable
from gan_cli.files import bytes_in_words
from gan_cli.runs import naming, table
from gan_cli.runs.console import UNBROKEN, Terminal, displayed, say, say_in_words
from gan_cli.runs.folder import resume_command
from gan_cli.runs.lock import InUse, locked
from gan_cli.runs.table import RESUMABLE, STATUSES, Row

ACTIONS = ("diff", "delete", "requeue")
TRAIN = "from gan_cli.cli.main import gan_train; raise SystemExit(gan_train())"
UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


class Request(NamedTuple):
    """The words of a command line, sorted out.

    Attributes:
        action: One of ``ACTIONS``; empty for the table.
        places: Folders, or parts of their names.
        filters: Key -> the values that are asked for.
        keys: The keys of the command itself.
    """

    action: str
    places: Sequence[str]
    filters: dict[str, list[str]]
    keys: dict[str, str]


def runs_command(words: Sequence[str], yes: bool = False, run: bool = False) -> int:
    """Answer ``gan-runs`` and return the exit code.

    Args:
        words: The words of the command line without flags.
        yes: True if nothing is to be asked before runs are deleted.
        run: True if unfinished runs are to be continued now.

    Raises:
        UserError: If a word means nothing, or there is no such run.
    """
    request, console = requested(words), Terminal()
    if (yes and request.action != "delete") or (run and request.action != "requeue"):
        raise UserError("--yes belongs to gan-runs delete, --run to gan-runs requeue.")
    if request.action == "diff":
        return diff(request, console)
    found = chosen(request)
    if request.action == "delete":
        return delete(found, "status" in request.filters, yes, console)
    if request.action == "requeue":
        return requeue(found, run, console)
    show(found, console)
    return 0


def requested(words: Sequence[str]) -> Request:
    """Sort out the words of a command line.

    Raises:
        UserError: If a status or an order does not exist.
    """
    action, words = (words[0], words[1:]) if words and words[0] in ACTIONS and not Path(words[0]).is_dir() else ("", words)
    places: list[str] = []
    filters: dict[str, list[str]] = {}
    keys: dict[str, str] = {}
    known = scalars(RunsConfig)
    for word in words:
        key, assigned, value = word.partition("=")
        if not assigned or Path(word).is_dir():
            places.append(word)
        elif key == "folder":
            places.append(value)
        elif key in known and key != "status":
            keys[key] = value
        else:
            filters[key] = value.strip("[]").split(",")
    for status in filters.get("status", ()):
        if status not in STATUSES:
            raise UserError(f"status={status}: it must be one of {', '.join(STATUSES)}.")
    order = known["sort"]
    if problem := order.problem(keys.get("sort", order.default)):
        raise UserError(f"sort {problem}, not {keys['sort']!r}")
    return Request(action, places, filters, keys)


def chosen(request: Request) -> list[Row]:
    """Return the runs that the request asks for, in its order."""
    now = time.time()
    places = [Path(naming.find_run(place, sweeps=True)).expanduser() for place in request.places] or [naming.OUTPUTS]
    with displayed(Console(stderr=True)):
        found = {row.folder: row for place in places for row in table.rows(place, now)}
    _refuse_unknown(request.filters, found.values())
    fitting = [row for row in found.values() if all(_fits(row, key, values) for key, values in request.filters.items())]
    order = request.keys.get("sort", "age")
    return sorted(fitting, key=lambda row: _sortable(getattr(row, "value" if order == "metric" else order)))


def _sortable(value: Any) -> tuple[bool, Any]:
    return value is None, 0 if value is None else value


def _refuse_unknown(filters: Iterable[str], found: Iterable[Row]) -> None:
    """Refuse a key that none of the runs has: a mistyped one would hide them all."""
    known = {key for row in found for key in row.settings} | {"status", "method", "data", "metric"}
    for key in filters:
        if len(known) > 4 and key not in known:
            raise UserError(
                f"no run has a key '{key}'. Filter by status, method, data, an option (loss=hinge) or a key (seed=1)."
            )


def _fits(row: Row, key: str, values: Sequence[str]) -> bool:
    own = getattr(row, key) if key in ("status", "method", "data", "metric") else row.settings.get(key)
    return str(own) in values or written(own) in values


def show(found: Sequence[Row], console: Terminal) -> None:
    """Print a table of runs; on a terminal that is too narrow for it, each run with its values below its name."""
    if not found:
        say(console, "no runs.")
        return
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("method", "data", "step", "status", "metric", "age", "size", "run"):
        shown.add_column(name, justify="right" if name in ("step", "age", "size") else "left", no_wrap=True)
    rows = []
    for row in found:
        value = "" if row.metric is None else f"{row.metric} {'-' if row.value is None else f'{row.value:.4g}'}"
        step = f"{row.step}/{row.steps}" if row.steps is not None else str(row.step)
        cells = (row.method, row.data, step, row.status, value, duration(row.age), bytes_in_words(row.size), str(row.folder))
        rows.append([printable(cell) for cell in cells])
        shown.add_row(*map(Text, rows[-1]))
    unbroken = console.options.update(width=UNBROKEN)
    if console.is_terminal and console.measure(shown, options=unbroken).maximum > console.width:
        for *values, folder in rows:
            say(console, folder)
            say_in_words(console, f"    {', '.join(filter(None, values))}", indent=4)
    else:
        Terminal(width=UNBROKEN, file=console.file).print(
            shown
        )  # the name comes last and is not broken, so that it can be copied
    say(console, f"{len(found)} run{'s' * (len(found) > 1)}, {bytes_in_words(sum(row.size for row in found))}")


def diff(request: Request, console: Terminal) -> int:
    """Print the settings and numbers in which two runs differ; the exit code is 0.

    Raises:
        UserError: If there are not two runs.
    """
    if len(request.places) != 2 or request.filters:
        raise UserError("name two runs: gan-runs diff RUN_A RUN_B")
    a, b = (table.row(_one_run(place), time.time()) for place in request.places)
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("", str(a.folder), str(b.folder)):
        shown.add_column(Text(printable(name)), overflow="fold")
    settings = [key for key in dict.fromkeys((*a.settings, *b.settings)) if not is_run_only(key)]
    lines = [(key, *(_written(row.settings, key) for row in (a, b))) for key in settings]
    lines = [line for line in lines if line[1] != line[2]]
    numbers = [(name, *(str(getattr(row, name)) for row in (a, b))) for name in ("status", "step")]
    metrics = [*dict.fromkeys(row.metric for row in (a, b) if row.metric is not None)]
    numbers += [(name, *(_number(row, name) for row in (a, b))) for name in metrics]
    for line in (*lines, *numbers):
        shown.add_row(*(Text(printable(cell)) for cell in line))
    console.print(shown)
    if not lines:
        say(console, "their configs are equal, apart from keys that do not affect the result")
    return 0


def _one_run(place: str) -> Path:
    folder = Path(naming.find_run(place)).expanduser()
    if not (folder / "config.yaml").is_file():
        raise UserError(f"no run in {folder}: there is no {folder / 'config.yaml'}.")
    return folder


def _number(row: Row, metric: str) -> str:
    return f"{row.value:.6g}" if row.metric == metric and row.value is not None else "-"


def _written(settings: Any, key: str) -> str:
    return written(settings[key]) if key in settings else "-"


def delete(found: Sequence[Row], by_status: bool, yes: bool, console: Terminal) -> int:
    """Delete the runs that failed without a checkpoint, or those of the statuses that were asked for; return the exit code.

    A run in which a process works is never deleted.
    """
    at_rest = [row for row in found if row.status != table.RUNNING]
    doomed = at_rest if by_status else [row for row in at_rest if row.status == "failed" and not row.is_begun]
    if not doomed:
        left = sum(row.status == "failed" for row in found)
        hint = f" {left} failed with a checkpoint and can be continued: status=failed deletes them, too." if left else ""
        say(console, f"nothing to delete.{hint}")
        return 0
    show(doomed, console)
    if not yes:
        if not sys.stdin.isatty():
            raise UserError("nothing was deleted: add --yes to delete these runs.")
        if input(f"Delete {len(doomed)} run{'s' * (len(doomed) > 1)}? [y/N] ").strip().lower() not in ("y", "yes"):
            say(console, "nothing was deleted")
            return 0
    deleted = 0
    for row in doomed:
        if row.folder.is_symlink():
            say(console, f"{row.folder} is a link and stays")
            continue
        try:
            with locked(row.folder):
                shutil.rmtree(row.folder)
            deleted += 1
        except InUse as error:
            say(console, f"{error}")
    say(console, f"deleted {deleted} of {len(doomed)}")
    return 0


def requeue(found: Sequence[Row], run: bool, console: Terminal) -> int:
    """Print the lines that continue the unfinished runs, or continue them one after the other; return the exit code."""
    unfinished = [row for row in found if row.status in RESUMABLE]
    if not run or not unfinished:
        for row in unfinished:
            print(resume_command(row.folder))
        if not unfinished:
            say(console, "no run is unfinished.")
        return 0
    failed = 0
    for row in unfinished:
        say(console, resume_command(row.folder))
        code = subprocess.call([sys.executable, "-c", TRAIN, f"resume={row.folder}"])
        if code > 128:  # a signal that is meant for all of them
            return code
        failed += code != 0
    if failed:
        say(console, f"{failed} of {len(unfinished)} failed: gan-runs {shlex.join(str(row.folder) for row in unfinished)}")
    return 1 if failed else 0


def duration(seconds: float) -> str:
    """Return a time in its largest unit: ``3 h``."""
    return next((f"{int(seconds // length)} {unit}" for unit, length in UNITS if seconds >= length), "0 s")
