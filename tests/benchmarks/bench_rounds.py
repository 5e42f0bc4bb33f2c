"""Time of a round beside a loop written by hand, beside torchgan and torch-mimicry, and beside the machine's own rate.

    make bench                  # all rows, written into docs/performance.md
    make bench ROWS=ring,ddpm   # some of them, printed only

One thread. A row plays blocks of rounds of every implementation in turn, so that whatever else the machine does meets all of
them. The processor's time is counted, and the medians of the ratios of neighbouring blocks are shown, each with its standard
error. A run of this package is played by ``training.command.train`` with all callbacks; it measures no metric, draws no
picture and saves no checkpoint meanwhile. Every tenth round is logged, which includes an estimate on held-out data.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from rich.console import Console
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks import peers
from benchmarks.bare_loops import Round, bare_round, shuffled
from benchmarks.pages import table, write

from gan_cli.config.compose import compose, loader
from gan_cli.runs import machine
from gan_cli.training.command import train
from gan_cli.training.run import Run

GAMES = {
    "ring": ["dataset=ring", "loss=wgan_gp"],
    "ring_fused": ["dataset=ring", "loss=wgan_gp", "+optimizer.fused=true"],
    "dcgan": [],
    "wgan_gp": ["loss=wgan_gp"],
    "sngan_small": ["experiment=sngan_small"],
    "ddpm": ["experiment=ddpm"],
}
ALONE = ["metric=none", "logger=none", "eval_every=0", "sample_every=0", "checkpoint_every=0"]
"""Words that leave out what a bare loop has none of."""
LOG_EVERY = 10
LEAST, MOST = 5, 60
"""Bounds of the number of blocks that count."""
OURS, UNLOGGED, BARE = "gan-cli", "gan-cli without its logged rounds", "bare loop"


@dataclass
class Blocks:
    """Times of blocks of rounds. Called at the beginning of each round of this package, it plays the others' blocks.

    Args:
        others: Round of each other implementation by name.
        rounds: Number of rounds in a block.
    """

    others: Mapping[str, Round]
    rounds: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    began: float = 0.0

    def __call__(self, step: int) -> None:
        played = (step - 1) % self.rounds
        if played and played == self.rounds - 1:  # the last round of a block is a logged one
            self.note(UNLOGGED, self.began, played)
        if played:
            return
        if step > 1:
            self.note(OURS, self.began, self.rounds)
        for name, play in self.others.items():
            start = time.process_time()
            for one in range(step, step + self.rounds):
                play(one)
            self.note(name, start, self.rounds)
        self.began = time.process_time()

    def note(self, name: str, start: float, rounds: int) -> None:
        """Note the seconds of each of the rounds since ``start``."""
        self.seconds.setdefault(name, []).append((time.process_time() - start) / rounds)

    def ratio(self, a: str, b: str) -> str:
        """Return the time of ``a`` over that of ``b``: the median over blocks ± its standard error, without the first block."""
        ratios = [x / y for x, y in list(zip(self.seconds[a], self.seconds[b], strict=False))[1:]]
        middle = statistics.median(ratios)
        spread = 1.4826 * statistics.median(abs(ratio - middle) for ratio in ratios)
        return f"{middle:.3f} ± {1.2533 * spread / len(ratios) ** 0.5:.3f}"

    def median(self, name: str) -> float:
        """Return the median seconds of a round."""
        return statistics.median(self.seconds[name][1:])


class Flops(TorchDispatchMode):
    """Counts operations by torch's own table; its counter fails in modules whose gradient is differentiated again."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if count := flop_registry.get(func._overloadpacket):
            self.total += count(*args, **(kwargs or {}), out_val=result)
        return result


def flops(call: Callable[[], object]) -> int:
    """Return the floating-point operations of products and convolutions in ``call``."""
    with Flops() as counter:
        call()
    return counter.total


def rates() -> tuple[float, float]:
    """Return the machine's FLOP per second in a large matrix product and in a large convolution, at their best."""
    a, x, w = torch.randn(1024, 1024), torch.randn(64, 128, 16, 16), torch.randn(128, 128, 3, 3)
    best = []
    for call in (lambda: a @ a, lambda: F.conv2d(x, w, padding=1)):
        count, seconds = flops(call), []
        for _ in range(20):
            start = time.process_time()
            call()
            seconds.append(time.process_time() - start)
        best.append(count / min(seconds))
    return best[0], best[1]


