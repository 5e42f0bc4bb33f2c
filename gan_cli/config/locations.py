"""The key that says where a data set lies, as the data set's own file declares it. Standard library only."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from gan_cli.config import suggestions

LOCATION = "_location_"
"""The entry of a data set's node that names its key for the folder or file in which it lies, such as ``root``."""

WITHIN = "_within_"
"""The entry of a published data set's node that lists its places in a folder of data sets; composed configs do without it."""


def location_key(dataset: Mapping[str, Any]) -> str | None:
    """Return the key of this data set's node that says where it lies, or None if it lies nowhere."""
    return dataset.get(LOCATION)


@cache
def location_keys(config_dir: str | None = None) -> frozenset[str]:
    """Return all such keys of the shipped data sets and of those in ``config_dir``, as in ``dataset.root``."""
    roots = [suggestions.conf_dir(), *([Path(config_dir)] if config_dir else [])]
    texts = (file.read_text(encoding="utf-8") for root in roots for file in (root / "dataset").glob("*.yaml"))
    return frozenset(
        f"dataset.{name}" for text in texts for name in re.findall(rf"^\s*{LOCATION}:\s*(\w+)", text, re.MULTILINE)
    )
