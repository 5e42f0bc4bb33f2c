"""A search for the best values: the keys that were searched, and its trials, as ``sweep.json`` lists them."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

from gan_cli import files
from gan_cli.config.form import FormError, require
from gan_cli.errors import UserError
from gan_cli.runs.folder import StoredMetric

Scale = Literal["linear", "log", "choice"]
"""Kinds of draws of a key's values: from a range of numbers, from the logarithm of one, or from a list."""


class _StoredSearch(TypedDict):
    fresh: NotRequired[int]
    keys: dict[str, Scale]
    importance: dict[str, float]


class _StoredTrial(TypedDict):
    overrides: list[str]
    status: str
    metric: NotRequired[StoredMetric | None]


class _Stored(TypedDict):
    search: _StoredSearch
    jobs: list[_StoredTrial]


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        number: Its place in the search, from 0 on.
        values: Its values of the searched keys.
        status: ``finished``, ``pruned`` or another status of a run.
        metric: Its last metric. None: it has none that is finite.
    """

    number: int
    values: Mapping[str, float | str]
    status: str
    metric: float | None


@dataclass(frozen=True)
class Search:
    """The trials of a search.

    Attributes:
        metric: Name of the metric that was searched for.
        higher_is_better: True if larger values of it are better.
        keys: The searched keys, with the scale of their values.
        importance: The share of each key in the differences between good and other trials; empty if there are too few trials.
        trials: All trials in the order in which they were begun.
    """

    metric: str
    higher_is_better: bool
    keys: Mapping[str, Scale]
    importance: Mapping[str, float]
    trials: Sequence[Trial]

    @property
    def finished(self) -> list[Trial]:
        """The trials that have finished with a metric, best first."""
        found = [trial for trial in self.trials if trial.status == "finished" and trial.metric is not None]
        return sorted(found, key=self._rank)

    def _rank(self, trial: Trial) -> float:
        value = trial.metric or 0.0
        return -value if self.higher_is_better else value


def read_search(folder: Path) -> Search | None:
    """Return the search in ``folder``, None if it holds another sweep, a run, or no trial with a metric."""
    content: Any = None
    with suppress(OSError, UserError, FormError, KeyError, ValueError):
        content = files.read_json(folder / "sweep.json")
        require(content, _Stored)
        jobs = content["jobs"][: len(content["jobs"]) - content["search"].get("fresh", 0)]
        metrics = [job["metric"] for job in jobs if job.get("metric")]
        if metrics:
            search, first = content["search"], metrics[0]
            trials = [_trial(number, job, search["keys"]) for number, job in enumerate(jobs)]
            higher = bool(first.get("higher_is_better"))
            return Search(first["name"], higher, search["keys"], search["importance"], trials)
    return None


def _trial(number: int, job: _StoredTrial, keys: Mapping[str, Scale]) -> Trial:
    """Return a job as a trial.

    Raises:
        KeyError: If it has no value of a key.
        ValueError: If a value is none of the key's scale.
    """
    words = {key: text for key, _, text in (word.lstrip("+~").partition("=") for word in job["overrides"])}
    measured = job.get("metric")
    value = measured.get("final") if measured else None
    metric = value if value is not None and math.isfinite(value) else None
    return Trial(number, {key: _value(words[key], scale) for key, scale in keys.items()}, job["status"], metric)


def _value(text: str, scale: Scale) -> float | str:
    if scale == "choice":
        return text
    number = float(text)
    if not (math.isfinite(number) and (number > 0 or scale == "linear")):
        raise ValueError(text)
    return number
