"""Runs that stand for their methods where one run of each is shown."""

from collections.abc import Sequence
from typing import NamedTuple

from gan_cli.report.records.runs import RunRecord


class Selection(NamedTuple):
    """One run of each method.

    Attributes:
        runs: The runs, in the order of their methods.
        seed: The seed that all of them have. None: no seed has a run of every method.
    """

    runs: list[RunRecord]
    seed: int | None

    @property
    def note(self) -> str:
        """A sentence about the seeds; empty for a single method, whose name says its seed."""
        if len(self.runs) < 2:
            return ""
        if self.seed is None:
            return f"No seed is there for every method. Shown: {'; '.join(run.name for run in self.runs)}."
        return f"Every method is shown with seed {self.seed}."


def equal_seeds(runs: Sequence[RunRecord]) -> Selection:
    """Return one run of each method: those of the smallest seed that all methods have, else the smallest seed of each."""
    methods: dict[str, dict[int, RunRecord]] = {}
    for run in runs:
        methods.setdefault(run.method, {}).setdefault(run.sweep_run.seed, run)
    if not methods:
        return Selection([], None)
    shared = set.intersection(*(set(seeds) for seeds in methods.values()))
    seed = min(shared) if shared else None
    return Selection([seeds[min(seeds) if seed is None else seed] for seeds in methods.values()], seed)


def left_out(methods: Sequence[str], limit: int | None) -> str:
    """Return a sentence about the methods beyond the first ``limit`` ones and how to see them; empty if there are none."""
    if limit is None or len(methods) <= limit:
        return ""
    hidden = "; ".join(methods[limit:])
    return f"{limit} of {len(methods)} methods are shown here, and methods={len(methods)} shows all. Left out: {hidden}."
