"""The library: runs that are trained, loaded, sampled and evaluated from Python as the command line does it."""

import logging
import os
import random
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import gan_cli
from gan_cli.cli import main
from gan_cli.errors import Stopped, UserError
from gan_cli.runs.folder import read_result
from gan_cli.runs.signals import SIGNALS
from gan_cli.training import command

WORDS = ["dataset=ring", "train.steps=4", "train.batch_size=8", "dataset.n=64", "dataset.n_heldout=32", "log_every=2"]
WORDS += ["eval_every=2", "checkpoint_every=2", "sample_every=0", "metric.n_samples=16", "device=cpu", "loss=hinge"]
WORDS += ["model.generator.width=8", "model.discriminator.width=8"]


def process_state() -> dict[str, object]:
    """Everything of this process that a training run touches."""
    root = logging.getLogger()
    return {
        "torch": torch.get_rng_state().tolist(),
        "numpy": str(np.random.get_state()),
        "python": random.getstate(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "cudnn": (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
        "environment": dict(os.environ),
        "paths": (list(sys.path), list(sys.argv), os.getcwd()),
        "logging": (list(root.handlers), root.level),
        "signals": [signal.getsignal(number) for number in SIGNALS],
        "streams": (sys.stdout, sys.stderr),
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> gan_cli.Run:
    return gan_cli.train(WORDS, folder=tmp_path_factory.mktemp("api") / "run", silent=True, seed=3)


@pytest.mark.slow
def test_a_run_equals_the_command_lines(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gan-train", *WORDS, "seed=3", f"hydra.run.dir={tmp_path / 'run'}"])
    assert main.gan_train() == 0
    of_command_line = read_result(tmp_path / "run")
    assert of_command_line is not None
    for key in ("status", "config", "step", "objective", "metric", "players"):
        assert run.result[key] == of_command_line[key]
    assert (run.folder / "config.yaml").read_text() == (tmp_path / "run" / "config.yaml").read_text()


def test_what_a_run_holds(run):
    assert (run.config["seed"], run.config["dataset"]["n"], run.config["train"]["steps"]) == (3, 64, 4)
    assert run.result["status"] == "finished"
    assert run.data.train == 64
    assert list(run.metrics.index) == [0, 2, 4]
    assert run.metrics["metric/w1"].notna().all()
    assert run.metrics["metric/w1"][4] == run.result["metric"]["final"]
    assert run.metrics["loss/generator"].notna().tolist() == [False, True, True]
    assert gan_cli.Run(str(run.folder)) == run


@pytest.mark.slow
def test_a_run_is_loaded_and_sampled(run):
    loaded = run.load(checkpoint=2, device="cpu")
    assert isinstance(loaded, gan_cli.LoadedRun)
    assert loaded.step == 2
    assert torch.equal(loaded.sample(5, seed=1), gan_cli.load(run.folder, checkpoint=2, device="cpu").sample(5, seed=1))
    assert torch.equal(run.sample(5, seed=1), run.load().sample(5, seed=1))
    assert run.sample(5).shape == (5, 2)


@pytest.mark.slow
def test_a_run_is_evaluated(run, tmp_path):
    evaluation = gan_cli.evaluate(run, checkpoint="all", n_samples=8, device="cpu", silent=True, out=tmp_path / "numbers")
    assert [result.step for result in evaluation.results] == [2, 4]
    assert evaluation.folder.resolve() == tmp_path / "numbers"
    frame = evaluation.frame()
    assert frame["name"].tolist() == [name for result in evaluation.results for name in result.numbers]
    assert {"value", "error", "floor", "n_real", "n_fake", "split", "seed", "metric"} <= set(frame.columns)
    assert frame["value"][0] == next(iter(evaluation.results[0].numbers.values())).value
    assert (tmp_path / "numbers" / "eval.csv").is_file()
    same = gan_cli.evaluate(run.folder, ["checkpoint=last", "n_samples=8"], device="cpu", silent=True, out=tmp_path / "again")
    assert same.results[0].numbers == evaluation.results[1].numbers


@pytest.mark.slow
def test_a_new_run_lies_below_outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = gan_cli.train([*WORDS, "train.steps=0"], silent=True)
    assert run.folder.parent == Path("outputs")
    assert run.folder.name.endswith("_ring_hinge")


@pytest.mark.slow
def test_a_run_is_resumed(run, tmp_path):
    first = gan_cli.train([*WORDS, "seed=3", "train.steps=2"], folder=tmp_path / "run", silent=True)
    again = gan_cli.train([f"resume={first.folder}", "train.steps=4"], silent=True)
    assert again == first
    assert again.result["players"] == run.result["players"]


@pytest.mark.slow
def test_nothing_of_the_process_is_changed(run, tmp_path, capfd):
    before = process_state()
    gan_cli.train(WORDS, folder=tmp_path / "run", silent=True)
    gan_cli.evaluate(tmp_path / "run", silent=True, n_samples=8, device="cpu")
    gan_cli.load(tmp_path / "run").sample(2)
    assert process_state() == before
    with pytest.raises(UserError):
        gan_cli.train([*WORDS, "optimizer.lr=-1"], silent=True, folder=tmp_path / "other")
    assert process_state() == before
    assert capfd.readouterr() == ("", "")
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_progress_is_shown(tmp_path, capsys):
    gan_cli.train(WORDS, folder=tmp_path / "run")
    out = capsys.readouterr().out
    assert "loss=hinge" in out
    assert "step 4/4" in out
    assert f"tensorboard --logdir {tmp_path / 'run'}" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["loss=hnge"], "no loss named 'hnge'. Did you mean hinge?"),
        (["train.step=3"], "no key 'train.step'. Did you mean train.steps?"),
        (["train.steps=abc"], "train.steps must be an integer, not 'abc'"),
        (["seed=1,2"], "seed=1,2 names several values"),
        (["outputs"], "'outputs' is not KEY=VALUE"),
        (["experiment=mode_collapse"], "start it with gan-train -m"),
        (["resume=nowhere"], "no run in nowhere"),
        (["resume=nowhere", "seed=1"], "seed cannot change"),
    ],
)
def test_mistakes_are_answered_as_on_the_command_line(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        gan_cli.train(words, silent=True)
    assert message in str(error.value)
    assert not any(tmp_path.iterdir())


def test_mistakes_of_an_evaluation(run, tmp_path):
    with pytest.raises(UserError, match="no run in"):
        gan_cli.evaluate(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"no metric named .kidd.\. Did you mean kid"):
        gan_cli.evaluate(run, metric="kidd")
    with pytest.raises(UserError, match="name the folder of a run"):
        gan_cli.evaluate()
    with pytest.raises(UserError, match="no run in"):
        gan_cli.Run(tmp_path)


@pytest.mark.slow
def test_a_folder_holds_one_run(run):
    with pytest.raises(UserError, match="holds a run already"):
        gan_cli.train(WORDS, folder=run.folder, silent=True)


@pytest.mark.slow
def test_keyword_arguments_are_words(tmp_path):
    run = gan_cli.train(
        [*WORDS, "train.steps=0"],
        folder=tmp_path / "a run, with = signs",
        silent=True,
        ema=None,
        deterministic=False,
        regularizer=["r1", "orthogonal"],
        frozen=["discriminator"],
    )
    assert (run.config["ema"], run.config["deterministic"], run.config["frozen"]) == (None, False, ["discriminator"])
    assert set(run.config["regularizer"]) == {"r1", "orthogonal"}


@pytest.mark.slow
def test_options_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "options" / "loss").mkdir(parents=True)
    (tmp_path / "options" / "loss" / "mine.yaml").write_text("_target_: my_loss_of_api.Mine\n")
    (tmp_path / "my_loss_of_api.py").write_text("from gan_cli.losses import Hinge\n\n\nclass Mine(Hinge):\n    pass\n")
    run = gan_cli.train([*WORDS, "loss=mine"], config_dir="options", silent=True, folder="run")
    assert run.config["loss"] == {"_target_": "my_loss_of_api.Mine"}


@pytest.fixture
def after_two_rounds(monkeypatch):
    """``after_two_rounds(action)``: calls it in the second round."""

    def arrange(action):
        plain = command.training_loop

        def interrupted(play, end, callbacks, *others):
            plain(play, end, [lambda step, stats: step == 2 and action(), *callbacks], *others)

        monkeypatch.setattr(command, "training_loop", interrupted)

    return arrange


@pytest.mark.slow
def test_an_interrupt_saves_the_round(after_two_rounds, tmp_path):
    after_two_rounds(lambda: os.kill(os.getpid(), signal.SIGINT))
    before = process_state()
    with pytest.raises(Stopped, match="stopped at step 2"):
        gan_cli.train([*WORDS, "checkpoint_every=0"], folder=tmp_path / "run", silent=True)
    assert process_state() == before
    assert gan_cli.load(tmp_path / "run").step == 2


@pytest.mark.slow
def test_a_run_in_progress_is_not_continued(after_two_rounds, tmp_path):
    refused = []

    def resume():
        with pytest.raises(UserError, match=f"in use by process {os.getpid()} on") as error:
            gan_cli.train([f"resume={tmp_path / 'run'}"], silent=True)
        refused.append(error)

    after_two_rounds(resume)
    assert gan_cli.train(WORDS, folder=tmp_path / "run", silent=True).result["status"] == "finished"
    assert len(refused) == 1


@pytest.mark.slow
def test_a_failure_is_recorded(after_two_rounds, tmp_path):
    def fail():
        raise UserError("out of luck")

    after_two_rounds(fail)
    with pytest.raises(UserError, match="out of luck"):
        gan_cli.train(WORDS, folder=tmp_path / "run", silent=True)
    assert gan_cli.Run(tmp_path / "run").result["reason"] == "out of luck"
