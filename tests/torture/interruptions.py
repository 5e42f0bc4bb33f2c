"""Signals at random times: to a single run, to a sweep, and to a sweep with parallel jobs."""

import json
import time
from pathlib import Path

from support.runs import differences

from torture.arena import Arena, Try
from torture.children import SIGNALS, Answer, Child, call, refusal_problem
from torture.kills import timed
from torture.oracle import EVERY, PLAIN, left_behind, reference, resume_problem, seen


def interrupt(child: Child, attempt: Try, within: float) -> list[int]:
    """Send one signal at a random time, or two within a tenth of a second; return them."""
    time.sleep(attempt.random.uniform(0, within))
    numbers = [attempt.random.choice(SIGNALS) for _ in range(attempt.random.choice((1, 1, 2)))]
    to_group = attempt.random.random() < 0.5
    for number in numbers:
        child.send(number, to_group)
        time.sleep(attempt.random.uniform(0, 0.1))
    return numbers


def ending_problem(answer: Answer, numbers: list[int], place: Path) -> str | None:
    """Return why a command has not ended as a signal asks it to; None if it has."""
    names = "+".join(number.name for number in numbers)
    if answer.code in [-number for number in numbers]:  # before it listened, and so before anything was written
        begun = any(place.rglob("step_*.pt"))
        return f"killed by {names} with checkpoints: {answer.shown()}" if begun else None
    if answer.code == 0 or answer.code in [128 + number for number in numbers]:
        if "Traceback" in answer.err:
            return f"a traceback after {names}: {answer.shown()}"
        return None
    return f"after {names}: {refusal_problem(answer) or answer.shown()}"


def single_runs(arena: Arena) -> None:
    """Stop single runs and resume them."""
    start, seconds = timed(arena.folder, "dataset=ring", EVERY)
    codes: dict[int, int] = {}

    def play(attempt: Try) -> str | None:
        run = attempt.folder / "run"
        child = Child([*start.words, f"hydra.run.dir={run}"], attempt.folder)
        numbers = interrupt(child, attempt, seconds)
        answer = child.finish()
        codes[answer.code] = codes.get(answer.code, 0) + 1
        problem = ending_problem(answer, numbers, run) or left_behind(run)
        return problem or (resume_problem(start, run, attempt.folder) if answer.code else None)

    arena.repeat(play, int(200 * arena.scale))
    arena.add("exit codes " + ", ".join(f"{code}: {count}" for code, count in sorted(codes.items())))


SEEDS = (1, 2, 3)


def sweeps(arena: Arena) -> None:
    """Stop sweeps of the basic launcher, and give the same command again."""
    _sweeps(arena, [], fresh=False, most=int(60 * arena.scale))


def parallel_sweeps(arena: Arena) -> None:
    """Stop sweeps of the joblib launcher with two jobs at a time, and give the same command again."""
    words = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    _sweeps(arena, words, fresh=True, most=int(30 * arena.scale))


def _sweeps(arena: Arena, launcher: list[str], fresh: bool, most: int) -> None:
    start = reference(arena.folder, "dataset=ring", PLAIN)
    expected = {}
    for seed in SEEDS:
        folder = arena.folder / f"seed_{seed}"
        call([*start.words, f"seed={seed}", f"hydra.run.dir={folder}"], arena.folder)
        expected[seed] = seen(folder)
    words = [*start.words, *launcher, "-m", f"seed={','.join(map(str, SEEDS))}", "hydra.sweep.dir=sweep"]
    began = time.monotonic()
    answer = call(words, arena.folder, fresh=fresh)
    assert answer.code == 0, answer.shown() + answer.out
    seconds = time.monotonic() - began

    def play(attempt: Try) -> str | None:
        folder = attempt.folder / "sweep"
        child = Child(words, attempt.folder, fresh=fresh)
        numbers = interrupt(child, attempt, seconds)
        begun = any(folder.glob("*/config.yaml"))
        answer = child.finish()
        if begun and not any(folder.glob("*/config.yaml")):
            return f"the sweep was removed: {answer.shown()}"
        if problem := ending_problem(answer, numbers, folder) or left_behind(folder):
            return problem
        again = call(words, attempt.folder, fresh=fresh)
        if again.code:
            return f"again: {again.shown()}"
        for row in json.loads((folder / "sweep.json").read_text())["jobs"]:
            seed = next(int(word.partition("=")[2]) for word in row["overrides"] if word.startswith("seed="))
            if changed := differences(expected[seed], seen(attempt.folder / row["folder"])):
                return f"seed {seed} differs at {len(changed)} places: {changed[:3]}"
        return None

    arena.repeat(play, most)
    arena.add(f"{len(SEEDS)} jobs in {seconds:.0f} s without a signal")