def built(words: list[str], folder: str) -> Run:
    """Return a new run of this config."""
    return Run(compose(loader(), "train", [*words, *ALONE]), Path(folder))


def blocks_in(seconds: float, play: Round, rounds: int) -> int:
    """Return how many blocks of this many rounds, played by two implementations, take about ``seconds``."""
    start = time.process_time()
    play(1)
    return min(MOST, max(LEAST, round(seconds / (time.process_time() - start) / rounds / 2)))


def game_row(words: list[str], seconds: float, peak: float) -> list[str]:
    """Return the cells of a game's row, timed for about ``seconds``; ``peak`` is the machine's rate."""
    with tempfile.TemporaryDirectory() as folder:
        other = built(words, folder)
        bare = bare_round(other, shuffled(other.data.train, other.cfg.train.batch_size))
        bare(1)
        work = flops(lambda: bare(1))
        count = 2 + blocks_in(seconds, bare, LOG_EVERY)  # neither the first nor the last counts
        run = built([*words, f"log_every={LOG_EVERY}", f"train.steps={LOG_EVERY * count}"], folder)
        run.initialize_players()
        blocks, begin_round = Blocks({BARE: bare}, LOG_EVERY), run.game.begin_round

        def begin(step: int) -> None:
            blocks(step)
            begin_round(step)

        run.game.begin_round = begin
        train(run, Console(file=StringIO()))
    line = f"`gan-train {' '.join(words)}`".replace(" `", "`")
    ratios = [blocks.ratio(UNLOGGED, BARE), blocks.ratio(OURS, BARE)]
    share = 100 * work / blocks.median(UNLOGGED) / peak
    return [line, f"{1000 * blocks.median(BARE):.1f}", *ratios, f"{work / 1e9:.3g}", f"{share:.0f} %"]


def peer_row(name: str, seconds: float, peak: float) -> list[str]:
    """Return the cells of the row of another library's WGAN-GP on its own networks."""
    peer, x = peers.PEERS[name], peers.images()
    torch.manual_seed(0)
    theirs, ours, bare = (make(*peer.networks(), x) for make in (peer.round, peers.our_round, peers.bare))
    for play in (theirs, ours, bare):
        play(1)
    blocks = Blocks({name: theirs, BARE: bare}, 1)
    for step in range(1, 3 + blocks_in(seconds, ours, 1)):
        blocks(step)
        ours(step)
    share = 100 * flops(lambda: bare(1)) / blocks.median(OURS) / peak
    ratios = [blocks.ratio(name, BARE), blocks.ratio(name, OURS)]
    return [f"{name}, WGAN-GP", f"{1000 * blocks.median(name):.0f}", *ratios, f"{share:.0f} %"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Time rounds beside bare loops and other libraries.")
    parser.add_argument("--rows", default="", help="some of the rows, separated by commas: these are printed only")
    parser.add_argument("--peers", type=Path, default=Path("peers"), help="folder with torchgan and torch-mimicry, if there")
    parser.add_argument("--seconds", type=float, default=60.0, help="for which a row is timed, at least five blocks")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    found = peers.find(chosen.peers)
    wanted = chosen.rows.split(",") if chosen.rows else [*GAMES, *found]
    product, convolution = rates()
    console, games, others = Console(stderr=True), list[list[str]](), list[list[str]]()
    for name in wanted:
        if name in GAMES:
            games.append(row := game_row(GAMES[name], chosen.seconds, product))
        else:
            others.append(row := peer_row(name, chosen.seconds, product))
        console.print("  ".join(row), highlight=False)
    processor = machine.facts(torch.device("cpu"))["processor"]
    text = f"""
Measured on {processor}, torch {torch.__version__}, one thread. Its own rate is {product / 1e9:.0f} GFLOP/s
in products of matrices and {convolution / 1e9:.0f} GFLOP/s in convolutions.

"""
    if games:
        ratios = ["gan-cli over bare loop", "with its logged rounds"]
        text += table(["command", "round of a bare loop, ms", *ratios, "GFLOP", "of the matrix rate"], games)
    if others:
        titles = ["library", "round, ms", "time over bare loop", "time over gan-cli", "gan-cli, of the matrix rate"]
        text += f"\n{table(titles, others)}"
    print(text)
    if not chosen.rows:
        write("bench", text)


if __name__ == "__main__":
    main()
