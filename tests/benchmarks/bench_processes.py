"""Rounds of each model in one and in two processes: time and bytes, written into docs/performance.md.

    make bench-processes

Strong scaling: the same batch in two processes. Weak scaling: twice the batch. Each process has one thread. The medians of
rounds in turns of a few are compared, so that what else the machine does touches both alike. The bytes are those that each
process gives to sums and to batch norm in a round; the time that they take in eight processes on links of 400 GB/s is
computed, not measured: a sum over n processes moves 2 (n - 1) / n of its bytes.
"""

import os
import subprocess
import sys
import time
from statistics import median

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from pages import table, write
from torch.distributed import TCPStore

from gan_cli.build import build
from gan_cli.config.compose import compose, loader
from gan_cli.data.stream import Stream
from gan_cli.parallel.ranks import Ranks, among
from gan_cli.randomness import seed_all

MODELS = {
    "`dataset=ring loss=wgan_gp`": "dataset=ring loss=wgan_gp",
    "default DCGAN": "",
    "`loss=wgan_gp`": "loss=wgan_gp",
    "`experiment=sngan_small`": "experiment=sngan_small",
    "`experiment=r3gan_small`": "experiment=r3gan_small",
    "`experiment=ddpm`": "experiment=ddpm",
}
TURNS, SECONDS = 6, 3.0
"""Number of times that each is measured, and the time that one process takes each time."""
LINK, FAR = 400e9, 8


class Rounds:
    """The rounds of a config with a batch that is ``times`` as large."""

    def __init__(self, words: str, times: int) -> None:
        cfg = compose(loader(), "train", [*words.split(), "device=cpu"])
        cfg.train.batch_size *= times
        seed_all(0)
        self.built = build(cfg, torch.device("cpu"))
        self.stream, self.step = Stream(self.built.data.train, cfg.train.batch_size, 0), 0

    def play(self, rounds: int) -> float:
        """Play so many rounds, and return the seconds of one."""
        began = time.perf_counter()
        for _ in range(rounds):
            self.step += 1
            self.built.game.begin_round(self.step)
            self.built.solver.round(self.built.schedule(self.step), self.stream)
        return (time.perf_counter() - began) / rounds


def row(name: str, words: str, ranks: Ranks) -> list[str]:
    """Return the cells of a model."""
    ranks.pass_on(words.encode() or b" ")
    alone = Rounds(words, 1)
    with among(ranks):
        strong, weak = Rounds(words, 1), Rounds(words, 2)
    rounds = max(1, round(SECONDS / alone.play(2)))
    before = ranks.sent
    for both in (strong, weak):
        ranks.pass_on(b"1")
        both.play(1)
    sent = (ranks.sent - before) // 2
    times: dict[Rounds, list[float]] = {alone: [], strong: [], weak: []}
    for _ in range(TURNS):
        times[alone].append(alone.play(rounds))
        for both in (strong, weak):
            ranks.pass_on(str(rounds).encode())
            times[both].append(both.play(rounds))
    ranks.pass_on()
    one, halves, doubles = (median(values) for values in times.values())
    far = 2 * (FAR - 1) / FAR * sent / LINK
    return [name, f"{1e3 * one:.1f}", f"{one / halves:.2f}", f"{one / doubles:.2f}", f"{sent / 2**20:.2f}", f"{1e6 * far:.1f}"]


def main(words: list[str]) -> None:
    """Measure all models, and write the table."""
    store, ranks = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False), Ranks(0, 2)
    other = subprocess.Popen([sys.executable, __file__, "--follow", str(store.port)])
    try:
        ranks.connect(store, torch.device("cpu"))
        rows = [row(name, config, ranks) for name, config in MODELS.items() if not words or any(w in name for w in words)]
        ranks.pass_on()
    finally:
        ranks.close()
        other.wait(60)
    titles = ["", "ms per round, 1 process", "strong scaling", "weak scaling", "MiB per round", "µs at 8 × 400 GB/s"]
    print(text := table(titles, rows))
    if not words:
        write("bench-processes", text)


def follow(port: int) -> None:
    """Play what process 0 plays."""
    store, ranks = TCPStore("127.0.0.1", port, is_master=False), Ranks(1, 2)
    ranks.connect(store, torch.device("cpu"))
    while words := ranks.pass_on().decode():
        with among(ranks):
            both = [Rounds(words.strip(), times) for times in (1, 2)]
        while rounds := ranks.pass_on():
            both[0].play(int(rounds))
            both.reverse()
    ranks.close()


if __name__ == "__main__":
    torch.set_num_threads(1)
    follow(int(sys.argv[2])) if sys.argv[1:2] == ["--follow"] else main(sys.argv[1:])
