"""The line that a run was started with, as far as it was recorded, and the line that trains the same run again."""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from gan_cli import files
from gan_cli.config.commands import composing_words, sweep_words
from gan_cli.config.compose import loader
from gan_cli.config.identity import plain_hash
from gan_cli.config.stored import LARGEST
from gan_cli.errors import UserError

FOLDER = ".hydra"
"""Folder in that of a run in which Hydra records how the run was started."""


def again(folder: Path, config: Mapping[str, Any], recorded: Sequence[str] | None) -> list[str] | None:
    """Return the arguments of the gan-train command that trains the run in ``folder`` again.

    Args:
        folder: Folder of the run.
        config: Its config as plain data.
        recorded: The words that it was started with. None: they are not known.

    Returns:
        The arguments. None: no command line composes this config, for example because an option is not there any more.
    """
    own = own_options(folder)
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
    places = {(own_options(folder), *searched_by(folder)) for folder in folders}
    if len(jobs) < len(folders) or len(places) != 1 or not all(configs):
        return None
    [(own, *searched)] = places
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


def own_options(folder: Path) -> Path | None:
    """Return the folder of the user's own options that the run was started with, None if there was none.

    A folder inside the run's own place is left out: it came with the run.
    """
    path = options_folder(folder)
    return path if path is not None and path.is_dir() and not _within(path, folder.parent) else None


def options_folder(folder: Path) -> Path | None:
    """Return the folder of the user's own options that the run in ``folder`` was started with, as it was recorded.

    None if there was none, or it was not recorded: Hydra does so, for runs of the command line.
    """
    with suppress(TypeError, KeyError):
        sources = _hydra_node(folder)["runtime"]["config_sources"]
        return next((Path(source["path"]) for source in sources if source["provider"] == "command-line"), None)
    return None


def searched_by(folder: Path) -> list[str]:
    """Return the words that named further folders of options when the run was started."""
    with suppress(TypeError, KeyError):
        words = _hydra_node(folder)["overrides"]["hydra"]
        return [word for word in words if str(word).startswith("hydra.searchpath=")]
    return []


def _hydra_node(folder: Path) -> Any:
    """Return Hydra's own node as it was recorded, None if it was not."""
    with suppress(OSError, UserError, yaml.YAMLError, ValueError, RecursionError, TypeError, KeyError):
        text = files.read_bytes(folder / FOLDER / "hydra.yaml", LARGEST)
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["hydra"]
    return None


def _within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
