"""Runs for the tests of gan-eval, and gan-eval in this process."""

import json
import shutil
import sys

import pytest
from support import configs
from support.evaluation import copy_run
from support.runs import train

from gan_cli.cli import main
from gan_cli.runs import logger

STEPS = "train.steps=6 eval_every=2 checkpoint_every=2 sample_every=0 ema=0.5 seed=5"
VALUES = "train.steps=2 eval_every=1 checkpoint_every=1 sample_every=0 ema=0.5 dataset.max_samples=null metric.n_samples=10"


@pytest.fixture(scope="session")
def points(tmp_path_factory):
    """A run on 64 points of the ring, 10 of which are measured, with checkpoints at 2, 4 and 6."""
    folder = tmp_path_factory.mktemp("runs") / "points"
    train(configs.config("dataset=ring", f"{STEPS} dataset.max_samples=null metric.n_samples=10 optimizer.lr=0.01"), folder)
    return folder


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """A run on small photographs in a folder, with checkpoints at 1 and 2."""
    root = tmp_path_factory.mktemp("photographs")
    cfg = configs.config(
        "dataset=image_folder features=pixels metric=frechet", f"{STEPS} dataset.channels=1 dataset.heldout=6", root=root
    )
    train(cfg, root / "run", "train.steps=2 checkpoint_every=1 eval_every=1")
    return root / "run"


@pytest.fixture
def edited(points, tmp_path):
    """A function: ``edited(2)`` returns a copy of the run in whose recorded curve step 2 is the best."""

    def edit(best: int):
        folder = tmp_path / "copy"
        shutil.copytree(points, folder)
        rows = logger.read(folder)
        for row in rows:
            if "metric/w1" in row:
                row["metric/w1"] = 0.25 if row["step"] == best else 3.0 + row["step"]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return folder

    return edit


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A sweep of ``lr-0.001+seed-1`` and so on: two methods on the ring, two seeds each, checkpoints at 1 and 2."""
    sweep = tmp_path_factory.mktemp("runs") / "sweep"
    for lr in ("0.001", "0.5"):
        for seed in (1, 2):
            train(configs.config("dataset=ring", f"{VALUES} optimizer.lr={lr} seed={seed}"), sweep / f"lr-{lr}+seed-{seed}")
    return sweep


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """A function: ``call("mine")`` runs gan-eval in ``tmp_path`` and returns (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["gan-eval", *words, "device=cpu"])
        capsys.readouterr()
        code = main.gan_eval()
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def run(trained, tmp_path):
    """A copy of one run in whose recorded curve step 1 is better."""
    return copy_run(trained / "lr-0.001+seed-1", tmp_path / "mine", {1: 0.5, 2: 0.75})


@pytest.fixture
def sweep(trained, tmp_path):
    """A copy of the sweep; by their curves, only the runs of the first method are best at their last step."""
    for folder in sorted(trained.iterdir()):
        copy_run(folder, tmp_path / "sweep" / folder.name, {1: 0.5, 2: 0.25 if "0.001" in folder.name else 0.75})
    return tmp_path / "sweep"
