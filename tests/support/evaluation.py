"""What the tests of the evaluation share: what gan-eval measures with, and what it leaves behind."""

import json
import shutil
from functools import cache

import torch
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_cli.config.compose import compose, loader
from gan_cli.evaluation import results
from gan_cli.evaluation.checkpoints import Checkpoints
from gan_cli.runs import checkpoint, logger


@cache
def composed(*words):
    """What ``gan-eval RUN_DIR words`` composes."""
    return compose(loader(), "eval", ["device=cpu", *words])


def asked(*words, advance=lambda n: None, say=lambda line: None) -> Checkpoints:
    """What ``gan-eval RUN_DIR words`` measures with; what is no choice of an option is set later, as composing takes long."""
    choices = tuple(word for word in words if word.startswith(("metric", "features", "diagnostics")))
    values = OmegaConf.from_dotlist([word for word in words if word not in choices])
    return Checkpoints(OmegaConf.merge(composed(*choices), values), advance, say)


def measured(folder, *words):
    return asked(*words).results(folder)


def content(results):
    """All that must come again: everything but the clock."""
    return [{key: value for key, value in result.to_json().items() if key != "seconds"} for result in results]


def spoil(folder, step, factor):
    """Multiplies all weights of the generator in one checkpoint."""
    path = checkpoint.path_of(folder, step)
    state = torch.load(path, weights_only=True)
    for players in (state["game"], state["ema"]):
        players |= {name: value * factor for name, value in players.items() if name.startswith("generator")}
    torch.save(state, path)


def copy(folder, to, curve):
    shutil.copytree(folder, to)
    rows = logger.read(to)
    for row in rows:
        if "metric/w1" in row and row["step"] in curve:
            row["metric/w1"] = curve[row["step"]]
    (to / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return to


def w1(folder, choice="last"):
    """The W₁ in a run's ``eval.json``."""
    [number] = [result.numbers["w1"].value for result in results.read(folder) if choice in result.chosen]
    return number


def evaluated(folder):
    """What TensorBoard shows of the evaluations: tag -> (step, value) in the order of the files."""
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    tags = [tag for tag in found.Tags()["scalars"] if tag.startswith("eval/")]
    return {tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in tags}


def timeless(folder):
    content = json.loads((folder / "eval.json").read_text())
    for result in content["results"]:
        del result["seconds"]
    return content
