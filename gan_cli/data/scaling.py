"""What the numbers of a sequence mean: features by name, and the way back to the data's own units."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.files import atomic_write


@dataclass(frozen=True)
class Scaling:
    """x = (u − low) / (high − low), feature by feature: u in the data's own units, x in model units.

    ``low``, ``high``: F numbers each, low < high; the training part then lies in [0, 1].
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def learnt(cls, u: Tensor, names: tuple[str, ...]) -> "Scaling":
        """From the smallest to the largest value of each feature in ``u`` ``[N, F]``.

        Raises UserError, with its name, for a feature that has one value only.
        """
        low, high = u.double().amin(0), u.double().amax(0)
        if still := [name for name, moves in zip(names, (low < high).tolist(), strict=True) if not moves]:
            raise UserError(
                f"nothing changes in the training part of {', '.join(still)}: there is nothing to learn.\n"
                f"Leave {'it' if len(still) == 1 else 'them'} out by naming the other columns in dataset.columns."
            )
        return cls(tuple(low.tolist()), tuple(high.tolist()))

    def from_units(self, u: Tensor) -> Tensor:
        """The data's own units ``[..., F]`` -> model units, float32."""
        low, high = self._bounds()
        return ((u.double() - low) / (high - low)).float()

    def to_units(self, x: Tensor) -> Tensor:
        """Model units ``[..., F]`` -> the data's own, float64 on the CPU."""
        low, high = self._bounds()
        return low + x.double().cpu() * (high - low)

    def _bounds(self) -> tuple[Tensor, Tensor]:
        return torch.tensor(self.low, dtype=torch.float64), torch.tensor(self.high, dtype=torch.float64)


@dataclass(frozen=True)
class Series:
    """What a data set of sequences ``[T, F]`` is, beside its numbers; travels with the data and in every checkpoint.

    ``names``: of the F features; ``scaling``: between their own units and those of the samples; ``protocol``: how the
    sequences were cut and split, in words; ``notes``: what somebody should know before training on them; ``by_time``: whether
    the held-out ones are of another time than those to train on.
    """

    names: tuple[str, ...]
    scaling: Scaling
    protocol: str | None = None
    notes: tuple[str, ...] = ()
    by_time: bool = False

    def write(self, u: Tensor, path: Path) -> None:
        """``u`` ``[N, T, F]``, in the data's own units, as a table: sample, t, then the features; a row for each step."""
        steps = [(sample, t) for sample in range(u.shape[0]) for t in range(u.shape[1])]
        with atomic_write(path) as unfinished, open(unfinished, "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["sample", "t", *self.names])
            for step, values in zip(steps, u.flatten(0, 1).tolist(), strict=True):
                table.writerow([*step, *(f"{value:.9g}" for value in values)])

    def plain(self) -> dict[str, Any]:
        """What they are, and how they come back in their own units, as plain data."""
        return {
            "names": list(self.names),
            "low": list(self.scaling.low),
            "high": list(self.scaling.high),
            "protocol": self.protocol,
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Series":
        """The inverse of ``plain``."""
        return cls(tuple(plain["names"]), Scaling(tuple(plain["low"]), tuple(plain["high"])), plain["protocol"])

    def agrees(self, other: "Series") -> bool:
        """Whether both describe the same data; scalings may differ as much as two machines round logarithms differently."""
        same = (self.names, self.protocol) == (other.names, other.protocol)
        mine, theirs = (*self.scaling.low, *self.scaling.high), (*other.scaling.low, *other.scaling.high)
        return same and all(math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-12) for a, b in zip(mine, theirs, strict=True))


def unnamed(features: int) -> Series:
    """Of sequences of which nothing is known: features by number, in the units that they have."""
    return Series(tuple(f"feature {k + 1}" for k in range(features)), Scaling((0.0,) * features, (1.0,) * features))
