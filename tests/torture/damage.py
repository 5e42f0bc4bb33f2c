"""Single flipped bits and truncations of every file of a run, and of the image cache."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from support.runs import differences

from gan_cli.errors import UserError
from gan_cli.runs import checkpoint
from torture.arena import Arena, Try
from torture.children import call, refusal_problem
from torture.oracle import PLAIN, left_behind, reference, resumed, stopped_run, unequal


def damage(path: Path, draw: random.Random) -> str:
    """Flip one bit of a file, or cut its end off; return a description."""
    content = bytearray(path.read_bytes())
    place = draw.randrange(len(content))
    if draw.random() < 0.7:
        bit = draw.randrange(8)
        content[place] ^= 1 << bit
        said = f"bit {bit} of byte {place} flipped"
    else:
        del content[place:]
        said = f"cut to {place} bytes"
    path.write_bytes(content)
    return f"{path.name}: {said}"


def checkpoint_bytes(arena: Arena) -> None:
    """Read damaged checkpoints: each is refused or has the same content."""
    start = reference(arena.folder, "dataset=ring", PLAIN)
    good = checkpoint.path_of(start.folder, 12)
    state = checkpoint.load(good)
    refused = 0

    def play(attempt: Try) -> str | None:
        nonlocal refused
        path = attempt.folder / good.name
        shutil.copy(good, path)
        said = damage(path, attempt.random)
        try:
            found = checkpoint.load(path)
        except UserError:
            refused += 1
            return None
        changed = differences(state, found)
        return f"{said}: read without an error, and differs at {changed[:3]}" if changed else None

    arena.repeat(play, int(2000 * arena.scale))
    arena.add(f"{refused} refused, the others unchanged in content")


IGNORED = {"events": ("curves",), "metrics": ("numbers", "curves", "result")}
"""The parts that a damaged file of logged numbers may change, if that is said."""


def run_files(arena: Arena) -> None:
    """Damage one file of a stopped run, then resume, sample from or report it."""
    start = reference(arena.folder, "dataset=ring", PLAIN)
    good = stopped_run(start, arena.folder)
    names = sorted(str(path.relative_to(good)) for path in good.rglob("*") if path.is_file() and path.stat().st_size)
    names = [name for name in names if not name.endswith((".png", ".log"))]
    unseen, refused = 0, 0

    def play(attempt: Try) -> str | None:
        nonlocal unseen, refused
        run = shutil.copytree(good, attempt.folder / "run")
        name = names[attempt.number % len(names)]
        before = _rows(run)
        said = damage(run / name, attempt.random)
        if attempt.random.random() < 0.2:
            words = attempt.random.choice([["gan-sample", "run", "n=2"], ["gan-report", "run"]])
            problem = refusal_problem(call(words, attempt.folder))
            return f"{said}: {problem}" if problem else None
        answer = resumed(start, run, attempt.folder)
        if problem := refusal_problem(answer):
            return f"{said}: {problem}"
        if answer.code == 2:
            refused += 1
            return None
        kind = "events" if "tfevents" in name else Path(name).stem
        is_said = "warning" in answer.err or kind == "events"
        if kind == "metrics" and not is_said and _rows_changed(before, run, attempt.folder):
            unseen += 1
            is_said = True
        problem = unequal(start, run, IGNORED.get(kind, ()) if is_said else ()) or left_behind(run)
        return f"{said}: {problem}" if problem else None

    arena.repeat(play, int(150 * arena.scale))
    arena.add(f"{refused} refused; {unseen} changed digits in metrics.jsonl, a text without checksums, taken as they are")


def _rows(run: Path) -> list[str]:
    return (run / "metrics.jsonl").read_text().splitlines()


def _rows_changed(before: list[str], run: Path, place: Path) -> bool:
    """Return True if a row of before is still a row, of the same step, with another number or tag in it."""
    after = {row["step"]: row for row in map(json.loads, _rows(run))}
    return any(json.loads(row) != after.get(json.loads(row)["step"]) for row in before)


def images(folder: Path, n: int = 24) -> Path:
    """Write ``n`` small images in two classes."""
    random = np.random.default_rng(0)
    for number in range(n):
        path = folder / "ab"[number % 2] / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (12, 12), np.uint8)).save(path)
    return folder


def image_words(folder: Path) -> str:
    """Return the overrides of a small run on a folder of images."""
    return f"dataset=image_folder dataset.root={folder} model=dcgan_tiny metric=none"


def image_cache(arena: Arena) -> None:
    """Damage the image cache before a run that uses it."""
    place = arena.folder
    root = images(place / "images")
    start = reference(place, image_words(root), f"{PLAIN} dataset.cache_dir=cache")
    outcomes = {"equal": 0, "refused": 0}

    def play(attempt: Try) -> str | None:
        copy = shutil.copytree(place / "cache", attempt.folder / "cache")
        files = sorted(path for path in copy.rglob("*") if path.is_file() and path.stat().st_size)
        said = damage(attempt.random.choice(files), attempt.random)
        run = attempt.folder / "run"
        answer = call([*start.words, f"hydra.run.dir={run}"], attempt.folder)
        if problem := refusal_problem(answer):
            return f"{said}: {problem}"
        if answer.code == 2:
            outcomes["refused"] += 1
            return None
        outcomes["equal"] += 1
        problem = unequal(start, run)
        return f"{said}: trained on it, {problem}" if problem else None

    arena.repeat(play, int(60 * arena.scale))
    arena.add(f"{outcomes['refused']} refused, {outcomes['equal']} rebuilt or harmless")
