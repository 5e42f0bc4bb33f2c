"""The options in the config folder, and suggestions for mistyped words. Standard library only."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gan_cli.config import literature
from gan_cli.errors import UserError

Groups = Mapping[str, Sequence[str]]
"""Maps a group, such as ``model/generator``, to its sorted options."""

PLUGINS: Mapping[str, str] = {
    "hydra/launcher=joblib": "hydra-joblib-launcher",
    "hydra/sweeper=ax": "hydra-ax-sweeper",
    "hydra/sweeper=nevergrad": "hydra-nevergrad-sweeper",
    "hydra/launcher=submitit_slurm": "hydra-submitit-launcher",
    "hydra/launcher=submitit_local": "hydra-submitit-launcher",
    "hydra/launcher=ray": "hydra-ray-launcher",
    "hydra/launcher=ray_aws": "hydra-ray-launcher",
    "hydra/launcher=rq": "hydra-rq-launcher",
}
"""Options that packages of Hydra's authors add, and these packages as pip calls them."""
DEEPEST = 3
"""Levels of folders below a folder of configs in which options are looked for, one more than the groups here have."""
ALIKE = 0.65
"""Least similarity of a name to a mistyped one, at which ``stylegan2`` is no ``timegan``."""
MOST_OPTIONS = 40
"""Largest number of options that an error lists."""


def conf_dir() -> Path:
    """Return the folder of the shipped configs: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "train.yaml").is_file():
            return folder
    raise UserError(f"no conf/train.yaml in {package} or beside it: install gan-cli again.")


def yaml_files(root: Path) -> list[Path]:
    """Return the yaml files in a folder of configs, sorted.

    Hidden folders and those more than three levels down are not looked into: the folder may be a home directory with data.
    """
    found = []
    for folder, folders, files in os.walk(root):
        below = len(Path(folder).relative_to(root).parts)
        folders[:] = [name for name in folders if below < DEEPEST and not name.startswith(".")]
        found += [Path(folder, name) for name in files if name.endswith(".yaml")]
    return sorted(found)


def groups(config_dir: str | None = None) -> Groups:
    """Return every group with its options, including those in the user's own ``config_dir``."""
    found: dict[str, set[str]] = {}
    for root in [conf_dir(), *([Path(config_dir)] if config_dir else [])]:
        for file in yaml_files(root):
            found.setdefault(file.parent.relative_to(root).as_posix(), set()).add(file.stem)
    return {group: sorted(options) for group, options in sorted(found.items()) if group != "."}


