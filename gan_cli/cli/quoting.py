"""Paths on the command line: quoted so that Hydra's grammar takes them as they are. Standard library only."""

import os
import re

from gan_cli.config.schema import MISSING

PATHS = {
    "dataset.root",
    "dataset.path",
    "dataset.cache_dir",
    "init_from",
    "resume",
    "run",
    "checkpoint",
    "out",
    "real",
    "fake",
    "root",
    "source",
    "features.path",
    "metric.path",
    "hydra.run.dir",
    "hydra.sweep.dir",
}
"""Keys whose values are paths."""
MARKS = {"dataset.separator", "dataset.decimal"}
"""Keys whose values are single marks, such as ``;``."""


def quote_paths(overrides: list[str], multirun: bool = False) -> list[str]:
    """The same overrides with paths and marks quoted; what is quoted already, or null, stays as it is.

    In a sweep (``multirun``) a comma separates paths unless it stands in quotes; Hydra's own folders are never swept.
    """
    return [_quoted(word, multirun) for word in overrides]


def quote(text: str) -> str:
    """``text`` as one of Hydra's quoted strings."""
    # a backslash escapes only a quote, or other backslashes in front of one
    return "'" + re.sub(r"(\\*)('|$)", lambda match: match[1] * 2 + (match[2] and "\\'"), text) + "'"


def _quoted(override: str, multirun: bool) -> str:
    key, _, value = override.partition("=")
    name = key.lstrip("+")
    if value in ("", "null", MISSING) or re.fullmatch(r"'.*'|\".*\"", value, re.DOTALL):
        return override
    if name in MARKS and len(value) == 1:
        return f"{key}={quote(value)}"
    if name not in PATHS:
        return override
    paths = value.split(",") if multirun and not name.startswith("hydra.") else [value]
    return f"{key}={','.join(quote(os.path.expanduser(path)) for path in paths)}"
