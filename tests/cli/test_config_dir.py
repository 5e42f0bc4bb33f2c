"""--config-dir in all four commands: own options and their modules, from any folder."""

import os
import shutil
import sys

import pytest

from gan_cli.cli import main
from gan_cli.cli.arguments import parse
from gan_cli.config import suggestions

LOSS = """
from gan_cli.losses import Hinge


class Mine(Hinge):
    pass
"""
METRIC = """
from gan_cli.metrics import Metric, Value


class Radius(Metric):
    name = "radius"

    def measure(self, real, fake):
        return {"radius": Value(float(fake.features.norm(dim=1).mean()))}
"""
TINY = ["dataset=ring", "train.steps=1", "train.batch_size=8", "sample_every=0", "ema=null", "metric=none", "device=cpu"]
COMMANDS = {f"gan-{name}": getattr(main, f"gan_{name}") for name in ("train", "eval", "sample", "report")}


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """A function: ``call("gan-eval", "run")`` runs a command in the folder ``elsewhere``, with the own modules forgotten."""
    for name, text in {"mine_loss": LOSS, "conf/mine_metric": METRIC}.items():
        (tmp_path / "project" / "conf").mkdir(parents=True, exist_ok=True)
        (tmp_path / "project" / f"{name}.py").write_text(text)
    for group, target in {"loss/mine": "mine_loss.Mine", "metric/radius": "mine_metric.Radius"}.items():
        path = tmp_path / "project" / "conf" / f"{group}.yaml"
        path.parent.mkdir()
        path.write_text(f"# Mine.\n_target_: {target}\n" + "n_samples: 20\nsplit: train\n" * (target[5:] == "metric.Radius"))
    (tmp_path / "elsewhere").mkdir()

    def run(name, *words, place="elsewhere"):
        monkeypatch.chdir(tmp_path / place)
        for module in ("mine_loss", "mine_metric"):
            sys.modules.pop(module, None)
        monkeypatch.setattr(sys, "argv", [name, *words])
        capsys.readouterr()
        code = COMMANDS[name]()
        return code, *capsys.readouterr()

    return run


@pytest.mark.slow
def test_own_options_and_modules_are_found_from_any_folder(call, tmp_path):
    run, own = "../project/run", ["--config-dir", "../project/conf"]
    began = call("gan-train", "--config-dir", "conf", "loss=mine", *TINY, "hydra.run.dir=run", place="project")
    assert began[0] == 0
    for words in (["gan-eval", run, "metric=wasserstein"], ["gan-train", f"resume={run}", "train.steps=2"]):
        code, _, err = call(*words)
        assert (code, len(err.splitlines())) == (2, 2)
        assert "loss._target_=mine_loss.Mine: there is no module mine_loss here.\n" in err
        project = tmp_path / "project"
        assert err.endswith(f"The run was made with {project}/mine_loss.py: add --config-dir {project}/conf.\n")
    code, _, err = call("gan-eval", run, "metric=radius")
    assert (code, "no metric named 'radius'" in err) == (2, True)
    code, out, _ = call("gan-eval", run, *own, "metric=radius", "device=cpu")
    assert (code, "radius" in out) == (0, True)
    assert call("gan-sample", run, *own, "n=4", "device=cpu")[0] == 0
    assert call("gan-report", run, *own, "quiz=0")[0] == 0
    code, out, _ = call("gan-train", *own, f"resume={run}", "train.steps=2")
    assert (code, "continuing at step 1" in out) == (0, True)

    shutil.move(tmp_path / "project" / "mine_loss.py", tmp_path / "elsewhere.py")
    _, _, err = call("gan-eval", run, *own, "metric=radius")
    assert "project/mine_loss.py, which is gone; read the copy in " in err
    assert err.endswith("and add trust=mine_loss.\n")
    assert len(err.splitlines()) == 2


@pytest.mark.parametrize(
    "command", [main.TRAIN, main.EVALUATE, main.SAMPLE, main.REPORT, main.RUNS], ids=lambda command: command.name
)
def test_every_command_takes_the_flag(command):
    for words in (["--config-dir", "a"], ["-cd", "a"], ["--config-dir=a"]):
        assert parse(command.name, command.function, words).config_dir == "a"


def test_a_folder_that_is_not_there(call):
    code, _, err = call("gan-eval", "../project", "--config-dir", "nowhere")
    assert (code, err) == (2, "gan-eval: --config-dir nowhere: there is no such folder.\n")


def test_data_far_below_the_folder_is_left_alone(tmp_path, monkeypatch):
    """``--config-dir /`` is answered at once: folders more than three levels down, and hidden ones, are not listed."""
    deep = tmp_path / "model/generator/mine/data"
    (deep / "of_a_user").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    for place in (deep / "five.yaml", deep.parent / "four.yaml", tmp_path / ".git/hidden.yaml", tmp_path / "model/own.yaml"):
        place.touch()
    listed = []
    monkeypatch.setattr(suggestions.os, "scandir", lambda path, list_of=os.scandir: listed.append(path) or list_of(path))
    found = suggestions.groups(str(tmp_path))
    assert "own" in found["model"]
    assert found["model/generator/mine"] == ["four"]
    assert not {"model/generator/mine/data", ".git"} & set(found)
    assert not {str(deep), str(deep / "of_a_user"), str(tmp_path / ".git")} & set(map(str, listed))
