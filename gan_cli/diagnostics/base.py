"""none: the base class of diagnostics, which measure players where a metric measures samples."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np

from gan_cli.contracts import Contract, instance_of
from gan_cli.data.base import Data
from gan_cli.games.base import Game
from gan_cli.metrics.base import Value


class DiagnosticReport(NamedTuple):
    """Everything that diagnostics found in one game.

    Attributes:
        values: Numbers by name.
        details: Plain data: eigenvalues with residuals, verdicts, ``skipped``, a mapping from name to the reason why it is
            missing, and ``remarks``, sentences about the values.
        pictures: uint8 arrays ``[H, W, 3]`` by name.
    """

    values: dict[str, Value]
    details: dict[str, Any]
    pictures: Mapping[str, np.ndarray] = MappingProxyType({})

    @classmethod
    def joined(cls, reports: Iterator["DiagnosticReport"]) -> "DiagnosticReport":
        """Merge several reports into one."""
        values: dict[str, Value] = {}
        details: dict[str, Any] = {"skipped": {}}
        remarks: list[str] = []
        pictures: dict[str, np.ndarray] = {}
        for report in reports:
            values |= report.values
            details |= report.details | {"skipped": details["skipped"] | report.details.get("skipped", {})}
            pictures |= report.pictures
            remarks += report.details.get("remarks", [])
        if remarks:
            details["remarks"] = remarks
        return cls(values, details, pictures)


def skipped(name: str, reason: str) -> DiagnosticReport:
    """Return a report that holds only the reason why ``name`` is missing."""
    return DiagnosticReport({}, {"skipped": {name: reason}})


@dataclass(frozen=True)
class Diagnostics(Contract, ABC):
    """A measure of the players of a game.

    Attributes:
        family: The prefix of all its numbers, and its option of the group ``diagnostics``.
        generates: True if it looks at as many generated samples as real ones.
        split: The part of the data that it looks at, ``train`` or ``heldout``.
    """

    contract: ClassVar = {"diagnose": instance_of(DiagnosticReport, "a DiagnosticReport")}
    family: ClassVar[str]
    generates: ClassVar[bool] = True
    split: ClassVar[str] = "train"

    @property
    @abstractmethod
    def size(self) -> int:
        """The number of real samples that it looks at; all of them if there are fewer."""

    def since(self, earlier: Callable[[int | None], Game]) -> "Diagnostics":
        """Return these diagnostics with access to an earlier state of the players; most have no use for it.

        Args:
            earlier: Returns the players of the run's checkpoint at the given step, or of its first one for None.
        """
        return self

    @abstractmethod
    def diagnose(self, game: Game, data: Data, seed: int) -> DiagnosticReport:
        """Measure ``game`` without changing it.

        Args:
            game: The players. The same players, data and seed give the same report.
            data: The data set that the players were trained on.
            seed: Decides every random draw.
        """

    def settings(self) -> dict[str, Any]:
        """Return the fields that decide its numbers, as plain data."""
        return {entry.name: getattr(self, entry.name) for entry in dataclasses.fields(self) if entry.init}


@dataclass(frozen=True)
class NoDiagnostics(Diagnostics):
    """Diagnostics that measure nothing."""

    family: ClassVar[str] = "none"
    generates: ClassVar[bool] = False

    @property
    def size(self) -> int:
        """0."""
        return 0

    def diagnose(self, game: Game, data: Data, seed: int) -> DiagnosticReport:
        """Return an empty report."""
        return DiagnosticReport({}, {})
