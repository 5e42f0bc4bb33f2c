"""Classes as a user types them and as files are named by them."""

import re
from collections import Counter
from collections.abc import Sequence

from gan_cli.config import suggestions
from gan_cli.errors import FieldError, printable, shortened_list

LISTED = 20
"""Largest number of classes that a message lists."""
LONGEST = 60
"""Largest number of characters of a file's name that is made from a class."""


def labels_of(words: Sequence[str | int], names: Sequence[str], classes: int, field: str) -> list[int]:
    """Return the labels of classes that are typed by name or by number.

    If some classes are named by numbers, such as folders ``1``, ``2`` and ``10``, a number is a name; otherwise it is a label,
    counted from 0.

    Args:
        words: Names or numbers, at least one.
        names: Names of the classes in the order of their labels; empty if they have none.
        classes: Number of classes.
        field: Name of the field that holds ``words``, for messages.

    Raises:
        FieldError: If there is no such class, with the nearest name and a list of all.
    """
    if isinstance(words, str) or not isinstance(words, Sequence) or not words:
        raise FieldError(field, words, f"it must be a list of classes, for instance [{_known(names, classes)[0]}].")
    return [_label_of(str(word), names, classes, field, words) for word in words]


def _label_of(word: str, names: Sequence[str], classes: int, field: str, words: Sequence[str | int]) -> int:
    if word in names:
        return names.index(word)
    if word.isdecimal() and int(word) < classes and not any(name.isdecimal() for name in names):
        return int(word)
    if names:
        meant = "" if word.isdecimal() else suggestions.meant(word, names)
        listed = shortened_list(names, LISTED)
        raise FieldError(field, [*words], f"there is no class {word}.{meant}\nThe classes are: {listed}.")
    raise FieldError(field, [*words], f"the classes are 0 to {classes - 1}.")


def _known(names: Sequence[str], classes: int) -> Sequence[str]:
    return names or [str(label) for label in range(classes)]


def name_of(label: int, names: Sequence[str]) -> str:
    """Return a class for a message: its name and its label, or the label alone if it has no name."""
    return f"{printable(names[label])} (label {label})" if names else str(label)


def file_names(names: Sequence[str], classes: int) -> list[str]:
    """Return a name of a file for each class, without characters that mean something to a shell or a path.

    Names that would become equal, also on file systems that do not tell upper from lower case, end in their labels.
    """
    safe = [re.sub(r"[^\w.+-]+", "-", name).strip(".-")[:LONGEST] or "class" for name in _known(names, classes)]
    times = Counter(name.casefold() for name in safe)
    return [f"{name}-{label}" if times[name.casefold()] > 1 else name for label, name in enumerate(safe)]
