"""No logger beside ``metrics.jsonl``."""

from collections.abc import Mapping

from gan_cli.loggers.base import LoggedRun, Logger


class NoLogger(Logger):
    """Logs nothing; ``metrics.jsonl`` and the pictures in ``samples/`` are written as always."""

    def begin(self, run: LoggedRun) -> None:
        pass

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        pass
