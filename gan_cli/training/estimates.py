"""A callback that explains the estimates of a run where they are shown first."""

from collections.abc import Callable
from typing import ClassVar

from gan_cli.losses.estimates import meaning
from gan_cli.types import Stats


class ExplainEstimates:
    """Says once in a process for each estimate which distance it bounds, and what a negative value means.

    Args:
        say: Prints a line.
    """

    seen: ClassVar[set[str]] = set()
    """Tags that need no explanation any more; the jobs of a sweep share them."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say

    def __call__(self, step: int, stats: Stats) -> None:
        for tag in stats.keys() - self.seen:
            self.seen.add(tag)
            if tag.startswith("estimate/") and (words := meaning(tag.removeprefix("estimate/"))):
                self.say(f"{tag}: {words}")