def meant(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean x?`` for the nearest known word in upper or lower case, or an empty string if none is near."""
    words = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), list(words), 1, cutoff=ALIKE)
    return f" Did you mean {words[near[0]]}?" if near else ""


def meant_key(key: str, known: Iterable[str]) -> str:
    """Return the same for dotted keys. Only their last parts are compared, as all keys of one node begin alike.

    A key that the literature or another program calls by this name comes first.
    """
    known = list(known)
    common = literature.key(key)
    if common and common.partition(".")[0] in {name.partition(".")[0] for name in known}:
        return f" Did you mean {common}?"
    ends: dict[str, list[str]] = {}
    for name in known:
        if not key.startswith(f"{name}."):
            ends.setdefault(name.rpartition(".")[2], []).append(name)
    near = difflib.get_close_matches(key.rpartition(".")[2], list(ends), 1)
    return f" Did you mean {difflib.get_close_matches(key, ends[near[0]], 1, cutoff=0)[0]}?" if near else ""


def unknown_option(group: str, name: str, options: Sequence[str]) -> UserError:
    """Return the error for an option that ``group`` does not have, with the words that are likely to be meant."""
    if plugin := PLUGINS.get(f"{group}={name}"):
        return UserError(f"{group}={name} comes with a plugin of Hydra's, which is not installed: pip install {plugin}")
    if own := _own_folder(group, name):
        return UserError(f"no {group} named '{name}' comes with gan-cli. For {own / group / name}.yaml add --config-dir {own}")
    said = f"no {group} named '{name}'.{_meant_option(group, name, options)}" if name else f"{group}= names nothing."
    if len(options) > MOST_OPTIONS:
        return UserError(f"{said}\nA list of the {len(options)} that there are: gan-train --list {group}")
    return UserError(f"{said}\navailable: {', '.join(options)}")


def _own_folder(group: str, name: str) -> Path | None:
    """Return the working folder, or one in it, that holds this option as a folder of the user's own options does."""
    folders = [Path(), *sorted(path for path in Path().iterdir() if path.is_dir())] if name else []
    return next((folder for folder in folders if os.path.isfile(folder / group / f"{name}.yaml")), None)


def _meant_option(group: str, name: str, options: Sequence[str]) -> str:
    """Return what an unknown option of a group is likely to mean.

    These come first: an option in other spelling, the option that the literature calls by this name, an option of this name
    in one or two other groups, and the nearest name in this group.
    """
    if same := [option for option in options if literature.plain(option) == literature.plain(name)]:
        return f" Did you mean {same[0]}?"
    if common := literature.option(group, name):
        return f" Did you mean {common}?"
    if (key := literature.key(group)) and re.fullmatch(r"[\d.]+(e-?\d+)?", name):
        return f" Did you mean {key}={name}?"
    others = [other for other, names in groups().items() if name in names and "/" not in other]
    elsewhere = sorted((f"{other}={name}" for other in others), key=_is_experiment)
    if not 1 <= len(elsewhere) <= 2:
        return meant(name, options)
    near = difflib.get_close_matches(name, options, 1)
    return f" Did you mean {' or '.join([*elsewhere, *(f'{group}={option}' for option in near)][:2])}?"


def unknown_key(key: str, known: Iterable[str]) -> UserError:
    """Return the error for an unknown key or group; ``known`` holds dotted keys, including inner nodes."""
    known = list(known)
    parent = key.rpartition(".")[0]
    while parent and parent not in known:
        parent = parent.rpartition(".")[0]
    beside = [
        name for name in known if parent and name.rpartition(".")[0] == parent and not name.startswith("_", len(parent) + 1)
    ]
    hint = meant_key(key, known)
    if not hint:
        hint = f" There is {', '.join(beside)}." if beside else " See --help for groups and keys."
    group, _, setting = key.partition(".")
    if group == "optimizer" and f"optimizer.{setting.partition('.')[2]}" in known:
        hint += f"\nIf the game has this player, add the key: +{key}=..."
    return UserError(f"no key '{key}'.{hint}")


def bare_word(word: str, groups: Groups, keys: Iterable[str]) -> str:
    """Return what a word without ``=`` is likely to mean: a group, a key, an option, or the folder of a run."""
    if word in groups:
        return f"An option of a group is chosen with {word}=OPTION: gan-train --help {word}"
    if word in keys:
        return f"Write {word}=VALUE."
    if chosen := [f"{group}={word}" for group, options in groups.items() if word in options and "/" not in group]:
        return f"Did you mean {' or '.join(sorted(chosen, key=_is_experiment)[:2])}?"
    return f"A run is continued with: gan-train resume={word}"


def _is_experiment(choice: str) -> bool:
    return choice.startswith("experiment=")


def check(overrides: Iterable[str], groups: Groups, keys: Iterable[str]) -> None:
    """Check the options of groups and the names of keys; anything less obvious is left to Hydra.

    Args:
        overrides: The words of the command line.
        groups: The known groups.
        keys: The known dotted keys.

    Raises:
        UserError: If an option or a key is unknown.
    """
    keys = list(keys)
    first = {key.partition(".")[0] for key in keys}
    for override in overrides:
        key, assigned, value = override.partition("=")
        if not assigned or key.startswith("~") or "@" in key or key.lstrip("+").startswith("hydra"):
            continue
        name = key.lstrip("+")
        if name in groups:
            _check_options(name, value, groups[name])
        elif "." not in name and name not in first and not key.startswith("+") and meant_key(name, [*groups, *keys]):
            raise unknown_key(name, [*groups, *keys])


def _check_options(group: str, value: str, options: Sequence[str]) -> None:
    if re.search(r"[(){}$'\"*:]", value):  # a function, a dictionary, an interpolation, something quoted
        return
    names = [name.strip() for name in value.strip().removeprefix("[").removesuffix("]").split(",")]
    for name in names:
        if name.strip("[]") not in options:
            raise unknown_option(group, name.strip("[]"), options)
