"""Lists of whole numbers as a user types them: ``0-9,42``."""

import re
from collections.abc import Sequence

from gan_cli.errors import UserError

MOST = 1_000_000
"""Largest number of numbers in a list, which a mistyped range would exceed by far."""
LIMIT = 2**63
"""Numbers lie below it, as seeds do."""


def numbers(words: Sequence[str], key: str) -> list[int]:
    """Return the numbers of ``["0-9", "42"]``.

    Args:
        words: Numbers and ranges, both ends of which belong to them.
        key: Name of the field that holds the words, for messages.

    Raises:
        UserError: If a word is neither, or there are none or too many.
    """
    found: list[range] = []
    for word in words:
        match = re.fullmatch(r"(\d{1,19})(?:-(\d{1,19}))?", word)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last < LIMIT:
            raise UserError(f"{key}={','.join(words)}: it must be whole numbers and ranges of them, such as {key}=0-9,42.")
        found.append(range(first, last + 1))
    if not 0 < sum(map(len, found)) <= MOST:
        raise UserError(f"{key}={','.join(words)}: it must be 1 to {MOST} numbers.")
    return [number for part in found for number in part]
