"""Errors and power of the verdicts between methods, simulated for few seeds and unequal spreads.

    make bench-rankings

An error is a repetition in which any two methods with equal means are told apart, by the functions of
``gan_cli.evaluation.moderated``. Every pair counts, so it does not matter which method looks best.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.pages import table, write

from gan_cli.evaluation.moderated import LEVEL, fit_prior, half_width, joint_level, moderate

PAGE = Path(__file__).parents[2] / "docs" / "rankings.md"
REPETITIONS = 4_000
SEEDS, METHODS, FOLDS = (3, 5, 10), (2, 5, 15), (1, 3, 10, 25)
SKEW = 0.35
"""Coefficient of variation of the noisiest method's log-normal noise: the largest one in `experiment=family`."""
FAR = 1_000.0
"""Distance of the methods that are not tied, in units of the smallest spread."""
FAMILY = {
    "InfoGAN": (293, 10), "SNGAN-ResNet": (305, 7), "MMD-GAN": (357, 32), "WGAN-GP-ResNet": (412, 16), "GAN": (458, 37),
    "EBGAN": (549, 21), "R3GAN-ResNet": (632, 72), "SWG": (644, 66), "SWGAN": (684, 62), "f-GAN-KL": (862, 174),
    "LSGAN": (873, 89), "DDPM": (900, 15), "WGAN": (915, 31), "DRAGAN": (1019, 8), "GMMN": (1120, 55), "WGAN-GP": (1172, 78),
    "SNGAN": (1799, 48),
}  # fmt: skip
"""Means and standard errors over three seeds of `experiment=family`, see docs/numbers.md."""


@dataclass(frozen=True)
class Case:
    """One case of the simulation.

    Attributes:
        seeds: Number n of seeds of each method.
        methods: Number k of methods.
        fold: Ratio of the largest spread to the smallest.
        shape: ``even``: spreads in geometric steps; ``one``: one method has the large spread, all others the small one.
        tied: Number of methods with equal means; the others are far worse.
        noisy: True if the tied methods have the largest spreads, False if they have the smallest.
        correlation: Correlation of the methods at equal seeds.
        skewed: True for log-normal noise, False for normal noise.
    """

    seeds: int
    methods: int
    fold: float
    shape: str = "even"
    tied: int = 0
    noisy: bool = True
    correlation: float = 0.0
    skewed: bool = False

    def spreads(self) -> np.ndarray:
        """Return the standard deviations, largest first."""
        if self.shape == "one":
            return np.array([self.fold, *[1.0] * (self.methods - 1)])
        return np.geomspace(self.fold, 1.0, self.methods)

    def draw(self, repetitions: int, rng: np.random.Generator) -> np.ndarray:
        """Return values ``[repetitions, methods, seeds]`` with mean 0."""
        common = rng.standard_normal((repetitions, 1, self.seeds))
        own = rng.standard_normal((repetitions, self.methods, self.seeds))
        z = np.sqrt(self.correlation) * common + np.sqrt(1 - self.correlation) * own
        spread = self.spreads()[:, None]
        if not self.skewed:
            return spread * z
        sigma = np.sqrt(np.log1p((SKEW * spread / self.fold) ** 2))
        return (np.exp(sigma * z - sigma**2 / 2) - 1) * self.fold / SKEW


