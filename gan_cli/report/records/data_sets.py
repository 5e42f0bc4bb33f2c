"""Runs by data set, so that no figure or table mixes numbers of different data."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

from gan_cli.config.identity import flat
from gan_cli.errors import printable
from gan_cli.report.records.runs import RunRecord

LIMITS = ("max_samples", "n", "n_heldout", "seed", "download")
"""Arguments of a data set that choose some of its samples or say how to get it. Runs that differ in these alone share it."""


def by_data_set(runs: Sequence[RunRecord]) -> dict[str, list[RunRecord]]:
    """Return the runs of each data set by its name, with their settings reduced to those in which its methods differ.

    The name is empty if all runs share a data set. Otherwise it is the option of the group ``dataset`` or the name of its
    function, with further arguments where several data sets would share a name.
    """
    groups: dict[tuple[Any, ...], list[RunRecord]] = {}
    for run in runs:
        groups.setdefault(tuple(sorted(_arguments(run).items())), []).append(run)
    if len(groups) < 2:
        return {"": _reduced(runs)}
    names = _names([found[0] for found in groups.values()])
    return {name: _reduced(found) for name, found in zip(names, groups.values(), strict=True)}


def _arguments(run: RunRecord) -> dict[str, str]:
    """Return what decides the samples of a run's data set, as text by dotted key."""
    node = run.config.get("dataset")
    return {key: str(value) for key, value in flat(node).items() if key not in LIMITS} if isinstance(node, Mapping) else {}


def _names(examples: Sequence[RunRecord]) -> list[str]:
    """Return names that tell the data sets of these runs apart."""
    bases = [run.sweep_run.decisive_overrides().get("dataset") or _function(run) for run in examples]
    arguments = [_arguments(run) for run in examples]
    names = []
    for base, own in zip(bases, arguments, strict=True):
        alike = [other for other_base, other in zip(bases, arguments, strict=True) if other_base == base]
        keys = [key for key in dict.fromkeys(key for one in alike for key in one) if len({one.get(key) for one in alike}) > 1]
        names.append(printable(", ".join([base, *(f"{key}={own[key]}" for key in keys if key in own)])))
    return names


def _function(run: RunRecord) -> str:
    return _arguments(run).get("_target_", "").rpartition(".")[2] or "no data set"


def _reduced(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Return the records with the settings in which their methods differ."""
    keys = {key for run in runs for key in run.settings if len({other.settings.get(key) for other in runs}) > 1}
    return [_with_settings(run, {key: value for key, value in run.settings.items() if key in keys}) for run in runs]


def _with_settings(run: RunRecord, settings: Mapping[str, str]) -> RunRecord:
    if settings == run.settings:
        return run
    changed = copy(run)  # with what has been read of the checkpoint
    object.__setattr__(changed, "settings", settings)
    return changed
