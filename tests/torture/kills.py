"""SIGKILL in mid-run, and at every system call that changes a file."""

import os
import signal
import time
from pathlib import Path

from torture.arena import Arena, Try
from torture.children import Answer, Child, call
from torture.injection import at_every_call
from torture.oracle import EVERY, GAMES, Reference, reference, resume_problem


def in_mid_run(arena: Arena) -> None:
    """Kill runs of six kinds of games at random times, several times each, and resume them to the end."""
    starts = {name: timed(arena.folder / name, words) for name, words in GAMES.items()}
    kills = 0

    def play(attempt: Try) -> str | None:
        nonlocal kills
        start, seconds = starts[list(GAMES)[attempt.number % len(GAMES)]]
        run = attempt.folder / "run"
        for _ in range(attempt.random.randint(1, 3)):
            begun = (run / "config.yaml").is_file()
            words = ["gan-train", f"resume={run}"] if begun else [*start.words, f"hydra.run.dir={run}"]
            child = Child(words, attempt.folder)
            time.sleep(attempt.random.uniform(0, seconds))
            child.send(signal.SIGKILL, to_group=True)
            kills += child.finish().code == -signal.SIGKILL
        return resume_problem(start, run, attempt.folder)

    arena.repeat(play)
    arena.add(f"{kills} kills, six kinds of games")


def timed(place: Path, words: str, values: str = EVERY) -> tuple[Reference, float]:
    """Return an uninterrupted run and the seconds that its command takes."""
    start = reference(place, words, values)
    began = time.monotonic()
    call([*start.words, "hydra.run.dir=second"], place)
    return start, time.monotonic() - began


def in_saves(arena: Arena) -> None:
    """Kill a run before each call that changes a file, and in the middle of each write."""

    def judge(start: Reference, answer: Answer, run: Path) -> str | None:
        if answer.code != -signal.SIGKILL:
            return f"not killed: {answer.shown()}"
        return resume_problem(start, run, run.parent)

    at_every_call(arena, die, judge)


def die() -> None:
    """End this process as SIGKILL does."""
    os.kill(os.getpid(), signal.SIGKILL)
