"""Sizes of a run that are smaller than those of the experiment that it names."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra.types import RunMode

from gan_cli.config.compose import flatten, readable
from gan_cli.config.identity import flat
from gan_cli.config.scalars import scalars
from gan_cli.config.schema import TrainConfig
from gan_cli.errors import UserError
from gan_cli.runs.started import configs_of, trusted_options

SIZES = re.compile(
    r"train\.(steps|images|epochs|minutes|processor_minutes)|schedule\.phases\.\w+\.rounds|dataset\.(max_samples|n|n_heldout)"
    r"|metric\.(\w+\.)*(n_samples|max_train|seeds|subsets|(\w+_)?iterations)"
)
"""Keys whose smaller values make a run shorter, its data fewer or its measurements coarser. Null stands for no limit."""
CHOICE = re.compile(r"\+?(?!hydra)[\w/]+=[\w/,+\[\]-]+")
"""An override that chooses an option. Others cannot change the sizes of a preset."""


def shortened(folder: Path, config: Mapping[str, Any], overrides: Sequence[str] | None) -> tuple[str, ...]:
    """Return the sizes of a run that are below its experiment's, as ``train.steps=600 instead of 1500``.

    Args:
        folder: Folder of the run.
        config: Config of the run as plain data.
        overrides: The words that started it, None if they were not recorded.

    Returns:
        One text for each size. Empty for a run that names no experiment, or one whose yaml is not there any more.
    """
    settings = scalars(TrainConfig)  # the seed and others, which change no size
    words = [word for word in overrides or () if CHOICE.fullmatch(word) and word.partition("=")[0] not in settings]
    if not any(word.lstrip("+").startswith("experiment=") for word in words):
        return ()
    preset = _preset(tuple(words), trusted_options(folder))
    values, below = flat(config), []
    for key, wanted in _sizes(preset, overrides or ()).items():
        found = values.get(key)
        if (
            isinstance(found, int | float)
            and not isinstance(found, bool)
            and all(value is None or found < value for value in wanted)
        ):
            below.append(f"{key}={found} instead of {' or '.join(_written(value) for value in wanted)}")
    return tuple(below)


def _sizes(preset: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, list[int | None]]:
    """Return the sizes of a preset by key; one that the preset itself sweeps has several values."""
    cases = [list(map(str, case)) for case in preset.get("hydra.sweeper.cases") or ()]
    shared = [len(set(case) & set(overrides)) for case in cases]
    own_cases = [case for case, n in zip(cases, shared, strict=True) if n == max(shared)]
    swept: dict[str, dict[int | None, None]] = {}
    for key, texts in _assigned(own_cases, preset.get("hydra.sweeper.params") or {}):
        with suppress(ValueError):
            swept.setdefault(key, {}).update(dict.fromkeys(map(_read, texts)))
    values = {key: [value] for key, value in preset.items() if value is None or type(value) in (int, float)}
    return {key: found for key, found in {**values, **{k: list(v) for k, v in swept.items()}}.items() if SIZES.fullmatch(key)}


def _assigned(cases: Iterable[Sequence[str]], params: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for word in (word for case in cases for word in case):
        key, _, value = word.partition("=")
        yield key.lstrip("+"), [value]
    for key, value in params.items():
        yield str(key), str(value).split(",")


@lru_cache
def _preset(words: tuple[str, ...], own: Path | None) -> Mapping[str, Any]:
    """Return the composed config of these options by dotted key; empty if it cannot be composed here."""
    with suppress(UserError, OSError), readable():
        return flatten(configs_of(own).load_configuration("train", list(words), RunMode.RUN, from_shell=False))
    return {}


def _read(text: str) -> int | None:
    return None if text.strip() == "null" else int(text)


def _written(value: int | None) -> str:
    return "null" if value is None else str(value)
