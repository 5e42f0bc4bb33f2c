"""The base class of loggers whose log can only grow, so that nothing may be logged twice."""

import re
from abc import abstractmethod
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypedDict

import numpy as np

from gan_cli import files
from gan_cli.config.form import FormError, require
from gan_cli.errors import UserError
from gan_cli.loggers.base import LoggedRun, Logger

FOLDER = "loggers"
"""Folder inside the run's folder where a service's logger keeps its place, and a service its files."""


class StoredPlace(TypedDict):
    """The content of ``loggers/NAME.json``."""

    id: str
    step: int


class Service(Logger):
    """A logger that sends each step once, although training repeats what follows a checkpoint when it is resumed.

    ``loggers/NAME.json`` in the run's folder holds the service's id of the run and the last step that was sent. A run that
    continues goes on under this id: steps that were sent are not sent again, steps that were not are taken from
    ``metrics.jsonl``. The place is noted before a step is sent, so that a process that is killed in between leaves a step out
    rather than logging it twice.
    """

    name: ClassVar[str]
    """Name of the service in file names."""
    folder: Path
    step = -1

    @abstractmethod
    def open(self, run: LoggedRun, id: str | None) -> str:
        """Open the run with this ``id`` at the service, or a new one if it is None or unknown there, and return its id."""

    @abstractmethod
    def send(self, step: int, values: Mapping[str, float], pictures: Mapping[str, Path]) -> None:
        """Send everything that was logged at a step: numbers, and PNG files of pictures, by tag."""

    @abstractmethod
    def end(self, finished: bool) -> None:
        """Close the run at the service.

        Args:
            finished: False if the run stopped or failed.
        """

    def begin(self, run: LoggedRun) -> None:
        self.folder, self.finished = run.folder / FOLDER, False
        self.folder.mkdir(exist_ok=True)
        known, self.sent = self._place()
        self.id = self.open(run, known)
        if self.id != known:
            self._note(-1)
        self.values: dict[str, float] = {}
        self.pictures: dict[str, Path] = {}
        for step, values in run.numbers().items():
            self.scalars(step, values)
        self.flush()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self._begin_step(step)
        self.values |= values

    def image(self, step: int, tag: str, picture: np.ndarray, file: Path) -> None:
        self._begin_step(step)
        self.pictures[tag] = file

    def hparams(self, settings: Mapping[str, Any], values: Mapping[str, float], first: Collection[str]) -> None:
        self.finished = True

    def flush(self) -> None:
        values, pictures, self.values, self.pictures = self.values, self.pictures, {}, {}
        if self.step <= self.sent or not (values or pictures):
            return
        before = self.sent
        self._note(self.step)
        try:
            self.send(self.step, values, pictures)
        except Exception:
            self._note(before)
            raise

    def close(self) -> None:
        self.flush()
        self.end(self.finished)

    def _begin_step(self, step: int) -> None:
        if step != self.step:
            self.flush()
            self.step = step

    def _place(self) -> tuple[str | None, int]:
        """Return the id of the run and the last step that was sent; None and -1 if this is not known."""
        try:
            content = files.read_json(self.folder / f"{self.name}.json")
            require(content, StoredPlace)
        except (OSError, UserError, FormError):
            return None, -1
        return (content["id"], content["step"]) if re.fullmatch(r"\w{1,64}", content["id"]) else (None, -1)

    def _note(self, step: int) -> None:
        self.sent = step
        files.write_json(self.folder / f"{self.name}.json", {"id": self.id, "step": step})
