"""The folder of a run: its config and its result."""

import os
import re
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any, Required, TypedDict

import yaml
from omegaconf import DictConfig, OmegaConf

from gan_cli import files
from gan_cli.config import trust
from gan_cli.config.form import FormError, require
from gan_cli.config.identity import config_hash
from gan_cli.config.stored import LARGEST, read_config
from gan_cli.errors import UserError
from gan_cli.runs import environment
from gan_cli.runs.version import check_version

START = ".hydra"
"""Folder in that of a run in which Hydra records how the run was started."""


class StoredMetric(TypedDict, total=False):
    """The metric in ``result.json``, with its first and last value in training and its floor; all other entries are free."""

    name: Required[str]
    initial: float | None
    final: float | None
    floor: float | None
    higher_is_better: bool | None
    split: str


class StoredResult(TypedDict, total=False):
    """The content of ``result.json``; further entries are free."""

    status: Required[str]
    reason: str
    config: str
    step: int
    objective: float | None
    metric: StoredMetric | None
    seconds: float
    seconds_evaluating: float


def holds_config(folder: Path) -> bool:
    """Return True if a run has begun in ``folder``."""
    return (folder / "config.yaml").is_file()


def steps_in(folder: Path) -> list[int]:
    """Return the steps of the checkpoints in ``folder``, ascending, by the names of their files."""
    matches = (re.fullmatch(r"step_(\d+)\.pt", path.name) for path in (folder / "checkpoints").glob("step_*.pt"))
    return sorted(int(match[1]) for match in matches if match)


def resume_command(folder: Path) -> str:
    """Return the command that continues the run in ``folder``, quoted for a shell."""
    return f"gan-train {shlex.quote(f'resume={folder}')}"


def holds_run_already(folder: Path) -> UserError:
    """Return the error for a new run in a folder that holds one."""
    return UserError(f"{folder} holds a run already: continue it with {resume_command(folder)}, or name another folder.")


def run_folder(path: str | Path) -> Path:
    """Return ``path`` as the folder of a run.

    Raises:
        UserError: If there is no run in it, or it holds a link that leads out of it.
    """
    folder = Path(path).expanduser()
    if holds_config(folder):
        refuse_links(folder)
        return folder
    inside = next(filter(holds_config, folder.parents), None)
    hint = f"Did you mean {inside}?" if inside else "Name the folder that a run printed, the one with checkpoints/ in it."
    raise UserError(f"no run in {folder}: there is no {folder / 'config.yaml'}.\n{hint}")


def refuse_links(folder: Path) -> None:
    """Check that the folder of a run or a sweep holds regular files and folders only, at any depth.

    What is written into it must not end up in another file, and a pipe would be read for ever. Links inside the folder are
    allowed, and so is a sweep made of links to runs.

    Raises:
        UserError: If something else is in it.
    """
    root, pending = folder.resolve(), [folder]
    while pending:
        with suppress(FileNotFoundError, PermissionError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                path = Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
                elif entry.is_symlink():
                    is_run_of_sweep = not holds_config(folder) and path.parent == folder and holds_config(path)
                    if not (is_run_of_sweep or files.leads_into(path, root)):
                        raise files.irregular(path)
                elif not entry.is_file(follow_symlinks=False):
                    raise files.irregular(path)


def holds_run(folder: Path, cfg: DictConfig) -> bool:
    """Return True if ``folder`` holds a run of exactly this config.

    Raises:
        UserError: If it holds a run of another config.
    """
    if not holds_config(folder):
        return False
    if config_hash(read_config(folder / "config.yaml")) != config_hash(cfg):
        raise UserError(f"{folder} holds a run with another config: name another hydra.sweep.dir, or remove that run.")
    return True


def read_result(folder: Path) -> dict[str, Any] | None:
    """Return the content of ``result.json`` in ``folder``, or None if it is missing or unreadable."""
    try:
        result: dict[str, Any] = files.read_json(folder / "result.json")
        require(result, StoredResult)
    except (OSError, UserError, FormError):
        return None
    return result


def stored_config(folder: Path) -> DictConfig:
    """Return the config of the run in ``folder``, from which its parts may be built.

    Raises:
        EarlierVersionError: If an earlier version made the run.
        UserError: If it cannot be read, is not the config of a run, or names a module that is not trusted.
    """
    path = folder / "config.yaml"
    config = read_config(path)
    if "train" not in config:
        raise UserError(f"{path} is not the config of a run.")
    check_version(folder, config)
    try:
        trust.check(OmegaConf.to_container(config), path)
    except trust.ModuleMissing as error:
        raise with_whereabouts(error, folder) from error
    return config


def options_folder(folder: Path) -> Path | None:
    """Return the folder of the user's own options that the run in ``folder`` was started with.

    None if there was none, or it was not recorded.
    """
    with suppress(TypeError, KeyError):
        sources = recorded_start(folder)["runtime"]["config_sources"]
        return next((Path(source["path"]) for source in sources if source["provider"] == "command-line"), None)
    return None


def recorded_start(folder: Path) -> Any:
    """Return Hydra's own node as it was recorded when the run in ``folder`` was started, None if it was not."""
    with suppress(OSError, UserError, yaml.YAMLError, ValueError, RecursionError, TypeError, KeyError):
        text = files.read_bytes(folder / START / "hydra.yaml", LARGEST)
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["hydra"]
    return None


def with_whereabouts(missing: trust.ModuleMissing, folder: Path) -> UserError:
    """Return the error about a module that is not here, with where it lay when the run in ``folder`` was made, if known."""
    entry = next(reversed(environment.read(folder)), None)
    modules = {} if entry is None else entry.modules
    found = {name: Path(one["file"]) for name, one in modules.items() if name.partition(".")[0] == missing.module}
    if entry is None or not found:
        return missing
    name, file = next(iter(found.items()))
    if not file.is_file():
        copy = folder / entry.code
        return UserError(
            f"{missing.problem} The run was made with {file}, which is gone; read the copy in {copy}.\n{missing.advice}"
        )
    place = file.parents[name.count(".") + (file.name == "__init__.py")]
    options = options_folder(folder)
    beside = options is not None and place in (options, options.parent)
    how = f"add --config-dir {options}" if beside else f"put PYTHONPATH={place} in front of the command"
    return UserError(f"{missing.problem}\nThe run was made with {file}: {how}.")
