"""Faults while a run trains: non-finite numbers, signals, kills, a full disk."""

import errno
import math
import os
import random
import signal
import sys
import time
import types
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from omegaconf import OmegaConf
from support import configs
from support.runs import EMPTY_STATE, differences, outcome, result, train
from torture.children import Child

from gan_cli import files
from gan_cli.cli import main
from gan_cli.config.compose import structured
from gan_cli.config.identity import config_hash
from gan_cli.config.schema import TrainConfig
from gan_cli.errors import Diverged, Interrupted, Stopped, UserError
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.regularizers.base import Regularizer
from gan_cli.runs import checkpoint, logger, signals
from gan_cli.runs.signals import SIGNALS
from gan_cli.training import command
from gan_cli.training.callbacks import StopOnSignal

pytestmark = pytest.mark.slow


@pytest.fixture
def mine(monkeypatch):
    """A user's module with a loss that misbehaves at a step of its choice, and a regularizer that does."""

    @dataclass(frozen=True)
    class Poisoned(Wasserstein):
        """Counts its calls; at the ``step``-th one ``player`` meets ``value``, and the process a ``signal``."""

        player: str
        step: int
        value: float = 1.0
        signal: int | None = None
        calls: ClassVar[dict[str, int]] = {"discriminator": 0, "generator": 0}

        def met(self, player, loss):
            self.calls[player] += 1
            if player != self.player or self.calls[player] != self.step:
                return loss
            if self.signal is not None:
                signal.raise_signal(self.signal)
            return loss * self.value

        def discriminator_loss(self, real, fake):
            return self.met("discriminator", super().discriminator_loss(real, fake))

        def generator_loss(self, real, fake):
            return self.met("generator", super().generator_loss(real, fake))

    @dataclass(frozen=True)
    class Breaks(Regularizer):
        """Leaves no number in the weights at its seventh call."""

        calls: ClassVar[list[int]] = []

        @torch.no_grad()
        def constrain(self, network):
            self.calls.append(1)
            if len(self.calls) == 7:
                next(network.parameters()).fill_(math.inf)

    module = types.ModuleType("mine")
    module.Poisoned, module.Breaks = Poisoned, Breaks
    monkeypatch.setitem(sys.modules, "mine", module)
    return module


def poisoned(**loss):
    cfg = configs.config("dataset=ring", "train.steps=30 sample_every=0 eval_every=0 checkpoint_every=5 log_every=1")
    OmegaConf.update(cfg, "loss", {"_target_": "mine.Poisoned", **loss}, merge=False)
    return cfg


@pytest.mark.parametrize(
    ("player", "value"), [("discriminator", math.nan), pytest.param("generator", math.inf, marks=pytest.mark.long)]
)
@pytest.mark.parametrize("cadence", ["log_every=1", "log_every=100", "log_every=0 eval_every=8", "log_every=0 sample_every=8"])
def test_a_number_that_is_none_stops_the_run(mine, player, value, cadence, tmp_path):
    with pytest.raises(Diverged) as error:
        train(poisoned(player=player, step=7, value=value), tmp_path, cadence)
    first, second = str(error.value).splitlines()
    assert "step 7" in first
    assert player in first
    assert "checkpoint of step 5 is good" in second
    assert checkpoint.steps_in(tmp_path) == [5]
    assert checkpoint.load(checkpoint.path_of(tmp_path, 5))["step"] == 5
    assert max(row["step"] for row in logger.read(tmp_path)) < 7
    assert not (tmp_path / "result.json").exists()


@pytest.mark.parametrize(
    ("player", "call", "value"),
    [
        ("discriminator", 13, 1e38),
        ("generator", 14, math.nan),
        *(
            pytest.param(*one, marks=pytest.mark.long)
            for one in (
                ("discriminator", 13, math.nan),
                ("discriminator", 14, math.nan),
                ("generator", 13, math.nan),
                ("generator", 13, 1e38),
            )
        ),
    ],
)
def test_either_half_step_of_extragradient_stops_the_run_and_names_the_player(mine, player, call, value, tmp_path):
    cfg = poisoned(player=player, step=call, value=value)
    cfg.solver = configs.config("solver=extragradient").solver
    quantity = "loss" if math.isnan(value) else "grad_norm"
    with pytest.raises(Diverged, match=rf"^{quantity}/{player} became (nan|inf) at step 7: training has diverged"):
        train(cfg, tmp_path, "log_every=0 checkpoint_every=0 train.steps=9")


