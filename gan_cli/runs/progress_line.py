"""The work in progress in one line: live at any width, where step and time never shrink, or plain."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from gan_cli.activity import Activity

SHOWN = ("loss", "estimate", "metric")
"""Kinds of numbers that are shown. Behind its kind each number stands under the last part of its tag, a loss under its turn."""
LETTERS = {"discriminator": "D", "generator": "G"}
"""Short names of turns, for narrow terminals."""
BARS = (24, 16, 8)
"""Widths of a bar, in characters."""
GAP = "  "
MARGIN = 3
"""Columns that stay free: the terminal writes ^C behind the line, which must not begin another one."""
STOPPING = "stopping after this round; Ctrl-C again ends at once"


class Rounds(Activity):
    """The rounds of a training, as a callback that keeps the numbers to show: losses, estimate, metric and speed.

    Args:
        start: Number of rounds already played.
        steps: The last round. None: the time decides.
        latest: Returns the newest logged numbers by tag.
        short: Short names of numbers for narrow terminals, by name.
        left: Returns the seconds that are left if the time decides.
    """

    def __init__(
        self,
        start: int,
        steps: int | None,
        latest: Callable[[], Mapping[str, float]],
        short: Mapping[str, str] | None = None,
        left: Callable[[], float] | None = None,
    ) -> None:
        super().__init__("training", steps, start)
        self.left, self.left_at_start = left, left() if left else 0.0
        self.latest, self.short = latest, {**LETTERS, **(short or {})}
        self.pace = None  # counts from the end of the first round, which is slower than the others
        self.numbers: Mapping[str, Mapping[str, float]] = {}
        self.speed: float | None = None
        self.is_stopping = False

    def stop(self) -> None:
        """Show that no further round begins."""
        self.is_stopping = True

    @property
    def count(self) -> str:
        return super().count or str(self.done)

    @property
    def share(self) -> float | None:
        return 1 - self.left() / self.left_at_start if self.left and self.left_at_start else super().share

    @property
    def seconds_left(self) -> float | None:
        return self.left() if self.left else super().seconds_left

    def __call__(self, step: int, stats: Mapping[str, Any]) -> None:
        latest = self.latest()
        self.numbers = {
            kind: {tag.rpartition("/")[2]: value for tag, value in latest.items() if tag.split("/")[0] == kind}
            for kind in SHOWN
        }
        self.speed = latest.get("time/samples_per_second")
        self.advance(step - self.done)
        self.pace = self.pace or (step, self.updated)

    def long(self, speed: bool = True) -> list[str]:
        """Return losses, estimate, metric and, unless ``speed`` is false, the speed, with full names."""
        shown = [f"{kind} {_named(self.numbers[kind], {})}" for kind in SHOWN if self.numbers.get(kind)]
        return [*shown, *([f"{self.speed:.0f} samples/s"] if speed and self.speed is not None else [])]

    def brief(self, *kinds: str) -> list[str]:
        """Return the numbers of these kinds with short names."""
        shown = [(kind, _named(self.numbers[kind], self.short)) for kind in kinds if self.numbers.get(kind)]
        return [f"loss {text}" if kind == "loss" else text for kind, text in shown]

    def forms(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the least width of the bar, and the numbers, from the longest form to the shortest."""
        if self.is_stopping:
            yield BARS[-1], [STOPPING]
            yield 0, [STOPPING]
            return
        yield BARS[-1], self.long()
        yield BARS[-1], self.long(speed=False)
        yield BARS[-1], self.brief(*SHOWN)
        yield BARS[-1], self.brief("loss", "estimate")
        for kinds in (("loss", "estimate"), ("loss",), ()):
            yield 0, self.brief(*kinds)


def live_line(activities: Sequence[Activity], width: int, ascii_only: bool = False) -> Text:
    """Return a line of at most ``width`` - ``MARGIN`` characters about activities, the outermost first.

    The count of the outermost one and its time never shrink. Of the numbers of a training, speed goes first; then names
    become short, the metric goes, and the bar. An activity inside the training takes the place of the numbers.

    Args:
        activities: At least one.
        width: Width of the terminal.
        ascii_only: True to draw the bar with ASCII characters.
    """
    outer, *inside = activities
    count, share = outer.count, outer.share
    time_left = _clock(time.monotonic() - outer.started) if share is None else f"eta {_clock(outer.seconds_left)}"
    bar, middle, room = 0, list[str](), 0
    for bar, middle in _forms(outer, inside):
        room = width - MARGIN - Text(GAP.join(filter(None, (count, *middle, time_left)))).cell_len
        if room >= bar + bool(bar):
            break
    else:
        if middle:
            middle[-1] = _cut(middle[-1], len(middle[-1]) + room)
        bar = 0
    line = Text(no_wrap=True, overflow="crop", end="")
    if bar and share is not None:
        size = next(size for size in BARS if size < room)
        filled = int(size * share)
        full, empty = "#-" if ascii_only else "━─"
        line.append(full * filled, "green").append(empty * (size - filled), "dim").append(" ")
    return line.append(GAP.join(filter(None, (count, *middle, time_left))))


def plain_line(activities: Sequence[Activity]) -> str:
    """Return a line for a log file about activities, the outermost first."""
    outer, *inside = activities
    if isinstance(outer, Rounds):
        start = f"step {outer.count}"
        if inside:
            return f"{start}  {_path(inside)}"
        return GAP.join([start, *outer.long(), f"{_clock(outer.seconds_left)} left"])
    left = outer.seconds_left
    return _path(activities) if left is None else f"{_path(activities)}  {_clock(left)} left"


def _forms(outer: Activity, inside: Sequence[Activity]) -> Iterator[tuple[int, list[str]]]:
    """Yield the least width of the bar, and the texts, from the longest form to the shortest."""
    if isinstance(outer, Rounds) and not inside:
        yield from outer.forms()
        return
    bar = BARS[-1] if outer.share is not None else 0
    if inside:
        yield bar, [_path(inside)]
    innermost = [_described(inside[-1]) if inside else outer.name if outer.total else _counted(outer)]
    yield bar, innermost
    yield 0, innermost


def _path(activities: Sequence[Activity]) -> str:
    return ", ".join([*map(_counted, activities[:-1]), _described(activities[-1])])


def _described(work: Activity) -> str:
    """Return the name of an activity with its count, or with its time if it counts nothing."""
    seconds = int(time.monotonic() - work.started)
    return f"{work.name} {seconds} s" if seconds and not work.total and not work.done else _counted(work)


def _counted(work: Activity) -> str:
    count = f" {work.done}/{work.total}" if work.total else f" {work.done}" if work.done else ""
    return f"{work.name}{count}"


def _named(numbers: Mapping[str, float], short: Mapping[str, str]) -> str:
    return ", ".join(f"{short.get(name, name)} {_number(value)}" for name, value in numbers.items())


def _number(value: float) -> str:
    value += 0.0  # which makes -0 0
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "-:--:--"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _cut(text: str, width: int) -> str:
    return f"{text[: max(0, width - 1)]}…"
