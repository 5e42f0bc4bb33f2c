"""The oracle of all rows: a resumed run equals the uninterrupted one, and nothing half-written is left behind."""

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import configs
from support.runs import differences, outcome
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_cli.build import uses
from torture.children import Answer, call, refusal_problem

logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it reports every resumed run

GAMES = {
    "dirac_gan": "game=dirac_gan",
    "ring": "dataset=ring loss=wgan_gp",
    "images": "model=dcgan_tiny metric=sliced_wasserstein",
    "cgan": "game=cgan metric=sliced_wasserstein",
    "timegan": "game=timegan dataset=sines metric=marginals",
    "ddpm": "game=ddpm dataset=swiss_roll model/denoiser=mlp",
}
"""Six kinds of games: two numbers, points, images, labels, sequences in phases, a single player."""
EVERY = "train.steps=24 log_every=3 eval_every=8 sample_every=12 checkpoint_every=6"
"""Callbacks of all kinds in a short run."""
SHORT = "train.steps=12 log_every=4 sample_every=0 checkpoint_every=4"
PLAIN = f"{SHORT} eval_every=0"
"""Rows and checkpoints alone, in a run of which many are played."""
BEST = f"{SHORT} eval_every=6 keep_checkpoints=2 keep_best=1 optimizer.lr=0.1"
"""A run whose metric is best at step 6: that checkpoint is written by itself, and stays beside the newest two."""


@dataclass(frozen=True)
class Reference:
    """An uninterrupted run: the words that started it, its outcome, its folder and its seconds."""

    words: list[str]
    expected: dict[str, Any]
    folder: Path
    seconds: float


def small_words(overrides: str, values: str = EVERY) -> list[str]:
    """Return the words of a run with these overrides that is as small as the tests have it."""
    cfg = configs.compose(overrides)
    idle = tuple(f"{group.replace('/', '.')}." for group, is_used in uses(cfg).items() if not is_used)
    small = [
        f"{node._get_full_key(key)}={str(value).replace(' ', '')}"
        for pattern, value in configs.SMALL.items()
        for node, key in configs._matching(cfg, pattern.split("."))
    ]
    used = [word for word in small if not word.startswith(idle)]
    return ["gan-train", *overrides.split(), *used, *values.split(), "device=cpu"]


def reference(place: Path, overrides: str, values: str = EVERY) -> Reference:
    """Train a run without interruption in ``place/reference``."""
    folder = place / "reference"
    shutil.rmtree(folder, ignore_errors=True)
    words = small_words(overrides, values)
    place.mkdir(parents=True, exist_ok=True)
    answer = call([*words, f"hydra.run.dir={folder}"], place)
    assert answer.code == 0, answer.shown()
    return Reference(words, seen(folder), folder, json.loads((folder / "result.json").read_text())["seconds"])


def seen(folder: Path, curves: bool = True) -> dict[str, Any]:
    """Return all that must be equal: state, logged numbers, result, pictures, and the curves as TensorBoard shows them."""
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    if curves:
        found.Reload()
    tags = found.Tags()["scalars"] if curves else []
    shown = {tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in tags if not tag.startswith("time/")}
    return {**outcome(folder), **({"curves": shown} if curves else {})}


def resumed(start: Reference, folder: Path, cwd: Path) -> Answer:
    """Continue the run in ``folder``, or start it there if it has not begun."""
    begun = (folder / "config.yaml").is_file()
    return call(["gan-train", f"resume={folder}"] if begun else [*start.words, f"hydra.run.dir={folder}"], cwd)


def resume_problem(start: Reference, folder: Path, cwd: Path) -> str | None:
    """Return why the run in ``folder`` cannot be continued to the outcome of the uninterrupted one; None if it can."""
    answer = resumed(start, folder, cwd)
    return answer.shown() if answer.code else refusal_problem(answer) or unequal(start, folder) or left_behind(folder)


def unequal(start: Reference, folder: Path, ignore: Sequence[str] = ()) -> str | None:
    """Return where the finished run in ``folder`` differs from the uninterrupted one; None if nowhere."""
    found = differences(start.expected, seen(folder))
    found = [path for path in found if path.split(".")[1].partition("[")[0] not in ignore]
    return f"unequal at {len(found)} places: {', '.join(sorted(found)[:4])}" if found else None


def left_behind(folder: Path) -> str | None:
    """Return the names of half-written files; None if there are none."""
    names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.name.endswith(".tmp")]
    for path in folder.rglob("*.json"):
        try:
            json.loads(path.read_text())
        except ValueError:
            names.append(str(path.relative_to(folder)))
    return f"left behind: {', '.join(names)}" if names else None


def stopped_run(start: Reference, place: Path, step: int = 8) -> Path:
    """Return the folder of the run that was stopped by SIGTERM after the checkpoint of ``step``."""
    folder = place / "stopped"
    answer = call([*start.words, f"hydra.run.dir={folder}"], place, interrupted_after(step))
    assert answer.code == 143, answer.shown()
    return folder


def interrupted_after(step: int) -> Callable[[], None]:
    """Return what makes a child receive SIGTERM right after the checkpoint of ``step``."""

    def prepare() -> None:
        import signal

        from gan_cli.runs import checkpoint

        save = checkpoint.save

        def then_stop(folder: Path, at: int, *arguments: Any) -> Path:
            path = save(folder, at, *arguments)
            if at == step:
                signal.raise_signal(signal.SIGTERM)
            return path

        checkpoint.save = then_stop

    return prepare