def test_the_first_of_several_critic_turns_stops_the_run(mine, tmp_path):
    cfg = poisoned(player="discriminator", step=2 * 5 + 1, value=1e38)
    with pytest.raises(Diverged, match=r"^grad_norm/discriminator became inf at step 3"):
        train(cfg, tmp_path, "log_every=0 train.n_critic=5")


def test_before_the_first_checkpoint(mine, tmp_path):
    with pytest.raises(Diverged, match="No checkpoint had been written yet"):
        train(poisoned(player="generator", step=2, value=math.nan), tmp_path)
    assert checkpoint.steps_in(tmp_path) == []


@pytest.mark.parametrize("cadence", ["checkpoint_every=7", "eval_every=7", "sample_every=7"])
def test_weights_that_are_none_are_not_saved_measured_or_drawn(mine, cadence, tmp_path):
    cfg = poisoned(player="generator", step=100, value=1.0)
    OmegaConf.update(cfg, "regularizer", {"mine": {"_target_": "mine.Breaks", "players": ["generator"]}}, merge=False)
    cfg.checkpoint_every = 3
    with pytest.raises(Diverged, match=r"generator\..* is no longer finite at step 7"):
        train(cfg, tmp_path, f"log_every=0 {cadence}")
    assert checkpoint.steps_in(tmp_path) == ([] if "checkpoint" in cadence else [3, 6])


@pytest.mark.parametrize(
    ("number", "code", "status"),
    [
        (signal.SIGTERM, 143, "stopped"),
        (signal.SIGUSR1, 138, "requeue"),
        *(
            pytest.param(*one, marks=pytest.mark.long)
            for one in ((signal.SIGINT, 130, "stopped"), (signal.SIGHUP, 129, "requeue"), (signal.SIGUSR2, 140, "requeue"))
        ),
    ],
)
def test_a_signal_lets_the_round_end_and_saves(mine, number, code, status, tmp_path, capsys):
    before = {each: signal.getsignal(each) for each in SIGNALS}
    cfg, parts = poisoned(player="generator", step=8, signal=int(number)), tmp_path / "parts"
    with pytest.raises(Stopped, match=r"stopped at step 8\. Continue with: gan-train resume=") as error:
        train(cfg, parts, "train.steps=12")
    assert main._print_error("gan-train", error.value) == code
    assert "Continue with" in capsys.readouterr().err
    assert {each: signal.getsignal(each) for each in SIGNALS} == before
    assert checkpoint.steps_in(parts) == [5, 8]
    found = result(parts)
    stored = config_hash(OmegaConf.load(parts / "config.yaml"))
    assert (found["status"], found["step"], found["config"]) == (status, 8, stored)
    assert found["reason"] == f"stopped at step 8 by {signal.Signals(number).name}"
    if number != signal.SIGTERM:  # the rest is the same
        return
    train(cfg, parts, "train.steps=12", resume=True)
    train(cfg, tmp_path / "whole", "train.steps=12")
    assert differences(outcome(parts), outcome(tmp_path / "whole")) == []


def test_a_failed_attempt_is_forgotten_when_the_run_goes_on(tmp_path, monkeypatch):
    cfg = configs.config("features=identity", "train.steps=2 sample_every=0 eval_every=0")
    files.write_json(tmp_path / "result.json", {"status": "requeue"})
    monkeypatch.setattr(command, "training_loop", no_space)
    with pytest.raises(UserError, match="No space left"):
        train(cfg, tmp_path)
    assert not (tmp_path / "result.json").exists()


