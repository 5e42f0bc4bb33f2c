"""Exceptions that the command line prints as a sentence instead of a traceback, and warnings. Standard library only."""

import warnings
from collections.abc import Sequence
from pickle import UnpicklingError
from typing import Any


class UserError(Exception):
    """A mistake that the user can correct.

    The message is one or two lines: what is wrong, where, and what to do about it. The command line prints it without a
    traceback and exits with ``code``.
    """

    code = 2


class FieldError(UserError):
    """A field of a component has a wrong value; ``build.make`` adds the key of the component's node.

    Args:
        field: Name of the field, perhaps with an index, as the component knows it: ``width`` or ``multiples[0]``.
        value: Its value.
        problem: What is wrong, as a sentence: ``it must be ...``.
    """

    def __init__(self, field: str, value: Any, problem: str) -> None:
        super().__init__(field, value, problem)

    def __str__(self) -> str:
        field, value, problem = self.args
        return f"{field}={value!r}: {problem}"

    def within(self, key: str) -> UserError:
        """Return the error with the whole key of the field, whose node is at ``key``."""
        return UserError(f"{key}.{self}")


class TooFewSamples(UserError):
    """A metric needs more samples than there are."""


class UnreadableData(UserError):
    """A file of the data set cannot be read.

    Args:
        problem: Names the file and what is wrong, a sentence.
        advice: What to do about it before a run, a sentence. A run that has begun says how it is continued instead.
    """

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(f"{problem}\n{advice}")
        self.problem = problem


class EarlierVersionError(UserError):
    """A run or a checkpoint was made by an earlier version and cannot be read."""

    def __init__(self, path: object) -> None:
        super().__init__(f"{path} was made by an earlier version of gan-cli and cannot be continued or evaluated by this one.")


class Stopped(UserError):
    """A run was ended by a signal after it had saved its state; the exit code is 128 + the signal's number, as in shells."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number, self.code = number, 128 + number


class Interrupted(KeyboardInterrupt):
    """A signal ended a command at once; the exit code is 128 + the signal's number, as in shells.

    Args:
        number: The signal.
        hint: The command that continues, if there is one.
    """

    def __init__(self, number: int, hint: str = "") -> None:
        super().__init__(hint)
        self.number, self.code = number, 128 + number


class Diverged(UserError):
    """A number of the training is no longer finite."""


class DamageWarning(UserWarning):
    """A file of a run is damaged, and the program goes on without it; the command line prints the message as one line."""


def warn(message: str) -> None:
    """Issue a DamageWarning; Python shows each message once in a process."""
    warnings.warn(message, DamageWarning, stacklevel=1)  # at one line of code, so that it is shown once


def why_unloadable(error: Exception) -> str:
    """Return why torch cannot load a file, without its advice to load the file in a way that may execute code."""
    if isinstance(error, UnpicklingError) or "weights_only" in str(error):
        return "it holds other objects than tensors and plain data"
    return first_line(error)


def first_line(error: object) -> str:
    """Return the first line of an exception's message."""
    return str(error).partition("\n")[0]


def printable(text: str) -> str:
    """Return the text in one line: line breaks and other characters that cannot be printed as escapes, such as ``\\n``."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def shortened_list(names: Sequence[str], most: int = 3) -> str:
    """Return the first ``most`` names for a message of one line: ``a, b, c, ...``."""
    return printable(", ".join(names[:most]) + (", ..." if len(names) > most else ""))
