"""Quoting of paths on the command line, so that Hydra's grammar accepts them unchanged. Standard library only."""

import os
import re
from collections.abc import Collection, Iterable

from gan_cli.config.grammar import quote
from gan_cli.config.locations import location_keys
from gan_cli.config.scalars import MISSING

PATHS = {
    "dataset.cache_dir",
    "init_from",
    "from",
    "resume",
    "run",
    "checkpoint",
    "out",
    "real",
    "fake",
    "root",
    "reference",
    "source",
    "features.path",
    "metric.path",
    "hydra.run.dir",
    "hydra.sweep.dir",
}
"""Keys whose values are paths, beside those that say where data sets lie, or names that may hold ``=``."""
MARKS = {"dataset.separator", "dataset.decimal"}
"""Keys whose values are single punctuation marks, such as ``;``."""


def quote_paths(overrides: list[str], multirun: bool = False, config_dir: str | None = None) -> list[str]:
    """Return the overrides with paths and punctuation marks quoted; values that are quoted already, or null, are kept.

    Args:
        overrides: Words of the form ``key=value``.
        multirun: True in a sweep, where a comma separates paths unless it stands inside quotes. Hydra's own folders are
            never swept.
        config_dir: The user's own configs, which may hold data sets.
    """
    paths = PATHS | location_keys(config_dir)
    return [_quoted(word, paths, multirun) for word in overrides]


def with_metrics(overrides: Iterable[str]) -> list[str]:
    """Return the overrides with several metrics, as in ``metric=[wasserstein,modes]``, as the parts of ``metric=several``."""
    words = []
    for word in overrides:
        names = re.fullmatch(r"\+*metric=\[\s*(\w+(?:\s*,\s*\w+)+)\s*\]", word)
        if names is None:
            words.append(word)
            continue
        words.append("metric=several")
        for name in dict.fromkeys(re.findall(r"\w+", names[1])):
            words += [f"+metric@metric.parts.{name}={name}", f"+metric.parts.{name}._partial_=true"]
    return words


def _quoted(override: str, keys: Collection[str], multirun: bool) -> str:
    key, _, value = override.partition("=")
    name = key.lstrip("+")
    if value in ("", "null", MISSING) or re.fullmatch(r"'.*'|\".*\"", value, re.DOTALL):
        return override
    if name in MARKS and len(value) == 1:
        return f"{key}={quote(value)}"
    if name not in keys:
        return override
    paths = value.split(",") if multirun and not name.startswith("hydra.") else [value]
    return f"{key}={','.join(quote(os.path.expanduser(path)) for path in paths)}"
