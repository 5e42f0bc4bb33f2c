"""The floor of a metric: its numbers between real samples and other real samples, over several draws."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from gan_cli.data.base import seeded_generator
from gan_cli.metrics.base import Metric
from gan_cli.metrics.features.base import Encoded, concatenate

MOST_DRAWS, LEAST_DRAWS = 10, 3
"""Largest number of draws, and the smallest number over which a standard deviation is computed."""
SAMPLES = 20_000
"""Largest number of samples of each kind in all draws together."""


@dataclass(frozen=True)
class Floor:
    """The numbers of a metric between two sets of real samples: what a generator that draws from the data would have.

    Attributes:
        values: Mean of each number over the draws.
        errors: Standard deviation of one draw, for numbers of several draws.
        n: Number of samples in the first set.
        against: Number of samples in the second set.
        draws: Number of draws.
        split: Part of the data set that the second set comes from if the first comes from another one, else None.
        two_times: True if the sets are of different periods of a time series, so that the floor includes how they differ.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)
    n: int = 0
    against: int = 0
    draws: int = 1
    split: str | None = None
    two_times: bool = False


def measure_floor(
    metric: Metric, real: Encoded, others: Encoded, partial: bool = False, split: str | None = None, two_times: bool = False
) -> Floor:
    """Measure a floor.

    The first draw compares the sets as they are. Every further one splits all of their samples anew, at random, into sets of
    the same sizes, which costs no further features. Sets of different periods of a time series are compared once, since a new
    split would mix the periods.

    Args:
        metric: The metric.
        real: Real samples.
        others: Other real samples.
        partial: True to leave out the numbers for which the sets are too small, False to refuse them.
        split: See ``Floor``.
        two_times: See ``Floor``.
    """
    pool = concatenate([real, others])
    draws = 1 if two_times else _draws(max(len(real), len(others)))

    def draw(index: int) -> tuple[Encoded, Encoded]:
        if not index:
            return real, others
        order = torch.randperm(len(pool), generator=seeded_generator("floor", index))
        return pool.subset(order[: len(real)]), pool.subset(order[len(real) :])

    found = metric.floors(draw, draws, partial)
    series = {name: torch.tensor(each, dtype=torch.float64) for name, each in found.items()}
    values = {name: float(each.mean()) for name, each in series.items()}
    errors = {name: float(each.std()) for name, each in series.items() if len(each) >= LEAST_DRAWS}
    n_draws = max(map(len, series.values()), default=1)
    return Floor(values, errors, len(real), len(others), n_draws, split, two_times)


def _draws(n: int) -> int:
    draws = min(MOST_DRAWS, SAMPLES // max(n, 1))
    return draws if draws >= LEAST_DRAWS else 1
