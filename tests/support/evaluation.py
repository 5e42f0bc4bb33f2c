"""Helpers for the tests of gan-eval: its checkpoints' measurement, and the files that it writes."""

import json
import shutil
from functools import cache

from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_cli.config.compose import compose, loader
from gan_cli.evaluation import results
from gan_cli.evaluation.checkpoints import Checkpoints
from gan_cli.runs import checkpoint, logger


@cache
def compose_eval(*words):
    """Return the config that ``gan-eval RUN_DIR words`` composes."""
    return compose(loader(), "eval", ["device=cpu", *words])


def make_checkpoints(*words, advance=lambda: None, say=lambda line: None) -> Checkpoints:
    """Return the ``Checkpoints`` of ``gan-eval RUN_DIR words``; only choices of options are composed, as composing is slow."""
    choices = tuple(word for word in words if word.startswith(("metric", "features", "diagnostics")))
    values = OmegaConf.from_dotlist([word for word in words if word not in choices])
    return Checkpoints(OmegaConf.merge(compose_eval(*choices), values), advance, say)


def measure(folder, *words):
    """Return the results of ``gan-eval FOLDER words``."""
    return make_checkpoints(*words).results(folder)


def without_seconds(results):
    """Return the results as JSON without the time that they took."""
    return [{key: value for key, value in result.to_json().items() if key != "seconds"} for result in results]


def scale_generator(folder, step, factor):
    """Multiply all weights of the generator in one checkpoint by ``factor``."""
    path = checkpoint.path_of(folder, step)
    state = checkpoint.load(path)
    for players in (state["game"], state["ema"]):
        players |= {name: value * factor for name, value in players.items() if name.startswith("generator")}
    checkpoint.save(folder, step, state)


def copy_run(folder, to, curve):
    """Copy a run and replace the W₁ of its recorded curve; ``curve`` maps a step to its value."""
    shutil.copytree(folder, to)
    rows = logger.read(to)
    for row in rows:
        if "metric/w1" in row and row["step"] in curve:
            row["metric/w1"] = curve[row["step"]]
    (to / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return to


def w1(folder, choice="last"):
    """Return the W₁ of the checkpoint ``choice`` in a run's ``eval.json``."""
    [number] = [result.numbers["w1"].value for result in results.read(folder) if choice in result.chosen]
    return number


def eval_scalars(folder):
    """Return the scalars of the evaluations in TensorBoard: tag -> [(step, value)] in the order of the files."""
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    tags = [tag for tag in found.Tags()["scalars"] if tag.startswith("eval/")]
    return {tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in tags}


def eval_json_without_seconds(folder):
    """Return the content of ``eval.json`` without the times."""
    content = json.loads((folder / "eval.json").read_text())
    for result in content["results"]:
        del result["seconds"]
    return content
