"""Runs of an earlier version: every command refuses them in one line."""

import shutil
import sys

import pytest
from omegaconf import OmegaConf
from support import configs
from support.runs import train

from gan_cli.cli import main
from gan_cli.runs import checkpoint
from gan_cli.runs.version import is_outdated

COMMANDS = {
    "gan-train": (main.gan_train, ["resume=run", "train.steps=2"]),
    "gan-eval": (main.gan_eval, ["run", "device=cpu"]),
    "gan-sample": (main.gan_sample, ["run", "device=cpu"]),
    "gan-report": (main.gan_report, ["run"]),
}
MESSAGE = "was made by an earlier version of gan-cli and cannot be continued or evaluated by this one."


def add_key(folder):
    config = OmegaConf.load(folder / "config.yaml")
    config.schedule_of_old = 3
    OmegaConf.save(config, folder / "config.yaml")
    state = checkpoint.load(checkpoint.path_of(folder, 1))
    state["config"]["schedule_of_old"] = 3
    checkpoint.save(folder, 1, state)


def move_target(folder):
    config = OmegaConf.load(folder / "config.yaml")
    config.dataset._target_ = "gan_cli.data.toy.ring"
    OmegaConf.save(config, folder / "config.yaml")
    state = checkpoint.load(checkpoint.path_of(folder, 1))
    state["config"]["dataset"]["_target_"] = "gan_cli.data.toy.ring"
    checkpoint.save(folder, 1, state)


def lower_format(folder):
    state = checkpoint.load(checkpoint.path_of(folder, 1))
    checkpoint.save(folder, 1, {**state, "format": checkpoint.FORMAT - 1})


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run of this version."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(configs.config("dataset=ring"), folder, "train.steps=1 eval_every=0 sample_every=0 checkpoint_every=1")
    return folder


@pytest.mark.parametrize(
    "age", [add_key, pytest.param(move_target, marks=pytest.mark.long), lower_format], ids=lambda age: age.__name__
)
@pytest.mark.slow
def test_every_command_refuses_it_in_one_line(age, trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, tmp_path / "run")
    age(tmp_path / "run")
    before = sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "run").rglob("*") if path.is_file())
    for name, (command, words) in COMMANDS.items():
        monkeypatch.setattr(sys, "argv", [name, *words])
        capsys.readouterr()
        assert command() == 2, name
        *notes, error = capsys.readouterr().err.splitlines()
        assert error.startswith(f"{name}: run")
        assert error.endswith(MESSAGE)
        assert not notes or age is lower_format, "the config alone tells the version"
    assert before == sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "run").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"seed": 1, "loss": {"_target_": "gan_cli.losses.hinge.Hinge"}}, False),
        ({"seed": 1, "loss": {"_target_": "gan_cli.losses.Hinge"}}, False),
        ({"seed": 1, "loss": {"_target_": "mine.Loss"}}, False),
        ({"seed": 1, "loss": {"_target_": "gan_cli.losses.old.Hinge"}}, True),
        ({"seed": 1, "metric": {"parts": [{"_target_": "gan_cli.metrics.old.Metric"}]}}, True),
        ({"seed": 1, "train": {"steps": 1, "rounds": 2}}, True),
        ({"seed": 1, "report": {"claims": [{"_target_": "gan_cli.report.claims.runs.Reachs"}]}}, False),
    ],
)
def test_a_config_is_outdated_if_it_names_what_is_gone(config, expected):
    assert is_outdated(config) is expected
