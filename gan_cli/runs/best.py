"""The best checkpoints of a run by the metric that training has recorded."""

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TypedDict

from gan_cli import files
from gan_cli.config.form import FormError, require
from gan_cli.errors import UserError
from gan_cli.runs import checkpoint
from gan_cli.runs.logger import read

FILE = "metric.json"
"""Record of the number by which the checkpoints of a run are ranked, in its folder."""


class Ranking(TypedDict):
    """The number by which checkpoints are ranked, by its tag in the curves, and whether larger values are better."""

    tag: str
    higher_is_better: bool


def write(folder: Path, ranking: Ranking) -> None:
    """Record how the checkpoints of the run in ``folder`` are ranked."""
    files.write_json(folder / FILE, ranking)


def best_steps(folder: Path, ranking: Ranking, n: int, among: Collection[int]) -> list[int]:
    """Return the steps of the best values in the recorded curve, the best one last; of equal values the later one is better.

    Args:
        folder: Folder of the run.
        ranking: The number by which they are ranked.
        n: Number of steps.
        among: The steps that count.
    """
    tag, sign = ranking["tag"], 1 if ranking["higher_is_better"] else -1
    curve = {row["step"]: row[tag] for row in read(folder) if row.get(tag) is not None}
    ranked = sorted((sign * value, step) for step, value in curve.items() if math.isfinite(value))
    steps = [step for _, step in ranked if step in among]
    return steps[-n:] if n else []


def best_step(folder: Path) -> int:
    """Return the step of the best of the run's checkpoints.

    Raises:
        UserError: If training has measured none of them.
    """
    ranking: Mapping[str, object] = {}
    try:
        ranking = files.read_json(folder / FILE)
        require(ranking, Ranking)
        [best] = best_steps(folder, Ranking(**ranking), 1, checkpoint.steps_in(folder))  # type: ignore[typeddict-item]
    except (OSError, FormError, ValueError):
        raise UserError(
            f"checkpoint=best: training has measured no checkpoint of {folder}.\n"
            f"gan-eval {folder} checkpoint=best measures them; name one by its step here, checkpoint=STEP."
        ) from None
    return best