def told_apart(values: np.ndarray) -> np.ndarray:
    """Return for each repetition and pair i < j whether the methods are told apart, from values ``[repetitions, k, n]``."""
    k, n = values.shape[1:]
    return np.abs(_differences(values).mean(-1)) > half_widths(values, joint_level(k * (k - 1) // 2), n)


def half_widths(values: np.ndarray, level: float, n: int) -> np.ndarray:
    """Return half the width of the intervals of all pairs i < j."""
    variances, dof = _differences(values).var(-1, ddof=1), np.full(1, n - 1.0)
    moderated, total = moderate(variances, dof, fit_prior(variances, dof, values.shape[1]))
    return half_width(moderated, total[:, :1], n, level)


def _differences(values: np.ndarray) -> np.ndarray:
    i, j = np.triu_indices(values.shape[1], 1)
    return values[:, i] - values[:, j]


def error(case: Case, repetitions: int, rng: np.random.Generator) -> float:
    """Return the share of repetitions in which any two methods with equal means are told apart."""
    values = case.draw(repetitions, rng)
    tied = case.tied or case.methods
    chosen = np.arange(case.methods) < tied if case.noisy else np.arange(case.methods) >= case.methods - tied
    values[:, ~chosen] += FAR * (1 + np.arange((~chosen).sum()))[:, None]
    i, j = np.triu_indices(case.methods, 1)
    return float(told_apart(values)[:, chosen[i] & chosen[j]].any(-1).mean())


def cases(seeds: int, methods: int, fold: float, skewed: bool) -> Iterator[Case]:
    """Yield all ties, shapes and correlations."""
    ties = [(0, True)] + [(tied, noisy) for tied in (2, 5) if tied < methods for noisy in (True, False)]
    shapes = ["even"] if fold == 1 or methods == 2 else ["even", "one"]
    for shape, (tied, noisy), correlation in product(shapes, ties, (0.0, 0.5)):
        yield Case(seeds, methods, fold, shape, tied, noisy, correlation, skewed)


def family(repetitions: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return how often InfoGAN and SNGAN are told apart, and how many methods are from InfoGAN, in data like `family`'s."""
    means, errors = np.array(list(FAMILY.values()), dtype=np.float64).T
    values = means[:, None] + Case(3, len(means), 1).draw(repetitions, rng) * (errors * np.sqrt(3))[:, None]
    from_first = told_apart(values)[:, : len(means) - 1]
    return float(from_first[:, -1].mean()), float(from_first.sum(-1).mean())


def main() -> None:
    """Simulate the whole grid and write its tables into docs/rankings.md."""
    rng = np.random.default_rng(0)
    rows, widths = [], []
    for seeds, methods in product(SEEDS, METHODS):
        cells = []
        for fold in FOLDS:
            worst = [
                max(error(case, REPETITIONS, rng) for case in cases(seeds, methods, fold, skewed)) for skewed in (False, True)
            ]
            cells.append(", ".join(f"{100 * one:.1f}" for one in worst))
        rows.append([str(seeds), str(methods), *cells])
        print("|".join(rows[-1]), flush=True)
    for seeds in SEEDS:
        level = [joint_level(k * (k - 1) // 2) for k in METHODS]
        equal = [Case(seeds, k, 1).draw(REPETITIONS, rng) for k in METHODS]
        medians = [np.median(half_widths(x, one, seeds)) for x, one in zip(equal, level, strict=True)]
        widths.append([str(seeds), *(f"{one:.1f}" for one in medians)])
    apart, count = family(REPETITIONS, rng)
    write(
        "bench-rankings",
        f"""Share of {REPETITIONS} repetitions in percent, at a nominal {100 * (1 - LEVEL):.0f} %, in which any two methods with
equal means were told apart: for normal noise, for log-normal noise. Each number is the largest one over all ties, shapes of the
spreads and correlations between methods.

{table(["seeds", "methods", *("equal spreads" if fold == 1 else f"{fold}-fold" for fold in FOLDS)], rows)}
Half the width of an interval in units of the spread of a method, at equal spreads (median):

{table(["seeds", *(f"{k} methods" for k in METHODS)], widths)}
In data with the means and standard errors of `experiment=family` (17 methods, three seeds), InfoGAN (293 ± 10) and SNGAN
(1 799 ± 48) were told apart in {100 * apart:.1f} % of the repetitions, and {count:.1f} of 16 methods from InfoGAN
on average.""",
        PAGE,
    )


if __name__ == "__main__":
    main()
