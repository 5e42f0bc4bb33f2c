"""What the rounds of a run have cost, as it was logged: images, FLOPs, time and processor time."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gan_cli.runs.logger import read

COSTS: Mapping[str, str] = {
    "images": "cost/images",
    "epochs": "cost/epochs",
    "flops": "cost/flops",
    "seconds": "time/training_seconds",
    "processor_seconds": "time/processor_seconds",
}
"""The costs by name, with the tags under which they are logged."""


def at(folder: Path, step: int | None = None) -> dict[str, float]:
    """Return the costs of the run in ``folder`` up to ``step``, by name; None: up to its last logged step."""
    return of_rows(row for row in read(folder) if step is None or row["step"] == step)


def of_rows(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return the newest costs in rows of ``metrics.jsonl``, by name."""
    newest = {tag: value for row in rows for tag, value in row.items()}
    return {name: newest[tag] for name, tag in COSTS.items() if newest.get(tag) is not None}
