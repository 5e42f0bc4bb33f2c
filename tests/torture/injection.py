"""Faults at the n-th call that changes a file below the current folder, without strace."""

import builtins
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gan_cli.runs.folder import steps_in
from torture.arena import Arena, Try
from torture.children import Answer, call
from torture.oracle import BEST, Reference, reference

WATCHED = ("open", "write", "fsync", "replace", "rename", "unlink", "mkdir", "ftruncate")
"""Functions of ``os`` that change files, or open them."""


class _Calls:
    """Counts calls and acts at the ``nth``; 0 never acts. A list of their names is kept."""

    def __init__(self, nth: int, action: Callable[[], None]) -> None:
        self.nth, self.action, self.names = nth, action, []

    def happen(self, name: str) -> bool:
        """Note a call; return True if it is the one to act at."""
        self.names.append(name)
        return len(self.names) == self.nth


def _install(calls: _Calls) -> None:
    """Wrap the functions by which Python code changes files."""

    def wrapped(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **more: Any) -> Any:
            place = str(arguments[0]) if arguments else ""
            reads = name == "open" and not arguments[1] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR)
            if not reads and "/__pycache__" not in place and calls.happen(f"os.{name} {place}"):
                calls.action()
            return function(*arguments, **more)

        return watched

    for name in WATCHED:
        setattr(os, name, wrapped(name, getattr(os, name)))

    def opened(function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(file: Any, mode: str = "r", *arguments: Any, **more: Any) -> Any:
            if set(mode) & set("wax+") and not isinstance(file, int) and str(file) != os.devnull:
                if calls.happen(f"open {mode} {file}"):
                    calls.action()
                return _Halved(function(file, mode, *arguments, **more), calls)
            return function(file, mode, *arguments, **more)

        return watched

    builtins.open = io.open = opened(builtins.open)


class _Halved:
    """A file whose writes are watched: half of the content is written before the action."""

    def __init__(self, file: Any, calls: _Calls) -> None:
        self.file, self.calls = file, calls

    def write(self, content: Any) -> int:
        if self.calls.happen(f"write {self.file.name}"):
            self.file.write(content[: len(content) // 2])
            self.file.flush()
            self.calls.action()
        return int(self.file.write(content))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def __enter__(self) -> "_Halved":
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def __iter__(self) -> Any:
        return iter(self.file)


def at_every_call(arena: Arena, fault: Callable[[], None], judge: Callable[[Reference, Answer, Path], str | None]) -> None:
    """Play one try for each call of a small run that changes a file.

    Args:
        arena: The row.
        fault: Acts at the call.
        judge: (uninterrupted run, answer of the command, folder of the run) -> why something was lost, or None.
    """
    start = reference(arena.folder, "dataset=ring", BEST)
    kept = steps_in(start.folder)
    calls = count_calls([*start.words, "hydra.run.dir=counted"], arena.folder)

    def play(attempt: Try, number: int) -> str | None:
        run = attempt.folder / "run"
        answer = call([*start.words, f"hydra.run.dir={run}"], attempt.folder, at_call(number, fault))
        problem = judge(start, answer, run)
        if not problem and (left := steps_in(run)) != kept:
            problem = f"the checkpoints of steps {left} are left, not {kept}"
        return f"{problem}, after call {number}, {calls[number - 1]}" if problem else None

    arena.over(range(1, len(calls) + 1), play)
    arena.add(f"{len(calls)} calls in a run that keeps its best checkpoint")


def at_call(nth: int, action: Callable[[], None]) -> Callable[[], None]:
    """Return what makes a child act at its n-th call that changes a file."""
    return lambda: _install(_Calls(nth, action))


def count_calls(words: Sequence[str], cwd: Path) -> list[str]:
    """Return the calls of a command that change files, in their order."""
    place = cwd / "calls.txt"

    def prepare() -> None:
        import atexit

        calls = _Calls(0, lambda: None)
        _install(calls)
        atexit.register(lambda: place.write_text("\n".join(list(calls.names))))

    answer = call(words, cwd, prepare)
    assert answer.code == 0, answer.shown()
    return place.read_text().splitlines()
