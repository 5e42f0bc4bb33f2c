"""The sweep: sent, preempted twice, left, taken up again, and compared with runs that nothing disturbs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.runs import differences, outcome

from slurm.daemons import missing, running

EXPERIMENT = """# @package _global_
defaults:
  - override /dataset: ring
  - override /loss: wgan_gp
train: {{steps: {steps}}}
"""
STEPS, EARLY = 300, 20
"""Rounds of each run, and those that a run has logged before it is preempted."""
LONGEST = 900
"""Seconds for which anything is awaited."""
TRAIN = [sys.executable, "-c", "import sys; from gan_cli.cli.main import gan_train; sys.exit(gan_train())"]
WORDS = ["-m", "--config-dir", "own", "experiment=small", "seed=1,2,3,4", "metric=none", "precision=fp32", "device=cpu"]
WORDS += ["memory_format=contiguous", "log_every=10", "eval_every=0", "sample_every=0", "checkpoint_every=1000"]
SLURM = ["hydra/launcher=submitit_slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.timeout_min=60"]
BEGAN = time.monotonic()


def say(text: str) -> None:
    """Print a line of the protocol, with the seconds since the beginning."""
    print(f"{time.monotonic() - BEGAN:5.0f} s  {text}", flush=True)


def until(what: str, happened: Callable[[], Any]) -> Any:
    """Wait until ``happened`` returns something, and return it."""
    deadline = time.monotonic() + LONGEST
    while not (found := happened()):
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {LONGEST} s")
        time.sleep(0.05)
    return found


def read(path: Path) -> Any:
    """Return the content of a JSON file, None if there is none."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def logged(run: Path) -> int:
    """Return the last step that a run has logged, 0 before the first."""
    rows = (run / "metrics.jsonl").read_text().splitlines() if (run / "metrics.jsonl").is_file() else []
    return int(json.loads(rows[-1])["step"]) if rows else 0


def write_experiment(place: Path, steps: int) -> None:
    """Write the option that the sweep is made of."""
    path = place / "own" / "experiment" / "small.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(EXPERIMENT.format(steps=steps))


def slurm(*command: str) -> str:
    """Run one of Slurm's commands and return what it prints."""
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode:
        raise SystemExit(f"{' '.join(command)}: {answer.stderr.strip()}")
    return answer.stdout.strip()


@contextmanager
def sending(place: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield the process that sends the sweep; what it prints comes from its standard output."""
    words = [*TRAIN, *WORDS, *SLURM, "hydra.sweep.dir=s"]
    with subprocess.Popen(words, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def preempt(run: Path, status: str, *command: str) -> None:
    """Preempt the job of a run once the run is under way, and wait until it has saved its last round."""
    until(f"{run.name} is under way", lambda: logged(run) >= EARLY)
    say(" ".join(command))
    # scancel goes on for a minute and a half after the job has ended; another job would be finished by then
    subprocess.Popen(command, stderr=subprocess.DEVNULL)
    result = until(f"{run.name} saves", lambda: (found := read(run / "result.json")) and found["status"] == status and found)
    say(f"{run.name} has saved step {result['step']}: {result['reason'].partition(' Continue')[0]}")


def play(place: Path) -> list[str]:
    """Send, preempt, leave and take up the sweep; return what is wrong."""
    sweep, problems = place / "s", []
    runs = [sweep / f"seed-{seed}" for seed in (1, 2, 3, 4)]
    write_experiment(place, STEPS)
    with sending(place) as sender:
        numbers = until("the jobs are sent", lambda: read(sweep / ".submitit" / "sent.json"))
        say(f"sent {numbers}")
        until("two jobs run", lambda: slurm("squeue", "--array", "--noheader", "--format=%T").split().count("RUNNING") == 2)
        say("; ".join(slurm("squeue", "--array", "--noheader", "--format=%i %T %N").splitlines()))
        until("both have begun", lambda: all((run / "config.yaml").is_file() for run in runs[:2]))
        write_experiment(place, 7)
        say("the experiment's yaml is edited: train.steps=7")
        preempt(runs[0], "requeue", "scancel", "--signal=USR2", numbers["seed-1"])
        preempt(runs[1], "stopped", "scontrol", "requeue", numbers["seed-2"])
        sender.send_signal(signal.SIGINT)
        said, _ = sender.communicate(timeout=LONGEST)
        say(f"the sender is interrupted, exit code {sender.returncode}")
        print(said)
        problems += [f"exit code {sender.returncode} after SIGINT"] * (sender.returncode != 130)
    until("the other jobs have begun", lambda: all(logged(run) for run in runs))
    write_experiment(place, STEPS)
    say("all four jobs have begun; the yaml is as it was, and the same line is sent again")
    with sending(place) as sender:
        said, _ = sender.communicate(timeout=LONGEST)
        say(f"the sender has ended, exit code {sender.returncode}")
        print(said)
        problems += [f"exit code {sender.returncode} at the end"] * (sender.returncode != 0)
    problems += [f"{run.name} was sent twice" for run in runs if read(sweep / ".submitit" / "sent.json") != numbers][:1]
    for log in sorted(sweep.glob(".submitit/*/*.out")):
        again = [line for line in log.read_text().splitlines() if line.startswith("continuing at step")]
        say(f"{log.parent.name}: {again[-1] if again else 'was not preempted'}")
    say("the same four runs, without Slurm and undisturbed")
    plain = ["hydra.sweep.dir=plain", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    subprocess.run([*TRAIN, *WORDS, *plain], cwd=place, stdout=subprocess.DEVNULL, check=True)
    for run in runs:
        found = differences(outcome(place / "plain" / run.name), outcome(run))
        say(f"{run.name}: step {logged(run)}, {f'{len(found)} differences' if found else 'equal to the bit'}")
        problems += [f"{run.name} differs: {', '.join(sorted(found)[:4])}"] * bool(found)
    return problems + play_together(place)


def play_together(place: Path) -> list[str]:
    """Send a job of two tasks on two nodes, which compute one run; return what is wrong."""
    say("one job of two tasks, one on each node")
    few = [word for word in WORDS if not word.startswith("seed=")]
    words = [
        *TRAIN,
        *few,
        *SLURM,
        "seed=1",
        "train.steps=100",
        "hydra.launcher.nodes=2",
        "hydra.sweep.dir=two",
        "hydra.sweep.subdir=run",
    ]
    subprocess.run(words, cwd=place, stdout=subprocess.DEVNULL)
    result = read(place / "two" / "run" / "result.json") or {}
    facts = (place / "two" / "run" / "environment.json").read_text() if result else ""
    say(f"{result.get('status')} at step {result.get('step')}; {'2 processes' if '2 processes' in facts else facts}")
    return [] if result.get("status") == "finished" and "2 processes" in facts else ["the job of two tasks"]


def main() -> int:
    """Start Slurm, play, and return the exit code."""
    if lacks := missing():
        print(f"skipped: {lacks}")
        return 0
    place = Path(tempfile.mkdtemp(prefix="slurm-"))
    os.environ |= {"OMP_NUM_THREADS": "1", "GAN_CLI_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}
    with running(place / "cluster") as version:
        say(f"{version}: slurmctld and two slurmd with one CPU each, in {place}")
        problems = play(place)
    say("failed: " + "; ".join(problems) if problems else "as it should be")
    if not problems:
        shutil.rmtree(place)
    return bool(problems)
