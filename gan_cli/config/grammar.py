"""Values and assignments as Hydra's grammar reads them. Standard library only."""

import re
from collections.abc import Mapping
from typing import Any

BARE = re.compile(r"(?!(null|true|false|nan|inf|on|off|yes|no)$)[A-Za-z_/.][\w./@-]*", re.IGNORECASE)
"""A text that needs no quotes: it cannot be taken for a number or another constant."""


def quote(text: str) -> str:
    """Return ``text`` as a quoted string of Hydra's grammar."""
    # a backslash escapes only a quote, or other backslashes in front of one
    return "'" + re.sub(r"(\\*)('|$)", lambda match: match[1] * 2 + (match[2] and "\\'"), text) + "'"


def written(value: Any) -> str:
    """Return plain data as Hydra's grammar writes them, as in ``[1,null,'a b']``."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{name}:{written(entry)}' for name, entry in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(written, value))}]"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    return text if BARE.fullmatch(text) and re.search(r"[A-Za-z_]", text) else quote(text)


def unquoted(word: str) -> str:
    """Return an override without the quotes of its value, if the value is a text that needs none."""
    key, _, text = word.partition("=")
    quoted = re.fullmatch(r"'([^'\\]*)'", text)
    return f"{key}={written(quoted[1])}" if quoted else word


def key_of(word: str) -> str:
    """Return the key of an override, as ``optimizer.lr`` for ``+optimizer.lr=1e-3``."""
    return word.partition("=")[0].lstrip("+~")
