"""What the terminal shows while a run trains: a live bar, or a line now and then where nobody watches."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from gan_cli.types import Stats

LINE_EVERY = 15.0
"""Seconds between lines where there is no live bar."""


class Terminal(Console):
    """A console that tells when its reader has gone, as in ``gan-eval RUN | head``, instead of ending the program."""

    def on_broken_pipe(self) -> None:
        """Raises BrokenPipeError."""
        raise BrokenPipeError


class Display:
    """An event that shows step, rates, losses, the estimate and the time left.

    ``latest``: the newest logged numbers by tag. ``live``: a bar that redraws itself; else a plain line every 15 seconds,
    for log files and for jobs that share a terminal.
    """

    def __init__(self, console: Console, start: int, steps: int, latest: Callable[[], Mapping[str, float]], live: bool):
        self.console, self.steps, self.latest, self.live = console, steps, latest, live
        self.first, self.began = 0, 0.0  # the first round shown and when it ended: what came before it is no measure
        self.spoke = time.monotonic()
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
    def shown(self) -> Iterator["Display"]:
        """Inside, the bar is on the screen."""
        with self.bar:
            yield self

    def __call__(self, step: int, stats: Stats) -> None:
        self.bar.update(self.task, completed=step, numbers=self.numbers() if self.live else "")
        now = time.monotonic()
        if not self.first:
            self.first, self.began = step, now
        elif not self.live and (now - self.spoke > LINE_EVERY or step == self.steps):
            self.spoke = now
            left = (now - self.began) / (step - self.first) * (self.steps - step)
            self.say(f"step {step}/{self.steps}  {self.numbers()}  {left:.0f} s left")

    def numbers(self) -> str:
        """The newest losses, estimate, metric and speed in one short line."""
        latest = self.latest()
        shown = {short(tag): value for tag, value in latest.items() if tag.split("/")[0] in ("loss", "estimate", "metric")}
        speed = latest.get("time/samples_per_second")
        parts = [f"{name} {value:.0f}" if abs(value) >= 100 else f"{name} {value:.3g}" for name, value in shown.items()]
        return "  ".join([*parts, *([f"{speed:.0f} samples/s"] if speed is not None else [])])

    def say(self, message: str) -> None:
        """A line above the bar."""
        say(self.console, message)


def short(tag: str) -> str:
    """loss/discriminator -> D, loss/generator -> G, others by their last part."""
    return {"loss/discriminator": "D", "loss/generator": "G"}.get(tag, tag.rpartition("/")[2])


def say(console: Console, message: str) -> None:
    """A line as it is: no markup, no colours, no wrapping, so that paths can be copied."""
    console.print(message, highlight=False, markup=False, soft_wrap=True)
