"""Sweeps over a full grid of two or more keys as designs: main effects and two-way interactions."""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import NamedTuple

import numpy as np
from scipy import special

from gan_cli.evaluation.comparison import Mean, Ranking
from gan_cli.evaluation.moderated import LEVEL, MIN_SEEDS


class Effect(NamedTuple):
    """Test of a main effect or a two-way interaction.

    Attributes:
        keys: The key, or both keys.
        statistic: The ANOVA-type statistic F.
        dof: Its degrees of freedom f and f₀.
        p: Its p-value, adjusted for the number of effects (Holm 1979).
    """

    keys: tuple[str, ...]
    statistic: float
    dof: tuple[float, float]
    p: float

    @property
    def found(self) -> bool:
        """True if the effect is told apart from none."""
        return self.p <= 1 - LEVEL


@dataclass(frozen=True)
class Design:
    """A full grid of settings.

    Attributes:
        levels: The values of each key.
        cells: Mean over seeds of each combination of values, in the order of the keys.
    """

    levels: Mapping[str, Sequence[str]]
    cells: Mapping[tuple[str, ...], Mean]

    def means(self) -> dict[str, dict[str, Mean]]:
        """Return the mean of each value of each key over all values of the other keys, with its standard error."""
        return {
            key: {level: _mean_of([mean for cell, mean in self.cells.items() if cell[place] == level]) for level in levels}
            for place, (key, levels) in enumerate(self.levels.items())
        }

    def effects(self) -> list[Effect]:
        """Return the main effects and the two-way interactions.

        For an effect with the projector T on its contrasts, cell means x, and their squared standard errors v,

            F = xᵀ T x / Σ Tᵢᵢ vᵢ,  f = (Σ Tᵢᵢ vᵢ)² / Σ Tᵢⱼ² vᵢ vⱼ,  f₀ = (Σ Tᵢᵢ vᵢ)² / Σ (Tᵢᵢ vᵢ)² / (nᵢ - 1)

        (Brunner, Dette and Munk 1997, "Box-type approximations in nonparametric factorial designs"). It is the F test of the
        linear model if all cells have equal spreads and seeds, and needs neither.
        """
        ordered = [self.cells[cell] for cell in product(*self.levels.values())]
        x = np.array([mean.value for mean in ordered])
        v = np.array([(mean.error or 0.0) ** 2 for mean in ordered])
        n = np.array([mean.n for mean in ordered])
        names = [*((key,) for key in self.levels), *combinations(self.levels, 2)]
        tests = [_test(self._projector(keys), x, v, n) for keys in names]
        adjusted = _holm([p for _, _, p in tests])
        return [Effect(keys, f, dof, p) for keys, (f, dof, _), p in zip(names, tests, adjusted, strict=True)]

    def _projector(self, keys: Sequence[str]) -> np.ndarray:
        """Return the projector on the contrasts of the keys, which averages over the other keys."""
        parts = []
        for key, levels in self.levels.items():
            average = np.full((len(levels), len(levels)), 1 / len(levels))
            parts.append(np.eye(len(levels)) - average if key in keys else average)
        return functools.reduce(np.kron, parts)


def design_of(ranking: Ranking) -> Design | None:
    """Return a ranking as a design; None unless its methods are a full grid of two or more keys, with enough seeds each."""
    own = [ranking.own(row) for row in ranking.rows]
    levels = {key: sorted({settings[key] for settings in own}, key=_level_order) for key in own[0]}
    cells = {
        tuple(settings.values()): row.means[ranking.chosen].get(ranking.primary)
        for settings, row in zip(own, ranking.rows, strict=True)
    }
    known = {
        cell: mean for cell, mean in cells.items() if mean is not None and math.isfinite(mean.value) and mean.n >= MIN_SEEDS
    }
    is_full = len(known) == len(ranking.rows) == math.prod(map(len, levels.values()))
    if len(levels) < 2 or not is_full or not any(mean.error for mean in known.values()):
        return None
    return Design(levels, known)


def _test(projector: np.ndarray, x: np.ndarray, v: np.ndarray, n: np.ndarray) -> tuple[float, tuple[float, float], float]:
    trace = float((projector.diagonal() * v).sum())
    statistic = float(x @ projector @ x) / trace
    f = trace**2 / float(v @ projector**2 @ v)
    f0 = trace**2 / float(((projector.diagonal() * v) ** 2 / (n - 1)).sum())
    return statistic, (f, f0), float(special.fdtrc(f, f0, statistic))


def _holm(p: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    raised = np.maximum.accumulate([min(1.0, (len(p) - rank) * p[i]) for rank, i in enumerate(order)])
    adjusted = dict(zip(order, raised.tolist(), strict=True))
    return [adjusted[i] for i in range(len(p))]


def _mean_of(means: Sequence[Mean]) -> Mean:
    value = sum(mean.value for mean in means) / len(means)
    error = math.sqrt(sum((mean.error or 0.0) ** 2 for mean in means)) / len(means)
    return Mean(value, error, sum(mean.n for mean in means))


def _level_order(level: str) -> tuple[float, str]:
    """Sort numbers by their size, and other values behind them by name."""
    try:
        return float(level), ""
    except ValueError:
        return math.inf, level
