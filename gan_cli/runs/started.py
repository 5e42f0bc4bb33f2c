"""The line that a run was started with, as far as it was recorded, and the line that trains the same run again."""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from gan_cli import files
from gan_cli.config.commands import composing_words, sweep_words
from gan_cli.config.compose import loader
from gan_cli.config.identity import plain_hash
from gan_cli.config.stored import LARGEST
from gan_cli.errors import UserError
from gan_cli.runs.folder import START, options_folder, recorded_start


def again(folder: Path, config: Mapping[str, Any], recorded: Sequence[str] | None) -> list[str] | None:
    """Return the arguments of the gan-train command that trains the run in ``folder`` again.

    Args:
        folder: Folder of the run.
        config: Its config as plain data.
        recorded: The words that it was started with. None: they are not known.

    Returns:
        The arguments. None: no command line composes this config, for example because an option is not there any more.
    """
    own = trusted_options(folder)
    for place in dict.fromkeys((own, None)):
        with suppress(UserError, OSError):
            words = composing_words(config, [*searched_by(folder), *(recorded or ())], configs_of(place))
            return [*options_arguments(place), *words]
    return None


def sweep_again(
    folders: Sequence[Path], configs: Sequence[Mapping[str, Any]], recorded: Sequence[Sequence[str] | None]
) -> list[str] | None:
    """Return the arguments of the gan-train command that trains exactly these runs as one sweep, None if there is none.

    Args:
        folders: Folders of the runs.
        configs: Their configs as plain data.
        recorded: The words that each of them was started with.
    """
    jobs = [words for words in recorded if words is not None]
    places = {(trusted_options(folder), tuple(searched_by(folder))) for folder in folders}
    if len(jobs) < len(folders) or len(places) != 1 or not all(configs):
        return None
    [(own, searched)] = places
    with suppress(UserError, OSError):
        words = sweep_words([[*searched, *job] for job in jobs], [plain_hash(one) for one in configs], configs_of(own))
        return None if words is None else [*options_arguments(own), *words]
    return None


def in_one_line(arguments: Sequence[str]) -> str:
    """Return a gan-train command, quoted for a shell."""
    return shlex.join(["gan-train", *arguments])


def options_arguments(own: Path | None) -> list[str]:
    """Return the arguments that name the folder of the user's own options."""
    return [] if own is None else ["--config-dir", str(own)]


configs_of = lru_cache(lambda own: loader(None if own is None else str(own)))
"""Hydra's loader with the user's own options in a folder, or without."""


def record(folder: Path, cfg: DictConfig) -> None:
    """Record how a run was started from Python, as Hydra does for the command line."""
    place = folder / START
    place.mkdir(exist_ok=True)
    job = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    parts = {"config": job, "hydra": OmegaConf.masked_copy(cfg, "hydra"), "overrides": cfg.hydra.overrides.task}
    for name, part in parts.items():
        files.write_bytes(place / f"{name}.yaml", OmegaConf.to_yaml(part).encode())


def trusted_options(folder: Path) -> Path | None:
    """Return the folder of the user's own options that the run was started with, None if there was none.

    A folder inside the run's own place is left out: it came with the run.
    """
    path = options_folder(folder)
    return path if path is not None and path.is_dir() and not _within(path, folder.parent) else None


def recorded_words(folder: Path) -> list[str] | None:
    """Return the words by which the run in ``folder`` was started, or None if they cannot be read."""
    with suppress(OSError, UserError, ValueError, RecursionError, yaml.YAMLError):
        words = yaml.safe_load(files.read_bytes(folder / START / "overrides.yaml", LARGEST))
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return words
    return None


def searched_by(folder: Path) -> list[str]:
    """Return the words that named further folders of options when the run was started."""
    with suppress(TypeError, KeyError):
        words = recorded_start(folder)["overrides"]["hydra"]
        return [word for word in words if str(word).startswith("hydra.searchpath=")]
    return []


def _within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
