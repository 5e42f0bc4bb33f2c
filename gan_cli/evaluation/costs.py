"""The costs of methods side by side: images, FLOPs and processor time."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from rich.console import Group
from rich.text import Text

from gan_cli.config.names import settings_text
from gan_cli.evaluation.layout import blank_table, numeric_column, titled_table
from gan_cli.evaluation.results import Result
from gan_cli.evaluation.sweeps import SweepRun, groups, shared_settings

Costs: TypeAlias = Mapping[str, float]
"""The costs of a run by the names in ``runs.costs.COSTS``."""
ALIKE = 1.05
"""Largest ratio of the costs of methods that are taken for equal: processor times scatter."""
PREFIXES = (("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12), ("P", 1e15), ("E", 1e18))
COLUMNS: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "images": ("images", lambda n: prefixed(n)),
    "flops": ("FLOPs", lambda n: prefixed(n)),
    "processor_seconds": ("processor min", lambda seconds: f"{seconds / 60:.3g}"),
}
"""Headings of the columns by the costs that they show, and functions that write these."""
TITLE = "cost of training"
NOTE = "Mean over seeds. Processor time: of all threads and processes, without measurements. FLOPs: counted, not measured."


def prefixed(number: float) -> str:
    """Return a number with three digits and a decimal prefix: ``12.8 k``."""
    prefix, unit = [(prefix, unit) for prefix, unit in PREFIXES if unit == 1 or number >= 0.9995 * unit][-1]
    return f"{number / unit:.3g} {prefix}".rstrip()


def cost_rows(methods: Mapping[str, Sequence[Costs]]) -> tuple[list[str], list[list[str]]]:
    """Return the headings and the rows of a table of the mean costs of each method; no rows if the methods cost the same.

    Args:
        methods: The costs of the runs of each method.
    """
    means = {method: _means(runs) for method, runs in methods.items()}
    known = [name for name in COLUMNS if any(name in found for found in means.values())]
    if len(means) < 2 or not any(_differ([found[name] for found in means.values() if name in found]) for name in known):
        return [], []
    rows = [
        [method, *(COLUMNS[name][1](found[name]) if name in found else "" for name in known)] for method, found in means.items()
    ]
    return [COLUMNS[name][0] for name in known], rows


def cost_tables(runs: Sequence[SweepRun], found: Mapping[str, Sequence[Result]], chosen: str) -> list[Group]:
    """Return a table of the costs of the evaluated checkpoints; none if the methods cost the same.

    Args:
        runs: The runs of a sweep.
        found: The results of each run by its name.
        chosen: The checkpoints that are compared: ``last``, ``best`` or ``step``.
    """
    costs = {name: result.costs for name, results in found.items() for result in results if chosen in result.chosen}
    methods = groups(run for run in runs if costs.get(run.name))
    shared = shared_settings([method.settings for method in methods]) if methods else {}
    names = [{key: value for key, value in method.settings.items() if key not in shared} for method in methods]
    heads, rows = cost_rows(
        {
            settings_text(name): [costs[run.name] for run in method.sweep_runs]
            for name, method in zip(names, methods, strict=True)
        }
    )
    if not rows:
        return []
    table = blank_table()
    table.add_column("", overflow="fold")
    for head in heads:
        numeric_column(table, *head.split())
    for method, *cells in rows:
        table.add_row(Text(method), *cells)
    where = "the requested checkpoint" if chosen == "step" else f"the {chosen} checkpoint"
    return [titled_table(f"{TITLE} up to {where}", table, NOTE)]


def _means(runs: Sequence[Costs]) -> dict[str, float]:
    return {name: sum(run[name] for run in runs) / len(runs) for name in COLUMNS if runs and all(name in run for run in runs)}


def _differ(costs: Sequence[float]) -> bool:
    return max(costs) > ALIKE * min(costs)
