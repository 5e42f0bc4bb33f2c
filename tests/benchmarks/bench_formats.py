"""Time of a round in each precision and memory format, beside float32 in contiguous memory.

    make bench-formats

One thread. The variants of a case play rounds in turn, so that whatever else the machine does meets all of them, and the
medians of the ratios of neighbouring rounds are shown: above 1 is faster. bf16 is left out where the device emulates it, tf32
where it has none. The last column is the choice of ``precision=auto`` and ``memory_format=auto`` here.
"""

import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import torch
from omegaconf import open_dict
from rich.console import Console
from rich.table import Table

from gan_cli import automatic
from gan_cli.build import build
from gan_cli.data.stream import Stream
from gan_cli.device import choose
from gan_cli.precision import AMPERE, computes_in
from gan_cli.randomness import seed_all
from gan_cli.types import Batch

sys.path.insert(0, str(Path(__file__).parents[1]))
from support import configs

CASES = (
    "dataset=ring loss=wgan_gp",
    "dataset=sines",
    "model=mlp",
    "",
    "loss=wgan_gp",
    "dataset.size=64 loss=wgan",
    "experiment=wgan_gp_small",
    "experiment=sngan_small",
    "experiment=r3gan_small",
    "experiment=biggan_small",
    "experiment=ebgan",
    "experiment=colourisation",
    "experiment=ddpm",
)
"""Networks of every kind, by their words on the command line."""
ROUNDS = 12
"""Rounds of each variant."""
FIRST = 1001
"""The first round, beyond those in which WGAN warms its critic up."""
FORMATS = ("contiguous", "channels_last")


class Variant:
    """A run in one precision and memory format, and the seconds of its rounds."""

    def __init__(self, words: str, precision: str = "fp32", memory_format: str = "contiguous") -> None:
        cfg = configs.compose(words)
        with open_dict(cfg):
            cfg.precision, cfg.memory_format = precision, memory_format
        device = choose(cfg.device)
        seed_all(0)
        self.parts, self.name = build(cfg, device), f"{precision}, {memory_format}"
        self.batches = Stream(self.parts.data.train, cfg.train.batch_size, 0, device, memory_format=memory_format)
        self.seconds: list[float] = []

    def play(self, step: int, batches: Iterator[Batch] | None = None) -> None:
        """Play a round, on the run's own batches or on these, and note its time."""
        order = self.parts.schedule(step)
        start = time.perf_counter()
        self.parts.solver.round(order, batches or self.batches)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds.append(time.perf_counter() - start)


def in_turn(variants: Sequence[Variant], rounds: int = ROUNDS) -> None:
    """Play rounds of all variants in turn."""
    for step in range(FIRST, FIRST + rounds):
        for variant in variants:
            variant.play(step)


def precisions_here() -> list[str]:
    """Return the precisions that the best device here computes in."""
    device = choose("auto")
    tf32 = ["tf32"] if device.type == "cuda" and torch.cuda.get_device_capability(device) >= AMPERE else []
    return ["fp32", *tf32, *(["bf16"] if computes_in(device, torch.bfloat16) else [])]


def ratios(words: str, precisions: Sequence[str]) -> dict[str, float]:
    """Return the speed of each variant relative to the first one."""
    variants = [Variant(words, *one) for one in product(precisions, FORMATS)]
    in_turn(variants)
    first = variants[0].seconds
    found = {}
    for variant in variants:
        variant.batches.close()
        pairs = list(zip(first, variant.seconds, strict=True))[2:]
        found[variant.name] = statistics.median(before / now for before, now in pairs)
    return found


def chosen(words: str) -> str:
    """Return what ``auto`` stands for here."""
    cfg = configs.compose(words)
    with open_dict(cfg):
        cfg.precision = cfg.memory_format = "auto"
    automatic.settle(cfg)
    return f"{cfg.precision}, {cfg.memory_format}"


def main(cases: Sequence[str]) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    precisions = precisions_here()
    table = Table(title="speed of a round, float32 in contiguous memory = 1")
    for heading in ("words", *(f"{one}, {form}" for one, form in product(precisions, FORMATS)), "auto"):
        table.add_column(heading)
    for words in cases:
        found = ratios(words, precisions)
        auto = chosen(words)
        table.add_row(words or "the defaults", *(f"{ratio:.2f}" for ratio in found.values()), f"{auto}: {found[auto]:.2f}")
        print(words or "the defaults", found, auto, file=sys.stderr, flush=True)
    Console(width=160).print(table)


if __name__ == "__main__":
    main(sys.argv[1:] or CASES)
