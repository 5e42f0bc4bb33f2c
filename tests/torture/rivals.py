"""Two processes on one run, one sweep or one cache, and data that vanishes while it is trained on."""

import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from torture.arena import Arena, Try
from torture.children import Answer, Child, refusal_problem
from torture.damage import image_words, images
from torture.oracle import PLAIN, left_behind, reference, resume_problem, stopped_run, unequal


def both(first: Sequence[str], second: Sequence[str], attempt: Try, within: float = 3.0) -> list[Answer]:
    """Run two commands at the same time, the second one a random moment later."""
    children = [Child(first, attempt.folder)]
    time.sleep(attempt.random.choice((0, attempt.random.uniform(0, within))))
    children.append(Child(second, attempt.folder))
    return [child.finish() for child in children]


def judged(answers: list[Answer]) -> str | None:
    """Return why two answers are not one success and one success or refusal; None if they are."""
    problems = [problem for answer in answers if (problem := refusal_problem(answer))]
    if not problems and all(answer.code for answer in answers):
        problems = [f"both refused: {' & '.join(answer.shown() for answer in answers)}"]
    return "; ".join(problems) or None


def one_run(arena: Arena) -> None:
    """Start a run twice in one folder, or resume it twice."""
    start = reference(arena.folder, "dataset=ring", PLAIN)
    stopped = stopped_run(start, arena.folder)

    def play(attempt: Try) -> str | None:
        run = attempt.folder / "run"
        if attempt.random.random() < 0.5:
            shutil.copytree(stopped, run)
            words = ["gan-train", f"resume={run}"]
        else:
            words = [*start.words, f"hydra.run.dir={run}"]
        return judged(both(words, words, attempt)) or unequal(start, run) or left_behind(run)

    arena.repeat(play, int(30 * arena.scale))


def one_sweep(arena: Arena) -> None:
    """Start a sweep twice in one folder: all of its jobs are finished at the end, each as it would be alone."""
    start = reference(arena.folder, "dataset=ring", PLAIN)
    words = [*start.words, "-m", "seed=0,1", "hydra.sweep.dir=sweep"]

    def play(attempt: Try) -> str | None:
        if problem := judged(both(words, words, attempt)):
            return problem
        jobs = json.loads((attempt.folder / "sweep" / "sweep.json").read_text())["jobs"]
        if [job["status"] for job in jobs] != ["finished", "finished"]:
            return f"not finished: {jobs}"
        [run] = [attempt.folder / job["folder"] for job in jobs if "seed=0" in job["overrides"]]
        return unequal(start, run) or left_behind(attempt.folder / "sweep")

    arena.repeat(play, int(15 * arena.scale))


def one_cache(arena: Arena) -> None:
    """Start two runs on one empty image cache: both train."""
    root = images(arena.folder / "images")
    start = reference(arena.folder, image_words(root), f"{PLAIN} dataset.cache_dir=cache")

    def play(attempt: Try) -> str | None:
        words = [[*start.words, f"hydra.run.dir={attempt.folder / name}"] for name in ("one", "two")]
        answers = both(*words, attempt, within=1.0)
        if any(answer.code for answer in answers):
            return "; ".join(answer.shown() for answer in answers)
        return unequal(start, attempt.folder / "one") or unequal(start, attempt.folder / "two")

    arena.repeat(play, int(15 * arena.scale))


def vanishing_data(arena: Arena) -> None:
    """Remove or cut images while a run decodes them on the fly, put them back, and resume."""
    root = images(arena.folder / "images")
    data = arena.folder / "data"
    shutil.copytree(root, data)
    start = reference(arena.folder, image_words(data), f"{PLAIN} dataset.cache=false")
    shutil.rmtree(data)

    def play(attempt: Try) -> str | None:
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(root, data)
        run = attempt.folder / "run"
        child = Child([*start.words, f"hydra.run.dir={run}"], attempt.folder)
        moment = attempt.random.randint(0, 12)
        child.wait_for(lambda: logged(run) >= moment)
        harm(data, attempt)
        answer = child.finish()
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(root, data)
        problem = refusal_problem(answer) or left_behind(run)
        return problem or (unequal(start, run) if answer.code == 0 else resume_problem(start, run, attempt.folder))

    arena.repeat(play, int(30 * arena.scale))


def logged(run: Path) -> int:
    """Return the step of the last whole row of ``metrics.jsonl``, or -1."""
    path = run / "metrics.jsonl"
    rows = path.read_bytes().count(b"\n") if path.exists() else 0
    return 4 * rows if rows else -1


def harm(data: Path, attempt: Try) -> None:
    """Remove the folder, or some of its files, or cut them short."""
    kind = attempt.random.choice(("folder", "files", "cut", "empty"))
    if kind == "folder":
        shutil.rmtree(data)
        return
    for path in sorted(data.rglob("*.png")):
        if attempt.random.random() < 0.5:
            if kind == "files":
                path.unlink()
            else:
                os.truncate(path, 0 if kind == "empty" else path.stat().st_size // 2)
