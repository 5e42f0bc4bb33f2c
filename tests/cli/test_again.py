"""The command that a diverged run advises: it is complete, and it runs."""

import re
import shlex
import sys

import pytest
from omegaconf import OmegaConf
from support.runs import result

import gan_cli
from gan_cli.cli import main
from gan_cli.cli.again import smaller_rates
from gan_cli.config.stored import read_plain
from gan_cli.runs.folder import read_result

pytestmark = pytest.mark.slow

LOSS = """
from pathlib import Path

from gan_cli.losses import Wasserstein


class Poisoned(Wasserstein):
    calls = []

    def generator_loss(self, real, fake):
        self.calls.append(1)
        loss = super().generator_loss(real, fake)
        return loss * float("nan") if len(self.calls) % 3 == 0 and Path("poison").exists() else loss
"""
"""A loss that is no number at every third call, as long as there is a file ``poison``."""
WORDS = ["dataset=ring", "loss=poisoned", "optimizer.lr=1e-3", "train.steps=4", "train.batch_size=8", "dataset.n=64"]
WORDS += ["dataset.n_heldout=32", "checkpoint_every=1", "device=cpu", "metric=none", "eval_every=0", "sample_every=0"]
WORDS += ["log_every=1", "model.generator.width=8", "model.discriminator.width=8"]
OWN = ["--config-dir", "my configs"]


def with_(words, other):
    """Return the words of a command line with another value for a key."""
    return [other if word.partition("=")[0] == other.partition("=")[0] else word for word in words]


@pytest.fixture
def work(tmp_path, monkeypatch):
    """The folder that the user types in, with the loss and its yaml."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "my configs" / "loss").mkdir(parents=True)
    (tmp_path / "my configs" / "loss" / "poisoned.yaml").write_text("_target_: loss_of_mine.Poisoned\n")
    (tmp_path / "loss_of_mine.py").write_text(LOSS)
    (tmp_path / "poison").touch()
    yield tmp_path
    sys.modules.pop("loss_of_mine", None)


@pytest.fixture
def gan_train(monkeypatch, capsys):
    """Run gan-train and return its exit code and what it wrote to both streams."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["gan-train", *words])
        capsys.readouterr()
        code = main.gan_train()
        return code, capsys.readouterr()

    return call


def advised(text):
    """Return the words of the command lines in a message."""
    return [shlex.split(line) for line in re.findall(r"may help: gan-train (.*)", text)]


def test_the_line_of_a_diverged_run_runs(work, gan_train):
    code, said = gan_train(*OWN, *WORDS, "hydra.run.dir=first run")
    assert code == 2
    assert "The checkpoint of step 2 is good. Smaller learning rates may help: gan-train" in said.err
    assert len(said.err.splitlines()) == 2
    [line] = advised(said.err)
    assert line[:2] == ["--config-dir", str(work / "my configs")]
    assert line[-2:] == ["init_from=first run/checkpoints/step_00000002.pt", "optimizer.lr=0.0001"]
    assert not any(word.startswith(("optimizer.lr=1e-3", "hydra.run.dir")) for word in line)

    (work / "poison").unlink()
    code, said = gan_train(*line)
    assert (code, said.err) == (0, "")
    [new] = (work / "outputs").iterdir()
    assert result(new)["status"] == "finished"
    config = read_plain(new / "config.yaml")
    assert (config["optimizer"]["lr"], config["init_from"]) == (1e-4, "first run/checkpoints/step_00000002.pt")


@pytest.mark.long
def test_the_line_of_a_resumed_run_and_of_a_job(work, gan_train):
    assert gan_train(*OWN, *with_(WORDS, "train.steps=1"), "hydra.run.dir=run")[0] == 0
    code, said = gan_train("resume=run", "train.steps=4")
    assert code == 2
    [line] = advised(said.err)
    assert (line[0], line[2], line[-1]) == ("--config-dir", "dataset=ring", "optimizer.lr=0.0001")
    code, said = gan_train(*OWN, "-m", *WORDS, "seed=1,2", "hydra.sweep.dir=sweep")
    assert code == 1
    lines = advised(said.out)
    assert [[word for word in line if word.startswith("seed")] for line in lines] == [["seed=1"], ["seed=2"]]
    assert all("hydra.mode=RUN" in line for line in lines)
    assert all("gan-train" not in read_result(job)["reason"] for job in (work / "sweep").iterdir() if job.is_dir())
    (work / "poison").unlink()
    assert gan_train(*with_(lines[1], "train.steps=1"))[0] == 0


def test_the_line_before_the_first_checkpoint_and_from_python(work):
    words = with_(WORDS, "checkpoint_every=0")
    with pytest.raises(gan_cli.UserError, match="No checkpoint had been written yet") as error:
        gan_cli.train(words, silent=True, folder="run", config_dir="my configs")
    [line] = advised(str(error.value))
    assert line[2:] == [*(word for word in words if word != "optimizer.lr=1e-3"), "optimizer.lr=0.0001"]


@pytest.mark.parametrize(
    ("optimizer", "rates"),
    [
        ({"lr": 2e-4, "generator": {"lr": 2e-4}, "betas": [0.5, 0.9]}, {"lr": 2e-5}),
        ({"lr": 1e-4, "generator": {"lr": 1e-4}, "discriminator": {"lr": 4e-4}}, {"lr": 1e-5, "discriminator.lr": 4e-5}),
        ({"momentum": 0.9}, {}),
    ],
)
def test_every_rate_is_lowered(optimizer, rates):
    expected = {f"optimizer.{key}": pytest.approx(rate) for key, rate in rates.items()}
    assert smaller_rates(OmegaConf.create({"optimizer": optimizer})) == expected
