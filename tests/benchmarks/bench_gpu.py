"""Tests and times on a CUDA device: rounds in each precision and memory format, and the share of a round that waits for data.

    make bench-gpu

At most ten minutes; cases that do not fit are named. Without a CUDA device nothing is measured, and one line says so.

The first columns are bench_formats.py's. Waiting is the share of time that a round saves when its batches lie on the device
already: 0 % where the copies of the next batch run beside the computation.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product, repeat
from pathlib import Path
from statistics import median

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.bench_formats import CASES, FIRST, FORMATS, ROUNDS, Variant, chosen, precisions_here, ratios
from benchmarks.pages import table, write

from gan_cli.device import choose
from gan_cli.runs import machine

MINUTES = 9.0
"""No case begins later than this many minutes after the start."""
ROOT = Path(__file__).parents[2]


def waiting(words: str, precision: str, memory_format: str, rounds: int = ROUNDS) -> tuple[float, float]:
    """Return the median seconds of a round, and the share of it that is spent on the feed."""
    variant = Variant(words, precision, memory_format)
    fixed = repeat(next(variant.batches))
    for step in range(FIRST, FIRST + rounds):
        variant.play(step)
        variant.play(step, fixed)
    variant.batches.close()
    fed, still = variant.seconds[2::2], variant.seconds[3::2]  # the first round of each does not count
    return median(fed), max(0.0, 1 - median(after / before for before, after in zip(fed, still, strict=True)))


def row(words: str, precisions: Sequence[str]) -> list[str]:
    """Return the cells of a case."""
    speeds = ratios(words, precisions)
    auto = chosen(words)
    seconds, share = waiting(words, *auto.split(", "))
    command = f"`gan-train {words}`".replace(" `", "`")
    return [command, f"{1000 * seconds:.3g}", auto, *(f"{speed:.2f}" for speed in speeds.values()), f"{100 * share:.0f} %"]


def rows(
    cases: Sequence[str], precisions: Sequence[str], minutes: float = MINUTES, clock: Callable[[], float] = time.monotonic
) -> Iterator[tuple[str, list[str] | None]]:
    """Yield each case with its cells, or with None if it would begin after these minutes."""
    end = clock() + 60 * minutes
    for words in cases:
        yield words, row(words, precisions) if clock() < end else None


def main() -> int:
    """Run the tests, then write the table into docs/performance.md."""
    device = choose("auto")
    if device.type != "cuda":
        print("bench-gpu: there is no CUDA device here, so nothing was measured")
        return 0
    tests = [sys.executable, "-m", "pytest", "-q", "-k", "cuda", "tests/contracts/test_devices.py", "tests/data/test_stream.py"]
    code = subprocess.run(tests, cwd=ROOT, check=False).returncode
    precisions, found, left = precisions_here(), [], []
    for words, cells in rows(CASES, precisions):
        found += [cells] if cells else []
        left += [] if cells else [words or "the defaults"]
        print("  ".join(cells or [words, "left out: no time"]), file=sys.stderr, flush=True)
    formats = [f"{one}, {form}" for one, form in product(precisions, FORMATS)]
    text = table(["command", "round, ms", "auto", *formats, "waiting"], found)
    if left:
        text += f"\nNot measured within the time: {', '.join(left)}.\n"
    card = machine.facts(device)["processor"]
    write(
        "bench-gpu",
        f"Measured on {card}, torch {torch.__version__}. Speeds are relative to fp32 in contiguous memory.\n\n{text}",
    )
    return code


if __name__ == "__main__":
    sys.exit(main())
