"""Errors that the user's own code raises, which lies neither in this package nor in an installed one. Standard library only."""

import inspect
import sysconfig
import traceback
from collections.abc import Callable
from itertools import dropwhile
from pathlib import Path
from typing import Any

from gan_cli.errors import UserError, first_line

_PACKAGE = Path(__file__).resolve().parent
_STANDARD_LIBRARY = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}
_INSTALLED = {"site-packages", "dist-packages"}


NOTE = "own modules: "
"""Beginning of the note on an exception that names the modules of the user's own in a run."""


def is_own(file: str | Path) -> bool:
    """Return True if ``file`` is Python source of neither this package, the standard library, nor an installed package."""
    path = Path(file)
    if path.suffix != ".py" or not path.is_file():
        return False
    path = path.resolve()
    return not (_INSTALLED & set(path.parts) or any(path.is_relative_to(place) for place in (_PACKAGE, *_STANDARD_LIBRARY)))


def fault(error: BaseException) -> UserError | None:
    """Return the error to be shown if the user's own code raised ``error``; None if it did not, or raised a UserError."""
    place = None if isinstance(error, UserError) or not isinstance(error, Exception) else place_of(error)
    if place is None:
        return None
    return UserError(f"{described(error)}\nRaised by {place}. For the traceback, run again with debug=true.")


def place_of(error: BaseException) -> str | None:
    """Return the line of the user's own code that raised ``error``, or called what raised it; None if there is none."""
    if isinstance(error, SyntaxError) and error.filename and is_own(error.filename):
        return f"{shown(error.filename)}, line {error.lineno}"
    stack = traceback.extract_tb(error.__traceback__)
    called = list(dropwhile(lambda frame: is_own(frame.filename), stack))  # without a script that calls this package
    frames = [frame for frame in called or stack if is_own(frame.filename)]
    if not frames:
        return None
    where = "" if frames[-1].name == "<module>" else f", in {frames[-1].name}"
    return f"{shown(frames[-1].filename)}, line {frames[-1].lineno}{where}"


def definition_of(function: Callable[..., Any]) -> str | None:
    """Return the file and line of a function or class of the user's own; None if it is not their own."""
    if inspect.isclass(function):
        try:
            path, line = inspect.getfile(function), inspect.getsourcelines(function)[1]
        except (OSError, TypeError):  # built in, or without a file
            return None
        return f"{shown(path)}, line {line}" if is_own(path) else None
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{shown(code.co_filename)}, line {code.co_firstlineno}" if code and is_own(code.co_filename) else None


def suspects(error: BaseException) -> str:
    """Return the modules of the user's own that a note on the exception names, empty if there is none."""
    notes = [note.removeprefix(NOTE) for note in getattr(error, "__notes__", []) if note.startswith(NOTE)]
    return ", ".join(dict.fromkeys(notes))


def reason(error: BaseException) -> str:
    """Return an exception's message as one line, with the place if the user's own code raised it."""
    if isinstance(error, UserError):
        return " ".join(str(error).split())
    place = place_of(error)
    return f"{described(error)} ({place})" if place else described(error)


def described(error: BaseException) -> str:
    """Return the type of an exception and the first line of its message."""
    said = error.msg if isinstance(error, SyntaxError) else first_line(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def shown(file: str | Path) -> Path:
    """Return a file's path, relative if it lies below the current folder."""
    path = Path(file)
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
