"""Resuming: the checkpoint that a run continues from, and reasons not to continue."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from gan_cli.config.budget import in_words
from gan_cli.config.identity import edits, to_plain
from gan_cli.config.stored import plain_config, read_plain
from gan_cli.errors import UserError
from gan_cli.runs import checkpoint, environment
from gan_cli.runs.console import say
from gan_cli.runs.folder import read_result
from gan_cli.runs.logger import read
from gan_cli.runs.origin import first_step
from gan_cli.runs.trained import shortened
from gan_cli.schedules.length import follows_length
from gan_cli.training.run import Run


def finished_result(folder: Path, cfg: DictConfig) -> dict[str, Any] | None:
    """Return the result of the run in ``folder`` if it has finished and has nothing to do under ``cfg``, else None."""
    result, train = read_result(folder) or {}, cfg.train
    if early := result.get("early_stopping"):
        return result if cfg.early_stopping is not None and early["evaluations"] >= cfg.early_stopping else None
    reached = result.get("step", -1) >= train.steps if train.steps is not None else result.get("budget") == in_words(train)
    return result if result.get("status") == "finished" and reached else None


def state_to_resume(cfg: DictConfig, folder: Path, console: Console) -> dict[str, Any] | None:
    """Return the newest readable checkpoint of the run in ``folder``, or None if the run has never written one.

    Raises:
        UserError: If the checkpoints are gone or unreadable, or ``cfg`` is not the config that the run was trained with.
    """
    state = checkpoint.newest(folder, lambda problem: say(console, f"warning: {problem}"))
    if state is None:
        if reached := reached_step(folder):
            raise UserError(
                f"{folder} was trained to step {reached}, but its checkpoints are gone: it would start at step 0 and lose its "
                "curves.\nTrain in another folder, or remove this one to begin again."
            )
        return None
    if changed := edits(to_plain(cfg), plain_config(state["config"], folder)):
        raise UserError(
            f"{folder / 'config.yaml'} is not the config that the run was trained with: {shortened(changed)}.\n"
            "Put the trained values back, or start a new run with the new ones."
        )
    return state


def reached_step(folder: Path) -> int:
    """Return the last step that the run in ``folder`` is known to have reached after its first checkpoint, else 0.

    A row that was logged later than the first checkpoint was due shows that this checkpoint was written.
    """
    result = read_result(folder) or {}
    ended = int(result.get("step", 0))  # the status is finished, pruned, stopped or requeue; a failure has no step
    resumed = max((entry.step for entry in environment.read(folder)), default=0)
    config = read_plain(folder / "config.yaml")
    first, due = first_step(config), config.get("checkpoint_every")
    logged = max((row["step"] for row in read(folder)), default=0)
    reached = max(ended, resumed, logged if due and logged > first + due else 0)
    return reached if reached > first else 0


def check_rounds_left(run: Run, state: Mapping[str, Any] | None) -> None:
    """Check that a resumed run has rounds to play.

    Args:
        run: The run, restored.
        state: The checkpoint from which it was restored. None: there is none.

    Raises:
        UserError: If it is beyond its last round, its learning rate reaches 0 before that, or another length would change its
            learning rate.
    """
    last, budget = run.end.last, in_words(run.cfg.train)
    trained = budget if state is None else in_words(state["config"]["train"])
    is_spent = run.last is None and budget != trained and not run.early_stopping.has_stopped
    if last is not None and (run.step > last or is_spent):
        raise UserError(f"{run.folder} is at step {run.step} already: {budget} leaves nothing to do.")
    if state is not None and follows_length(run.cfg) and run.last != state["last"]:
        raise UserError(
            f"the learning rate of {run.folder} falls to 0 at the end of {trained}, so that its length cannot change.\n"
            f"Start a new run with another length: from={run.folder}@{run.step}."
        )
    if last is not None and run.step < last and run.set_learning_rates.factor(last) == 0:
        raise UserError(
            f"the learning rate of {run.folder} reaches 0 before step {last}: the players would not change.\n"
            "Start a new run with a later learning_rate.end."
        )
