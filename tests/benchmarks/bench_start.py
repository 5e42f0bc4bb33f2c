"""Processor time from the start of the program to the end of a run's first round, beside torch's own start.

    make bench-start

Everything runs in new processes on one thread. torch's own start is `import torch` and the construction of an optimizer, which
imports torch's compiler. Each row is measured right after torch's own start, ``--repeats`` times; medians are written into
docs/performance.md. Commands that play no round are measured to their end.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.pages import table, write

ROOT = Path(__file__).parents[2]
SPENT = "import sys, time; print(f'seconds {time.process_time()}', file=sys.stderr, flush=True)"
TORCH = f"import torch; torch.optim.Adam([torch.nn.Parameter(torch.zeros(2))]); {SPENT}"
FIRST_ROUND = f"""
import os
from gan_cli.cli.main import gan_train
from gan_cli.training.run import Run

play = Run.play

def first(run, step):
    play(run, step)
    {SPENT}
    os._exit(0)

Run.play = first
gan_train()
"""
COMMAND = f"""
import sys
from gan_cli.cli import main

getattr(main, sys.argv.pop(1))()
{SPENT}
"""
TRAINED = "gan-train metric=none"
ROUNDS = ["gan-train metric=none logger=none", TRAINED, "gan-train dataset=ring metric=none"]
OTHERS = ["gan-sample RUN", "gan-report RUN", "gan-runs", "gan-train --help", "gan-train --help loss"]
"""Commands on a run of ``TRAINED``."""


def seconds(program: str, words: list[str], folder: Path) -> float:
    """Return the processor time that a new process reports."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, *words]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    spent = [line.split()[1] for line in ended.stderr.splitlines() if line.startswith("seconds ")]
    if not spent:
        raise SystemExit(f"{' '.join(words)}: {ended.stderr}")
    return float(spent[-1])


def measured(line: str, folder: Path, repeats: int) -> list[str]:
    """Return the cells of a row: the command, its seconds, those of torch's own start, and the difference."""
    name, *words = line.replace("RUN", "run").split()
    program, words = (FIRST_ROUND, words) if line in ROUNDS else (COMMAND, [name.replace("-", "_"), *words])
    pairs = [(seconds(program, words, folder), seconds(TORCH, [], folder)) for _ in range(repeats)]
    ours, torch = (statistics.median(values) for values in zip(*pairs, strict=True))
    more = statistics.median(a - b for a, b in pairs)
    what = "to its first round" if line in ROUNDS else "to its end"
    return [f"`{line}`, {what}", f"{ours:.2f}", f"{torch:.2f}", f"{more:+.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the start of the commands beside torch's own.")
    parser.add_argument("--repeats", type=int, default=7, help="processes of each kind in a row")
    parser.add_argument("--print", action="store_true", help="print the table, and leave docs/performance.md as it is")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        seconds(COMMAND, ["gan_train", *TRAINED.split()[1:], "train.steps=1", "hydra.run.dir=run"], folder)
        rows = [measured(line, folder, chosen.repeats) for line in (*ROUNDS, *OTHERS)]
    titles = ["command", "seconds", "torch's own start", "difference"]
    print(text := table(titles, rows))
    if not chosen.print:
        write("bench-start", text)


if __name__ == "__main__":
    main()
