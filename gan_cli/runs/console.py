"""Console output during training: a live progress bar, or a plain line every few seconds."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from gan_cli.types import Stats

SHOWN = ("loss", "estimate", "metric")
"""Kinds of numbers that are shown. Behind its kind each number stands under the last part of its tag, a loss under its turn."""
LINE_EVERY = 15.0
"""Seconds between plain lines when there is no live bar."""


class Terminal(Console):
    """A console that reports a closed pipe, as in ``gan-eval RUN | head``, instead of ending the program."""

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError."""
        raise BrokenPipeError


class ProgressDisplay:
    """A callback that shows step, rates, losses, the estimate and the remaining time.

    Args:
        console: Where it is shown.
        start: Number of rounds already played.
        steps: The last round.
        latest: Returns the newest logged numbers by tag.
        live: If true, a bar that redraws itself; else a plain line every ``LINE_EVERY`` seconds, for log files and for
            parallel jobs that share a terminal.
    """

    def __init__(self, console: Console, start: int, steps: int, latest: Callable[[], Mapping[str, float]], live: bool):
        self.console, self.steps, self.latest, self.live = console, steps, latest, live
        self.first_step, self.first_time = 0, 0.0  # end of the first round, which is slower than the others
        self.printed = time.monotonic()
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeElapsedColumn(),
            TextColumn("eta"),
            TimeRemainingColumn(),
            console=console,
            disable=not live,
            refresh_per_second=4,
        )
        self.task = self.bar.add_task("training", total=steps, completed=start, numbers="")

    @contextmanager
    def on_screen(self) -> Iterator["ProgressDisplay"]:
        """Show the bar inside the context."""
        with self.bar:
            yield self

    def __call__(self, step: int, stats: Stats) -> None:
        self.bar.update(self.task, completed=step, numbers=self.numbers() if self.live else "")
        now = time.monotonic()
        if not self.first_step:
            self.first_step, self.first_time = step, now
        elif not self.live and (now - self.printed > LINE_EVERY or step == self.steps):
            self.printed = now
            left = (now - self.first_time) / (step - self.first_step) * (self.steps - step)
            say(self.console, f"step {step}/{self.steps}  {self.numbers()}  {left:.0f} s left")

    def numbers(self) -> str:
        """Return the newest losses, estimate, metric and speed in one short line."""
        latest = self.latest()
        parts = []
        for kind in SHOWN:
            named = {tag.rpartition("/")[2]: value for tag, value in latest.items() if tag.split("/")[0] == kind}
            if named:
                parts.append(f"{kind} {', '.join(f'{name} {_short(value)}' for name, value in named.items())}")
        speed = latest.get("time/samples_per_second")
        return "  ".join([*parts, *([f"{speed:.0f} samples/s"] if speed is not None else [])])


def _short(value: float) -> str:
    value += 0.0  # which makes -0 0
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def say(console: Console, message: str) -> None:
    """Print a line as it is, without markup, colours or wrapping, so that paths can be copied."""
    console.print(message, highlight=False, markup=False, soft_wrap=True)
