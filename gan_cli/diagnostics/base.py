"""What measures players, where a metric measures samples."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np

from gan_cli.data.base import Data
from gan_cli.games.base import Game
from gan_cli.metrics.base import NoMetric, Value


class DiagnosticReport(NamedTuple):
    """Numbers by name; and in ``details`` eigenvalues with residuals, verdicts, and ``skipped``: name -> why it is missing.

    ``pictures``: by name, uint8 ``[H, W, 3]``.
    """

    values: dict[str, Value]
    details: dict[str, Any]
    pictures: Mapping[str, np.ndarray] = MappingProxyType({})

    @classmethod
    def joined(cls, reports: Iterator["DiagnosticReport"]) -> "DiagnosticReport":
        """Several as one."""
        values: dict[str, Value] = {}
        details: dict[str, Any] = {"skipped": {}}
        found = list(reports)
        for report in found:
            values |= report.values
            skipped = details["skipped"] | report.details.get("skipped", {})
            details |= report.details | {"skipped": skipped}
        return cls(values, details, {name: picture for report in found for name, picture in report.pictures.items()})


def skipped(name: str, reason: str) -> DiagnosticReport:
    """A report of nothing but why."""
    return DiagnosticReport({}, {"skipped": {name: reason}})


@dataclass(frozen=True)
class Diagnostics(NoMetric):
    """A measure of players: as a measure of samples it is none, so that it is called with a game.

    ``family``: what all its numbers begin with, and its option of ``metric`` and ``diagnostics``; ``split``: the part of the
    data that it looks at; ``generates``: whether it looks at as many generated samples.
    """

    family: ClassVar[str]
    generates: ClassVar[bool] = True

    @property
    @abstractmethod
    def size(self) -> int:
        """Real samples that it looks at, or all where there are fewer."""

    def since(self, earlier: Callable[[int | None], Game]) -> "Diagnostics":
        """This measure, once it has seen the players of a run's earlier checkpoint, by its step (None: the first).

        Most have no use for them.
        """
        return self

    @abstractmethod
    def diagnose(self, game: Game, data: Data, seed: int) -> DiagnosticReport:
        """All that this game has, the same for the same players, data and seed; nothing of ``game`` moves."""

    def __call__(self, game: Game, data: Data, seed: int) -> Mapping[str, Value]:
        """The numbers of ``diagnose``."""
        return self.diagnose(game, data, seed).values