def test_only_a_later_interrupt_does_not_wait(monkeypatch):
    stop, now = StopOnSignal(save_checkpoint=None), [10.0]
    monkeypatch.setattr(signals.time, "monotonic", lambda: now[0])
    with stop.listening():
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):  # as a wrapper and a process group deliver them
            signal.raise_signal(number)
            now[0] += 0.3
        now[0] += 1
        signal.raise_signal(signal.SIGHUP)
        assert stop.received == signal.SIGTERM
        now[0] += 1
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.long
def test_a_signal_to_the_real_program(tmp_path):
    """In a fork of this process, which has imported everything."""
    folder = tmp_path / "run = 1"
    words = ["dataset=ring", "dataset.n=100", "model=mlp_small", "metric=none", "sample_every=0", "device=cpu"]
    words += [f"hydra.run.dir={folder}", "train.steps=1000000", "log_every=1", "train.batch_size=8"]
    process = Child(["gan-train", *words], tmp_path)
    begun = process.wait_for(lambda: len(logger.read(folder)) >= 5, timeout=60)
    process.send(signal.SIGTERM)
    ended = process.finish(timeout=60)
    assert (begun, ended.code) == (True, 143), ended.shown()
    (step,) = checkpoint.steps_in(folder)
    assert f"stopped at step {step}." in ended.err
    assert "Traceback" not in ended.err
    cfg = OmegaConf.merge(structured(TrainConfig), OmegaConf.load(folder / "config.yaml"))
    train(cfg, folder, f"train.steps={step + 3}", resume=True)
    train(cfg, tmp_path / "whole", f"train.steps={step + 3}")
    assert differences(outcome(folder), outcome(tmp_path / "whole")) == []


def test_killed_while_it_saves(tmp_path):
    state = {**EMPTY_STATE, "game": {"weight": torch.arange(300_000.0)}}
    seen = set()
    for attempt in range(6):
        child = os.fork()
        if child == 0:
            try:
                for step in range(100 * attempt + 1, 100 * attempt + 100):
                    checkpoint.save(tmp_path, step, {**state, "twice": step * 2}, keep=2)
            finally:
                os._exit(0)
        while checkpoint.steps_in(tmp_path)[-1:] <= [100 * attempt]:
            time.sleep(0.001)
        time.sleep(random.Random(attempt).uniform(0.01, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = checkpoint.newest(tmp_path)  # a warning is an error here
        assert found["twice"] == 2 * found["step"] == 2 * checkpoint.steps_in(tmp_path)[-1]
        assert torch.equal(found["game"]["weight"], state["game"]["weight"])
        seen.add(found["step"])
    assert len(seen) > 2, "it was killed while it worked"


def full_after_ten(path, content):
    """Path.write_bytes on a disk that has room for ten bytes more."""
    with path.open("wb") as file:
        file.write(content[:10])
    no_space()


def no_space(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("fault", ["open", "write", "fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(fault, tmp_path, monkeypatch):
    path = tmp_path / "file"
    files.write_bytes(path, b"old")
    with monkeypatch.context() as patch:
        owner, name, broken = {
            "open": (Path, "write_bytes", no_space),
            "write": (Path, "write_bytes", full_after_ten),
            "fsync": (os, "fsync", no_space),
            "replace": (os, "replace", no_space),
        }[fault]
        patch.setattr(owner, name, broken)
        with pytest.raises(OSError, match="No space left"):
            files.write_bytes(path, b"new" * 10)
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["file"]
    files.write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


def test_a_disk_that_fills_up_while_a_run_trains(tmp_path, monkeypatch):
    cfg = configs.config("dataset=ring", "train.steps=9 checkpoint_every=3 sample_every=0 eval_every=0 log_every=1")
    save, folder = checkpoint.save, tmp_path / "parts"

    def full_from_6(folder, step, state, *kept):
        if step >= 6:
            monkeypatch.setattr(os, "fsync", no_space)
        return save(folder, step, state, *kept)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", full_from_6)
        with pytest.raises(UserError, match="No space left"):
            train(cfg, folder)
    monkeypatch.undo()
    assert checkpoint.steps_in(folder) == [3]
    assert not list(folder.rglob("*.tmp"))
    train(cfg, folder, resume=True)
    train(cfg, tmp_path / "whole")
    assert differences(outcome(folder), outcome(tmp_path / "whole")) == []
