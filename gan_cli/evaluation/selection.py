"""The best of a run's checkpoints, and the checkpoints that are gone."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from omegaconf import DictConfig

from gan_cli.errors import UserError
from gan_cli.metrics.base import Value
from gan_cli.runs import checkpoint
from gan_cli.runs.origin import first_step


def best_of(values: Mapping[int, Value]) -> int | None:
    """Return the step with the best finite value, the latest of equal ones; None if no value is finite."""
    finite = {step: value for step, value in values.items() if math.isfinite(value.value)}
    if not finite:
        return None
    return max(finite, key=lambda step: (finite[step].value * (1 if finite[step].higher_is_better else -1), step))


def gone_steps(config: DictConfig, steps: Iterable[int]) -> list[int]:
    """Return the steps at which the run with this config wrote a checkpoint that is none of ``steps`` any more.

    Args:
        config: Config of the run.
        steps: Steps of the checkpoints that are left.
    """
    left = set(steps)
    every = config.checkpoint_every or config.train.steps or max(left, default=1) or 1
    written = range(every, max(left, default=0) + 1, every)
    return sorted({step for step in written if step > first_step(config)} - left)


def left_steps(folder: Path) -> list[int]:
    """Return the steps of the checkpoints in the folder of a run.

    Raises:
        UserError: If there are none.
    """
    steps = checkpoint.steps_in(folder)
    if not steps:
        raise UserError(f"{folder} holds no checkpoint yet.")
    return steps
