"""Rounds that each job of an experiment plays in four minutes on one thread: what its fixed step counts are taken from.

    make bench-rates                  # of experiment=family
    make bench-rates EXPERIMENT=NAME

The processor's time is counted, not the clock's, so that what else the machine does matters little. Training alone is
counted: no metric, no pictures, no checkpoints.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # as the jobs of an experiment have it

import torch
from hydra.types import RunMode
from omegaconf import OmegaConf
from rich.console import Console
from rich.progress import track
from rich.table import Table

from gan_cli.config.combinations import combinations
from gan_cli.config.compose import compose, loader
from gan_cli.training import loop
from gan_cli.training.run import Run

MINUTES = 4
WARM = 3
MEASURED = 15.0  # seconds


def rate(overrides: list[str], folder: Path) -> float:
    """Rounds a second, after the first ``WARM``."""
    run = Run(compose(loader(), "train", overrides), folder)
    loop.training_loop(run.play, loop.End(WARM), [run.ema])
    step, began = WARM, time.process_time()
    while (spent := time.process_time() - began) < MEASURED:
        loop.training_loop(run.play, loop.End(step + 1), [run.ema], step)
        step += 1
    run.batches.close()
    return (step - WARM) / spent


def main(experiment: str) -> None:
    """One row for each job of the experiment's first seed."""
    torch.set_num_threads(1)
    chosen = f"experiment={experiment}"
    cfg = loader().load_configuration("train", [chosen], run_mode=RunMode.MULTIRUN)
    sweeper = OmegaConf.to_container(cfg.hydra.sweeper)
    params = {**(sweeper.get("params") or {}), "seed": "1"}
    table = Table("job", "rounds a second", f"rounds in {MINUTES} minutes")
    with tempfile.TemporaryDirectory() as folder:
        for job in track(combinations(params, sweeper.get("cases"), [chosen], loader()), transient=True):
            found = rate(job, Path(folder))
            table.add_row(" ".join(word for word in job if word != chosen), f"{found:.2f}", f"{found * 60 * MINUTES:.0f}")
    Console(width=160).print(table)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "family")
