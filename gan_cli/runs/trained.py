"""The checkpoints of a run by name, and the config in them that it was trained with; ``config.yaml`` may have been edited."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_cli.config import trust
from gan_cli.config.identity import edits
from gan_cli.config.stored import plain_config, read_plain
from gan_cli.errors import UserError, warn
from gan_cli.runs import checkpoint
from gan_cli.runs.best import best_step
from gan_cli.runs.folder import resume_command, stored_config


def trained_config(folder: Path) -> DictConfig:
    """Return the config that the run in ``folder`` was trained with.

    It is that of the newest checkpoint where ``config.yaml`` differs from it, with a warning.
    """
    stored = stored_config(folder)
    state = checkpoint.newest(folder, lambda damage: None)  # whoever reads the checkpoint itself reports the damage
    if state is None or not warn_of_edits(folder, state):
        return stored
    trust.check(state["config"], folder)
    return OmegaConf.create(plain_config(state["config"], folder))


def warn_of_edits(folder: Path, state: Mapping[str, Any]) -> str:
    """Warn if ``config.yaml`` is not the config in the checkpoint ``state``, which was trained, and return the differences."""
    path = folder / "config.yaml"
    found = shortened(edits(read_plain(path), plain_config(state["config"], path)))
    if found:
        warn(f"{path} is not the config that the run was trained with, which is used: {found}.")
    return found


def shortened(texts: Sequence[str]) -> str:
    """Return the first three texts, and the number of the others."""
    return "; ".join([*texts[:3], *([f"{len(texts) - 3} more"] if len(texts) > 3 else [])])


def is_own(folder: Path, name: str) -> bool:
    """Return True if the checkpoint ``name`` is one of the run's own: ``last``, ``best``, a step, or a path in ``folder``."""
    return name in ("last", "best") or name.isdecimal() or Path(name).resolve().is_relative_to(folder.resolve())


def named_checkpoint(folder: Path, name: str) -> dict[str, Any]:
    """Return the checkpoint ``name`` of the run in ``folder``: ``last``, ``best`` by the recorded metric, a step, or a path.

    Raises:
        UserError: If there is none, or it cannot be read.
    """
    if name == "last":
        state = checkpoint.newest(folder)
        if state is None:
            raise UserError(f"{folder} holds no checkpoint yet. Continue the run with: {resume_command(folder)}")
        return state
    if name.isdecimal():
        if int(name) not in (steps := checkpoint.steps_in(folder)):
            raise UserError(f"{folder} holds no checkpoint of step {name}. There are: {', '.join(map(str, steps)) or 'none'}.")
        return checkpoint.load(checkpoint.path_of(folder, int(name)))
    if name == "best":
        return checkpoint.load(checkpoint.path_of(folder, best_step(folder)))
    return checkpoint.load(Path(name).expanduser())
