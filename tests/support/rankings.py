"""Rankings of simulated results."""

from collections.abc import Iterable, Mapping, Sequence

from gan_cli.evaluation.comparison import Ranking, compare
from gan_cli.evaluation.results import Number, Provenance, Result
from gan_cli.evaluation.sweeps import SweepRun


def ranking_of(keys: Iterable[str], values: Mapping[tuple[str, ...], Sequence[float]]) -> Ranking:
    """Return the ranking of methods, given their values over seeds by their settings of the keys."""
    runs, results = [], {}
    for cell, numbers in values.items():
        words = [f"{key}={value}" for key, value in zip(keys, cell, strict=True)]
        for seed, value in enumerate(numbers):
            run = SweepRun(f"{'+'.join(words)}+{seed}", {"seed": seed}, [*words, f"seed={seed}"])
            origin = Provenance("w1", {}, {}, 100, 100, "train", True, "hash", seed)
            runs.append(run)
            results[run.name] = [Result(run.name, 1, ("last",), origin, {"w1": Number(float(value))})]
    [ranking] = compare(runs, results).rankings
    return ranking
