"""Commands and jobs that several processes compute: one leads, the others follow. Standard library only."""

from collections.abc import Callable
from typing import TypeVar

from gan_cli.parallel.launched import launched, leading

T = TypeVar("T")


def led_or_followed(work: Callable[[], T]) -> T | int:
    """Do ``work`` if this process was started alone or leads those that were started with it; otherwise follow.

    Returns:
        The result of ``work``, or the exit code of a process that follows.
    """
    launch = launched()
    if launch is None:
        return work()
    if launch.rank:
        from gan_cli.training.together import follow

        return follow(launch)
    from gan_cli.parallel.team import dismiss

    try:
        with leading(launch):
            return work()
    finally:
        dismiss(launch)
