"""Growth of a round's time in the batch, the width of the networks, the resolution and the number of images.

    make bench-growth

One thread. All sizes of a row play rounds in turn, so that whatever else the machine does meets all of them. The exponent is
the slope of a straight line through the logarithms of the size and of the median time, with its standard error: 1 means twice
the time for twice the size.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.bench_formats import Variant, in_turn
from benchmarks.pages import table, write

from gan_cli.runs import machine

IMAGES = "loss=wgan_gp model=dcgan"
ROUNDS = 9
UNCOUNTED = 2
"""Rounds of each size, and how many of them come first and do not count."""


@dataclass(frozen=True)
class Axis:
    """A size that grows, by the words that set it; ``{}`` stands for the size."""

    name: str
    words: str
    sizes: tuple[int, ...]


AXES = (
    Axis("batch", f"{IMAGES} train.batch_size={{}}", (16, 32, 64, 128)),
    Axis("width of both networks", f"{IMAGES} model.generator.width={{0}} model.discriminator.width={{0}}", (16, 32, 64, 128)),
    Axis(
        "side of the images", f"{IMAGES} model.generator.width=32 model.discriminator.width=32 dataset.size={{}}", (16, 32, 64)
    ),
    Axis("number of points", "loss=wgan_gp dataset=ring dataset.n={}", (1_000, 10_000, 100_000, 1_000_000)),
)


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> tuple[float, float]:
    """Return the slope of log seconds over log size, and its standard error."""
    fit = stats.linregress(np.log(sizes), np.log(seconds))
    return fit.slope, fit.stderr


def medians(axis: Axis, rounds: int = ROUNDS) -> list[float]:
    """Return the median seconds of a round at each size."""
    variants = [Variant(axis.words.format(size)) for size in axis.sizes]
    in_turn(variants, UNCOUNTED + rounds)
    for variant in variants:
        variant.batches.close()
    return [median(variant.seconds[UNCOUNTED:]) for variant in variants]


def row(axis: Axis) -> list[str]:
    """Return the cells of a row of the table."""
    seconds = medians(axis)
    slope, error = exponent(axis.sizes, seconds)
    cells = [", ".join(f"{size:,}".replace(",", " ") for size in axis.sizes), ", ".join(f"{1000 * one:.3g}" for one in seconds)]
    return [axis.name, f"`{axis.words.format(axis.sizes[0])}`", *cells, f"{slope:.2f} ± {error:.2f}"]


def main() -> None:
    """Write the table into docs/performance.md."""
    torch.set_num_threads(1)
    rows = []
    for axis in AXES:
        rows.append(found := row(axis))
        print("  ".join(found), file=sys.stderr, flush=True)
    text = table(["size", "command with the smallest", "sizes", "round, ms", "exponent"], rows)
    device = machine.facts(torch.device("cpu"))["processor"]
    write("bench-growth", f"Measured on {device}, torch {torch.__version__}, one thread.\n\n{text}")


if __name__ == "__main__":
    main()
