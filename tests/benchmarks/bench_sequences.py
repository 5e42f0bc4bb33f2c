"""Sequences per second of the fused recurrent layers beside a straightforward loop over time with the same weights.

    make bench-sequences

One thread. A case is timed forward and with its gradient, fused and looped in turn so that whatever else the machine does
meets both, and the medians are compared; that both give the same numbers is a test (tests/models/test_recurrent.py).
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from gan_cli.models.rnn import make_rnn

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.recurrence import reference_rnn

SECONDS = 4.0
"""Seconds for which a case is timed, at least ``LEAST`` times each way."""
LEAST = 5


class Case(NamedTuple):
    """``layers`` of ``hidden`` units on ``batch`` sequences of ``steps`` steps and ``features`` features."""

    name: str
    hidden: int
    layers: int
    batch: int
    steps: int
    features: int


CASES = (
    Case("TimeGAN", 24, 3, 128, 24, 6),
    Case("RCGAN", 100, 1, 28, 30, 1),
    Case("C-RNN-GAN's D, one way", 350, 2, 20, 100, 3),
    Case("recurrent", 32, 2, 128, 24, 5),
)


def timed(ways: list[Callable[[], object]]) -> list[float]:
    """Median seconds of each, called in turn."""
    taken: list[list[float]] = [[] for _ in ways]
    for way in ways:
        way()  # what happens once only
    began = time.perf_counter()
    while len(taken[0]) < LEAST or time.perf_counter() - began < SECONDS:
        for way, times in zip(ways, taken, strict=True):
            start = time.perf_counter()
            way()
            times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in taken]


def measure(case: Case, cell: str, gradient: bool) -> tuple[float, float]:
    """Sequences per second, fused and looped."""
    rnn = make_rnn(case.features, case.hidden, case.layers, cell)
    x = torch.rand(case.batch, case.steps, case.features)

    def called(forward: Callable[[], Tensor]) -> Callable[[], object]:
        def call() -> None:
            with torch.set_grad_enabled(gradient):
                y = forward()
                if gradient:
                    y.sum().backward()

        return call

    fused, looped = timed([called(lambda: rnn(x)[0]), called(lambda: reference_rnn(rnn, x))])
    return case.batch / fused, case.batch / looped


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    table = Table("size", "cell", "timed", "fused /s", "loop /s", "ratio", title=f"torch {torch.__version__}, one CPU thread")
    for case in CASES:
        for cell in ("gru", "lstm"):
            for gradient in (False, True):
                fused, looped = measure(case, cell, gradient)
                name = f"{case.name}: {case.layers} x {case.hidden}, B {case.batch}, T {case.steps}"
                timing = "forward and gradient" if gradient else "forward"
                table.add_row(name, cell, timing, f"{fused:,.0f}", f"{looped:,.0f}", f"{fused / looped:.2f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
