"""Time of a round whose players are compiled beside one whose are not, written into docs/performance.md.

    make bench-compile

One thread. Both runs of a row play rounds in turn, so that whatever else the machine does meets both; the median of the ratios
of neighbouring rounds is shown with its standard error. The compiler's files are written into a new folder, so that compiling
takes as long as it does the first time.
"""

import os
import statistics
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp()

import torch
from bench_rounds import built
from pages import table, write

from gan_cli.games.reporting import reporting
from gan_cli.runs import machine
from gan_cli.training.compiling import compile_players

GAMES = {
    "default DCGAN": [],
    "`experiment=sngan_small`": ["experiment=sngan_small"],
    "`dataset=ring loss=hinge`": ["dataset=ring", "loss=hinge"],
}
LEAST, MOST, SECONDS = 10, 300, 60.0
"""Bounds of the number of rounds, and the processor time in which the rounds of both runs are played."""


def row(name: str, words: list[str], least: int = LEAST, seconds: float = SECONDS) -> list[str]:
    """Return the cells of a game's row."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [built([*words, "train.steps=1000000", f"compile={word}"], folder) for word in ("false", "true")]
        began = time.perf_counter()
        compile_players(runs[1])
        compiling = time.perf_counter() - began
        times: list[list[float]] = [[], []]
        while len(times[0]) < least or (sum(map(sum, times)) < seconds and len(times[0]) < MOST):
            for run, spent in zip(runs, times, strict=True):
                start = time.process_time()
                with reporting(False):
                    run.play(len(spent) + 1)
                spent.append(time.process_time() - start)
                run.watched.clear()
    eager, compiled = (spent[2:] for spent in times)  # the operations of the first round are counted
    ratios = [a / b for a, b in zip(eager, compiled, strict=True)]
    middle = statistics.median(ratios)
    error = 1.2533 * 1.4826 * statistics.median(abs(ratio - middle) for ratio in ratios) / len(ratios) ** 0.5
    milliseconds = [f"{1000 * statistics.median(spent):.1f}" for spent in (eager, compiled)]
    return [name, *milliseconds, f"{middle:.2f} ± {error:.2f}", f"{compiling:.0f}"]


def main() -> None:
    """Write the table."""
    torch.set_num_threads(1)
    processor = machine.facts(torch.device("cpu"))["processor"]
    titles = ["game", "round, ms", "compiled, ms", "speed", "compiling, s"]
    rows = []
    for name, words in GAMES.items():
        rows.append(row(name, words))
        print("  ".join(rows[-1]), flush=True)
    write("bench-compile", f"Measured on {processor}, torch {torch.__version__}, one thread.\n\n{table(titles, rows)}")


if __name__ == "__main__":
    main()
