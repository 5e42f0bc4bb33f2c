"""Runs that two processes compute: the same as those of one, resumed with another number, stopped, and broken off."""

import os
import signal
import subprocess
import time

import pytest
import torch
from support import configs, runs
from torture.children import Child

from gan_cli.errors import Stopped
from gan_cli.parallel import team
from gan_cli.parallel.ranks import LostProcess
from gan_cli.runs import environment, logger
from gan_cli.training import together

pytestmark = pytest.mark.slow
LAW = "{_target_:gan_cli.schedules.Cosine,start:%s,end:%s,over:40,unit:images}"
CFG = (
    f"dataset=ring loss=wgan_gp device=cpu regularizer.gradient_penalty.weight={LAW % (10.0, 1.0)} "
    f"optimizer.lr={LAW % (1e-3, 1e-4)} averaging=half_life averaging.images={LAW % (0.0, 100.0)}"
)
VALUES = "train.batch_size=8 train.n_critic=1 checkpoint_every=2 log_every=1 train.steps"


class Forked(Child):
    """What ``Popen`` returns, for a process that is forked from this one, which has imported everything."""

    code: int | None = None

    def poll(self):
        if self.code is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if ended else None
        return self.code

    def wait(self, timeout=60.0):
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("fork", timeout)
            time.sleep(0.002)
        return self.code

    def kill(self):
        if self.poll() is None:
            self.send(signal.SIGKILL)


@pytest.fixture(params=["forks", pytest.param("new interpreters", marks=pytest.mark.long)])
def started(request, tmp_path, monkeypatch):
    """The processes that runs start."""
    processes, begin = [], team._start

    def start(launch):
        is_fork = request.param == "forks"
        process = Forked(["gan-train"], tmp_path, environment=launch.environment()) if is_fork else begin(launch)
        processes.append(process)
        return process

    monkeypatch.setattr(team, "_start", start)
    return processes


def signal_at(monkeypatch, step, processes, number):
    """Send a signal to the second process before round ``step``."""
    play = together.play

    def play_and_send(run, now):
        if now == step:
            os.kill(processes[-1].pid, number)
        return play(run, now)

    monkeypatch.setattr(together, "play", play_and_send)


def parameters(folder):
    return torch.cat([tensor.double().flatten() for tensor in runs.state(folder)["game"].values()])


def picture(folder):
    (path,) = (folder / "samples").iterdir()
    return path.read_bytes()


def test_a_run_continues_with_two_processes_stops_on_their_signal_and_ends_with_one(tmp_path, started, monkeypatch, capsys):
    cfg, whole, divided = configs.config(CFG), tmp_path / "whole", tmp_path / "divided"
    runs.train(cfg, whole, f"{VALUES}=8")
    runs.train(cfg, divided, f"{VALUES}=2")
    capsys.readouterr()
    signal_at(monkeypatch, 4, started, signal.SIGTERM)
    with pytest.raises(Stopped, match=r"stopped at step [45]\.") as stopped:
        runs.train(cfg, divided, f"{VALUES}=8 processes=2", resume=True)
    assert stopped.value.code == 128 + signal.SIGTERM
    said = capsys.readouterr().out
    assert said.count("batches: 2 processes with 4 samples each") == 1
    assert "batches 2 processes with 4 samples each instead of whole" in said.replace("\n", " ")
    assert environment.at(divided, 4)["batches"] == "2 processes with 4 samples each"
    assert [process.wait(10) for process in started] == [0]
    runs.train(cfg, divided, f"{VALUES}=8", resume=True)
    one, other = parameters(whole), parameters(divided)
    assert (one - other).norm() < 1e-5 * one.norm()
    assert runs.result(whole)["costs"]["cost/flops"] == runs.result(divided)["costs"]["cost/flops"]


def test_two_processes_measure_and_draw_what_one_does(tmp_path, started, monkeypatch):
    """To the bit: at step 0 the players are equal. Several chunks are sampled, and several blocks of real images encoded."""
    cfg = configs.config("features=classifier game=cgan device=cpu", "train.steps=0 train.batch_size=4")
    values, found = "dataset.max_samples=400 metric.n_samples=160 metric.n_fake=300", []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        runs.train(cfg, folder, f"{values} processes={processes}")
        (row,) = logger.read(folder)
        numbers = {tag: value for tag, value in row.items() if tag.startswith("metric/")}
        found.append((numbers, runs.result(folder)["metric"], picture(folder)))
    assert [process.wait(10) for process in started] == [0]
    assert len(found[0][0]) > 1
    assert found[0] == found[1]


def test_a_process_that_is_killed_ends_the_run_with_one_message(tmp_path, started, monkeypatch):
    signal_at(monkeypatch, 4, started, signal.SIGKILL)
    with pytest.raises(LostProcess) as lost:
        runs.train(configs.config(CFG), tmp_path / "run", f"{VALUES}=9 processes=2")
    first, second = str(lost.value).splitlines()
    assert first == "process 1 of 2 has ended with SIGKILL."
    assert second.startswith("Continue from step 2 with: gan-train resume=")
    assert lost.value.code == 1
