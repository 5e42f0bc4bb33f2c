"""The checkpoint of another run that a run goes on from, as ``from=RUN@STEP`` names it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

FILE = "origin.json"
"""Record of the origin in the folder of the new run: run, step, hash of its config, and what was changed."""


class Origin(NamedTuple):
    """A run, and the step of one of its checkpoints; None: the newest one."""

    run: str
    step: int | None

    @classmethod
    def parse(cls, text: str) -> "Origin":
        """Return the origin that ``RUN`` or ``RUN@STEP`` names."""
        named = re.fullmatch(r"(.+)@(\d+)", text, re.DOTALL)
        return cls(named[1], int(named[2])) if named else cls(text, None)

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return Path(self.run).expanduser()

    def __str__(self) -> str:
        return self.run if self.step is None else f"{self.run}@{self.step}"


def origin_of(config: Mapping[str, Any]) -> Origin | None:
    """Return the origin of the run with this config, or None if it begins by itself."""
    named = config.get("from")
    return Origin.parse(named) if isinstance(named, str) else None


def first_step(config: Mapping[str, Any]) -> int:
    """Return the number of rounds that its players had played when the run with this config began."""
    origin = origin_of(config)
    return 0 if origin is None else origin.step or 0
