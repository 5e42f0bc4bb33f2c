"""Comparison of the runs in an archive with runs on disk: what agrees, and what differs."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

from gan_cli.config.budget import in_words
from gan_cli.config.identity import edits
from gan_cli.errors import printable, shortened_list
from gan_cli.evaluation.number_format import format_value
from gan_cli.report.export import archive
from gan_cli.report.export.manifest import Manifest, StoredRun, StoredValue, stored_run
from gan_cli.report.records.runs import run_records
from gan_cli.runs import environment
from gan_cli.runs.folder import refuse_links

AGREES, DIFFERS, NOTED = "agrees", "differs", "noted"
"""State of a line of the comparison. Only what differs makes the check fail: another command line or version is noted."""
STYLES = {AGREES: "green", DIFFERS: "bold red", NOTED: "yellow"}
QUANTILE = 1.96
"""Number of standard errors of a difference up to which two numbers agree."""


class Line(NamedTuple):
    """One line of the comparison: its state, what is compared, and what was found."""

    state: str
    subject: str
    found: str


def check(path: Path, folder: Path, console: Console) -> bool:
    """Print how the run or the sweep in ``folder`` compares with the runs in the archive at ``path``.

    Nothing of the archive is written to the disk, imported or executed.

    Returns:
        True if nothing differs.

    Raises:
        UserError: If one of the two cannot be read.
    """
    manifest, problems = archive.read(path)
    refuse_links(folder)
    runs = [stored_run(run) for run in run_records(folder) if run.config]
    lines = [*(Line(DIFFERS, "archive", problem) for problem in problems), *compare(manifest, runs)]
    about = manifest["claim"]["says"] if manifest["claim"] else manifest["title"]
    console.print(Text(printable(f"{path}: {about}"), style="bold"))
    if manifest["claim"]:
        claim = manifest["claim"]
        console.print(Text(printable(f"in the archive {claim['state']}: {claim['reason']}"), style="dim"))
    width = max(len(line.subject) for line in lines)
    for line in lines:
        text = Text(f"{line.state:<8}", style=STYLES[line.state])
        console.print(text.append(printable(f" {line.subject:<{width}}  {line.found}"), style="not bold default"))
    counts = {state: sum(line.state == state for line in lines) for state in STYLES}
    console.print(", ".join(f"{count} {state}" for state, count in counts.items()))
    return not counts[DIFFERS]


def compare(manifest: Manifest, runs: Sequence[StoredRun]) -> list[Line]:
    """Return the comparison of the archived runs with ``runs``, each with the one of its seed whose config is nearest."""
    lines: list[Line] = []
    free = list(runs)
    for old in manifest["runs"]:
        name = f"{old['method']}, seed {old['seed']}"
        same_seed = [new for new in free if new["seed"] == old["seed"]]
        if not same_seed:
            lines.append(Line(DIFFERS, name, f"there is no run with seed {old['seed']}"))
            continue
        new = min(same_seed, key=lambda one: len(_config_differences(old, one)))
        free.remove(new)
        lines += [Line(state, f"{name}: {what}", found) for state, what, found in _compare_run(old, new)]
    if not manifest["runs"]:
        lines.append(Line(DIFFERS, "runs", "the archive holds none"))
    if free:
        lines.append(Line(NOTED, "further runs", shortened_list([run["folder"] for run in free])))
    return lines


def _compare_run(old: StoredRun, new: StoredRun) -> Iterator[Line]:
    changed = _config_differences(old, new)
    yield Line(DIFFERS if changed else AGREES, "configuration", shortened_list(changed) if changed else "the same")
    yield Line(AGREES, "seed", str(old["seed"]))
    if (old["status"], old["step"]) != (new["status"], new["step"]):
        yield Line(DIFFERS, "status", f"{_status(new)}, {_status(old)} in the archive")
    for number, value in old["numbers"].items():
        yield _compare_number(number, value, new["numbers"].get(number))
    if old["command"] != new["command"]:
        yield Line(NOTED, "command line", f"{new['command'] or 'unknown'} instead of {old['command'] or 'unknown'}")
    else:
        yield Line(AGREES, "command line", old["command"] or "unknown in both")
    facts = [environment.in_words(one["environment"]) or "unknown" for one in (new, old)]
    same = facts[0] == facts[1]
    yield Line(AGREES if same else NOTED, "versions", facts[0] if same else f"{facts[0]} instead of {facts[1]}")
    if old["modules"] != new["modules"]:
        changed_modules = {name for name, _ in {*old["modules"].items()} ^ {*new["modules"].items()}}
        yield Line(DIFFERS, "own modules", shortened_list(sorted(changed_modules)))


def _config_differences(old: StoredRun, new: StoredRun) -> list[str]:
    """Return what differs in the configs: not the place of the data, and no keys that do not affect a result."""
    nodes = [config.get("train", {}) for config in (new["config"], old["config"])]
    now, before = (in_words(node) if isinstance(node, Mapping) else "none" for node in nodes)
    key, _, _ = now.partition("=")
    longer = [] if now == before else [f"{now} instead of {before.removeprefix(f'{key}=')}"]
    return [*edits(new["config"], old["config"]), *longer]


def _status(run: StoredRun) -> str:
    return f"{run['status']} at step {run['step']}"


def _compare_number(name: str, old: StoredValue, new: StoredValue | None) -> Line:
    if new is None:
        return Line(DIFFERS, name, f"not measured; {_text(old)} in the archive")
    if old["value"] == new["value"]:
        return Line(AGREES, name, f"{_text(new)}, equal to the bit")
    both = f"{_text(new)} instead of {_text(old)}"
    a, b = _number(old["value"]), _number(new["value"])
    errors = [_number(one["error"]) for one in (old, new) if one.get("error") is not None]
    if len(errors) == 2 and abs(a - b) <= QUANTILE * math.hypot(*errors):
        return Line(AGREES, name, f"{both}: within {QUANTILE} standard errors of the difference")
    return Line(DIFFERS, name, both)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _text(value: StoredValue) -> str:
    error = value.get("error")
    return format_value(_number(value["value"]), None if error is None else _number(error))
