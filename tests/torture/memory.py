"""Long runs: memory and files stay flat, and a run without enough memory says so."""

import re
import resource
import time
from pathlib import Path

from torture.arena import Arena, Try
from torture.children import Child, call, refusal_problem
from torture.oracle import left_behind, small_words

SLACK = 16.0
"""MiB that the last quarter of a run may hold beyond its second quarter."""
LONG = "log_every=100 eval_every=0 sample_every=0 checkpoint_every=1000 keep_checkpoints=2"
ROUNDS = {"game=dirac_gan": 100_000, "dataset=ring": 20_000}


def flat(arena: Arena) -> None:
    """Sample the memory of long runs; count their files."""
    shares: list[str] = []

    def play(attempt: Try, overrides: str) -> str | None:
        words = [*small_words(overrides, f"{LONG} train.steps={ROUNDS[overrides]}"), "hydra.run.dir=run"]
        child = Child(words, attempt.folder)
        samples: dict[int, list[float]] = {}
        child.wait_for(lambda: _sample(child.pid, attempt.folder / "run", samples), max(60.0, arena.seconds / len(ROUNDS)))
        answer = child.finish(timeout=1.0)
        reached = max(samples, default=0)
        if answer.code and not answer.timed_out:
            return answer.shown()
        quarters = [[v for step, held in samples.items() if _within(step, reached, part) for v in held] for part in range(4)]
        if not all(quarters):
            return f"only {len(samples)} samples until step {reached}"
        middle, last = (sum(held) / len(held) for held in (quarters[1], quarters[3]))
        shares.append(f"{overrides}: {middle:.1f} and {last:.1f} MiB by round {reached} of {ROUNDS[overrides]}")
        if last > middle + SLACK:
            return f"{overrides}: {middle:.1f} MiB in the second quarter, {last:.1f} MiB in the last"
        return files_problem(attempt.folder / "run", reached)

    arena.over(list(ROUNDS), play)
    for share in shares:
        arena.add(share)


def _within(step: int, reached: int, quarter: int) -> bool:
    return reached * quarter / 4 <= step < reached * (quarter + 1) / 4 + (quarter == 3)


def _sample(pid: int, run: Path, samples: dict[int, list[float]]) -> bool:
    """Note the private memory of a process in MiB under the step that its run has reached; never ends the wait."""
    path = run / "metrics.jsonl"
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        step = 100 * path.read_bytes().count(b"\n")
    except OSError:
        return False
    if step and (found := re.search(r"RssAnon:\s+(\d+) kB", status)):
        samples.setdefault(step, []).append(int(found[1]) / 1024)
    time.sleep(0.2)
    return False


def files_problem(run: Path, steps: int) -> str | None:
    """Return why the files of a run are not bounded; None if they are."""
    files = [path for path in run.rglob("*") if path.is_file()]
    checkpoints = [path for path in files if path.suffix == ".pt"]
    per_row = sum(path.stat().st_size for path in files if path not in checkpoints and path.suffix != ".png") / max(
        1, steps / 100
    )
    if len(checkpoints) > 3 or len(files) > 30 or per_row > 4000:
        return f"{len(files)} files, {len(checkpoints)} checkpoints, {per_row:.0f} bytes per logged row"
    return None


def limit_to(more: int) -> None:
    """Let this process take ``more`` MiB beyond the memory that it holds."""
    status = Path("/proc/self/status").read_text()
    limit = (int(re.search(r"VmData:\s+(\d+) kB", status)[1]) >> 10) + more
    resource.setrlimit(resource.RLIMIT_DATA, (limit << 20, limit << 20))


def too_little(arena: Arena) -> None:
    """Train with a memory limit that is too low: one message, nothing half-written."""

    def play(attempt: Try) -> str | None:
        batch = attempt.random.choice((10**6, 10**7, 10**8))
        words = [*small_words("dataset=ring", "train.steps=3 metric=none"), f"train.batch_size={batch}", "hydra.run.dir=run"]
        more = attempt.random.randint(100, 400)
        answer = call(words, attempt.folder, lambda: limit_to(more))
        problem = refusal_problem(answer) or left_behind(attempt.folder / "run")
        return f"{more} MiB more than at its start, batch {batch}: {problem}" if problem else None

    arena.repeat(play, int(8 * arena.scale))
