"""Console output: lines, and a display of the work in progress, either live or as a plain line every now and then."""

import os
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live

from gan_cli.activity import in_progress
from gan_cli.runs.progress_line import Rounds, live_line, plain_line

SHOWN_AFTER = 0.5
"""Seconds after which work other than training is shown on a terminal."""
FIRST_LINE, LONGEST_PAUSE, SLOWER = 10.0, 60.0, 1.25
"""Seconds before the first plain line, the longest pause between two, and the factor from each pause to the next."""


UNBROKEN = 10_000
"""Width in characters at which rich breaks no line of a table: the names that come last are left to the terminal to break."""


class Terminal(Console):
    """A console that reports a closed pipe, as in ``gan-eval RUN | head``, instead of ending the program."""

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError."""
        raise BrokenPipeError


def say(console: Console, message: str) -> None:
    """Print a line as it is, without markup, colours or wrapping, so that paths can be copied."""
    console.print(message, highlight=False, markup=False, soft_wrap=True)


def say_in_words(console: Console, message: str, indent: int = 2) -> None:
    """Print a line without a path: on a terminal it is broken between words, and further lines are indented."""
    if console.is_terminal:
        message = textwrap.fill(
            message, console.width - 1, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
        )
    say(console, message)


class _Displays(threading.local):
    is_open = False


_DISPLAYS = _Displays()


def is_interactive(console: Console) -> bool:
    """Return True on a terminal, and in a notebook with widgets, where a line can be redrawn, unless parallel jobs share it."""
    redraws = console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)
    return redraws and not os.environ.get("GAN_CLI_THREADS")


@contextmanager
def displayed(console: Console) -> Iterator[None]:
    """Show what this thread announces as its activities inside the context, unless an outer context does so already.

    An interactive console shows a line that redraws itself. Others, such as log files, receive plain lines: the first one after
    ``FIRST_LINE`` seconds, the others at growing intervals.
    """
    if _DISPLAYS.is_open or console.quiet:
        yield
        return
    _DISPLAYS.is_open = True
    try:
        with _live(console) if is_interactive(console) else _plain(console):
            yield
    finally:
        _DISPLAYS.is_open = False


@contextmanager
def _live(console: Console) -> Iterator[None]:
    activities = in_progress()

    def line() -> RenderableType:
        now = list(activities)
        if not now or (not isinstance(now[0], Rounds) and time.monotonic() - now[0].started < SHOWN_AFTER):
            return Group()
        return live_line(now, console.width, console.options.ascii_only)

    before = sys.stdout, sys.stderr
    # Rich's own redirection would break long lines
    with Live(console=console, get_renderable=line, transient=True, redirect_stdout=False, redirect_stderr=False):
        if not console.is_jupyter:
            sys.stdout, sys.stderr = (_AboveTheLine(one, console) if one.isatty() else one for one in before)
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            sys.stdout, sys.stderr = before


class _AboveTheLine:
    """A stream of the terminal on which a display is live: whole lines are printed above it."""

    def __init__(self, stream: TextIO, console: Console) -> None:
        self.rich_proxied_file, self._console, self._begun = stream, console, ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            say(self._console, line)
        return len(text)

    def flush(self) -> None:
        if self._begun:
            self.write("\n")


@contextmanager
def _plain(console: Console) -> Iterator[None]:
    activities, done = in_progress(), threading.Event()

    def write_lines() -> None:
        pause = FIRST_LINE
        while not done.wait(pause):
            if now := list(activities):
                say(console, plain_line(now))
                pause = min(pause * SLOWER, LONGEST_PAUSE)

    thread = threading.Thread(target=write_lines, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
