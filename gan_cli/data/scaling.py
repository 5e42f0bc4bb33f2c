"""Metadata of sequences: names of their features, and scaling between their own units and model units."""

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.files import atomic_write


@dataclass(frozen=True)
class Scaling:
    """x = (u − low) / (high − low) in each feature, with u in the data's own units and x in model units.

    Attributes:
        low: Smallest value of each feature in the training part, F numbers.
        high: Largest value of each feature, above ``low``, so that the training part lies in [0, 1].
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def fit(cls, u: Tensor, names: tuple[str, ...]) -> "Scaling":
        """Return the scaling from the smallest to the largest value of each feature.

        Args:
            u: Values ``[N, F]`` in the data's own units.
            names: Names of the F features, for the message.

        Raises:
            UserError: If a feature is constant.
        """
        low, high = u.double().amin(0), u.double().amax(0)
        if constant := [name for name, varies in zip(names, (low < high).tolist(), strict=True) if not varies]:
            raise UserError(
                f"the training part of {', '.join(constant)} is constant: there is nothing to learn.\n"
                f"Leave {'it' if len(constant) == 1 else 'them'} out by naming the other columns in dataset.columns."
            )
        return cls(tuple(low.tolist()), tuple(high.tolist()))

    def from_units(self, u: Tensor) -> Tensor:
        """Convert the data's own units ``[..., F]`` to model units, float32."""
        low, high = self._bounds()
        return ((u.double() - low) / (high - low)).float()

    def to_units(self, x: Tensor) -> Tensor:
        """Convert model units ``[..., F]`` to the data's own units, float64 on the CPU."""
        low, high = self._bounds()
        return low + x.double().cpu() * (high - low)

    def _bounds(self) -> tuple[Tensor, Tensor]:
        return torch.tensor(self.low, dtype=torch.float64), torch.tensor(self.high, dtype=torch.float64)


@dataclass(frozen=True)
class Series:
    """Metadata of a data set of sequences ``[T, F]``, kept in every checkpoint.

    Attributes:
        names: Names of the F features.
        scaling: Scaling between the features' own units and model units.
        protocol: Description of how sequences were cut and split.
        notes: What a user should know before training on the data.
        by_time: True if the held-out sequences are from another time than the training sequences.
    """

    names: tuple[str, ...]
    scaling: Scaling
    protocol: str | None = None
    notes: tuple[str, ...] = ()
    by_time: bool = False

    def write(self, u: Tensor, path: Path) -> None:
        """Write sequences ``[N, T, F]`` in the data's own units as the table of ``table``."""
        with self.table(path) as add:
            add(u)

    @contextmanager
    def table(self, path: Path) -> Iterator[Callable[[Tensor], None]]:
        """Open a CSV table with the columns sample, t and the features, one row per time step.

        Args:
            path: File to write. It is there once the context has ended.

        Yields:
            A function that adds sequences ``[N, T, F]`` in the data's own units.
        """
        number = count()
        with atomic_write(path) as unfinished, open(unfinished, "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["sample", "t", *self.names])

            def add(u: Tensor) -> None:
                for sequence in u.tolist():
                    sample = next(number)
                    table.writerows([sample, t, *(f"{value:.9g}" for value in step)] for t, step in enumerate(sequence))

            yield add

    def to_dict(self) -> dict[str, Any]:
        """Return names, scaling and protocol as plain data."""
        return {
            "names": list(self.names),
            "low": list(self.scaling.low),
            "high": list(self.scaling.high),
            "protocol": self.protocol,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Series":
        """Return the metadata from the result of ``to_dict``."""
        return cls(tuple(plain["names"]), Scaling(tuple(plain["low"]), tuple(plain["high"])), plain["protocol"])

    def matches(self, other: "Series") -> bool:
        """Return whether both describe the same data; scalings may differ by the rounding of logarithms on two machines."""
        same = (self.names, self.protocol) == (other.names, other.protocol)
        mine, theirs = (*self.scaling.low, *self.scaling.high), (*other.scaling.low, *other.scaling.high)
        return same and all(math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-12) for a, b in zip(mine, theirs, strict=True))


def unnamed(features: int) -> Series:
    """Return the metadata of sequences of which nothing is known: numbered features in the units of the samples."""
    return Series(tuple(f"feature {k + 1}" for k in range(features)), Scaling((0.0,) * features, (1.0,) * features))
