"""The manifest of an archive: what its runs were, as plain data."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from gan_cli import __version__
from gan_cli.evaluation.columns import data_set, own_method
from gan_cli.evaluation.stored_form import plain
from gan_cli.report.claims.base import Assessment
from gan_cli.report.records.runs import RunRecord
from gan_cli.runs import environment, started

FORMAT = 1
"""Version of the form of an archive."""


class StoredValue(TypedDict):
    """One number of a run in the manifest; a number that is not finite is a string or None."""

    value: float | str | None
    error: NotRequired[float | str | None]


class StoredRun(TypedDict):
    """One run in the manifest."""

    folder: str
    method: str
    data_set: str
    seed: int
    status: str
    step: int
    config: dict[str, Any]
    command: str | None
    numbers: dict[str, StoredValue]
    environment: dict[str, Any]
    modules: dict[str, str]


class StoredClaim(TypedDict):
    """The claim that the runs are about."""

    says: str
    rule: str
    state: str
    reason: str


class Manifest(TypedDict):
    """The content of ``manifest.json``."""

    format: int
    gan_cli: str
    title: str
    claim: StoredClaim | None
    commands: list[str]
    runs: list[StoredRun]
    files: dict[str, str]


def manifest_of(
    title: str, assessment: Assessment | None, commands: Sequence[str], runs: Sequence[RunRecord], sums: Mapping[str, str]
) -> Manifest:
    """Return the manifest of an archive.

    Args:
        title: Title of the report.
        assessment: The claim with its verdict. None: the archive is about no single claim.
        commands: Command lines that make the runs again and measure them.
        runs: The runs.
        sums: SHA-256 of each other file of the archive by its name there.
    """
    claim: StoredClaim | None = None
    if assessment is not None:
        verdict = assessment.verdict
        claim = {"says": assessment.claim, "rule": assessment.rule, "state": verdict.state, "reason": verdict.reason}
    return {
        "format": FORMAT,
        "gan_cli": __version__,
        "title": title,
        "claim": claim,
        "commands": list(commands),
        "runs": [stored_run(run) for run in runs],
        "files": dict(sums),
    }


def stored_run(run: RunRecord) -> StoredRun:
    """Return what the manifest says of a run."""
    entries = environment.read(run.folder)
    words = started.again(run.folder, run.config, run.sweep_run.overrides)
    return {
        "folder": run.folder.name,
        "method": run.method or own_method(run.sweep_run),
        "data_set": data_set(run.sweep_run),
        "seed": run.sweep_run.seed,
        "status": str(run.result.get("status", "unfinished")),
        "step": run.step,
        "config": {key: plain(value) for key, value in run.config.items() if key != "report"},
        "command": None if words is None else started.in_one_line(words),
        "numbers": numbers_of(run),
        "environment": dict(entries[-1].facts) if entries else {},
        "modules": {name: one["sha256"] for name, one in entries[-1].modules.items()} if entries else {},
    }


def numbers_of(run: RunRecord) -> dict[str, StoredValue]:
    """Return the numbers of a run at its end: the metric of training, and those of gan-eval with their standard errors."""
    found: dict[str, StoredValue] = {}
    for tag in run.tags:
        if tag.startswith("metric/"):
            found[tag] = {"value": plain(run.number(tag))}
    for result in run.results:
        if "last" in result.chosen:
            for name, number in result.numbers.items():
                origin = result.provenance
                about = f"{name} (gan-eval, {origin.n_fake} samples, sampling seed {origin.seed})"
                found[about] = {"value": plain(number.value), "error": plain(number.error)}
    return found
