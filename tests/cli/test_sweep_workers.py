"""Sweeps whose jobs run side by side in worker processes: failures, deaths and signals."""

import os
import signal
import subprocess
import sys
import time

import pytest
from omegaconf import OmegaConf
from support.sweeps import WORKER, jobs_of

from gan_cli.cli.launchers import gpus_for, n_workers
from gan_cli.cli.side_by_side import GPUS, dealing

pytestmark = pytest.mark.slow

WORK = """
import os, sys, time
from gan_cli.config.identity import config_hash
from gan_cli.files import write_json
from gan_cli.errors import UserError

def unused(cfg):
    return []

def train_command(cfg, folder, named, console, pruner):
    if cfg.seed == 2:
        raise UserError("unlucky")
    folder.with_name(f"{cfg.seed} began").touch()
    while len(list(folder.parent.glob("* began"))) < 2:
        time.sleep(0.01)
    facts = {"threads": int(os.environ.get("GAN_CLI_THREADS", 0)), "pid": os.getpid(), "torch": "torch" in sys.modules}
    facts["gpus"] = os.environ.get("CUDA_VISIBLE_DEVICES")
    write_json(folder / "result.json", {"status": "finished", "config": config_hash(cfg), "metric": None, **facts})
    return 1.0
"""


def test_joblib_runs_jobs_side_by_side_and_divides_threads_and_gpus(call, tmp_path, monkeypatch):
    """In real worker processes, one for each of two GPUs that are not there."""
    from joblib import cpu_count
    from joblib.externals.loky import get_reusable_executor

    (tmp_path / "sitecustomize.py").write_text(WORKER.format(path=str(tmp_path / "work.py")))
    (tmp_path / "work.py").write_text(WORK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7,9")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    words = ["-m", "hydra/launcher=joblib", "hydra.sweep.dir=s", "precision=fp32", "memory_format=contiguous"]
    try:
        answer = call("train", *words, "seed=1,2,4")
        assert answer.code == 1
        rows = {row["overrides"][-1]: row for row in jobs_of(tmp_path / "work" / "s")}
        for seed in (1, 4):
            assert (rows[f"seed={seed}"]["threads"], rows[f"seed={seed}"]["torch"]) == (max(1, cpu_count() // 2), False)
            assert rows[f"seed={seed}"]["pid"] != os.getpid()
        assert {rows["seed=1"]["gpus"], rows["seed=4"]["gpus"]} == {"4", "7"}
        assert rows["seed=2"]["reason"] == "unlucky"
    finally:
        get_reusable_executor().shutdown(wait=True)


@pytest.mark.parametrize(
    ("n_jobs", "devices", "count", "gpus", "workers"),
    [
        (-1, {"auto": 1}, 3, ["0", "1", "2"], 3),
        (2, {"auto": 1, "cuda": 1}, 3, ["0", "1", "2"], 2),
        (4, {"cuda": 1}, 2, ["0", "1"], 4),
        (-1, {"cuda": 2}, 5, ["0,1", "2,3"], 2),
        (2, {"cuda": 3}, 2, [], 2),
        (2, {"auto": 1}, 0, [], 2),
        (2, {"cpu": 1}, 2, [], 2),
        (2, {"cuda:1": 1, "auto": 1}, 2, [], 2),
    ],
)
def test_gpus_are_dealt_out_to_jobs_that_name_none(monkeypatch, n_jobs, devices, count, gpus, workers):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    launcher = OmegaConf.create({"_target_": "hydra_joblib.Launcher", "n_jobs": n_jobs})
    assert gpus_for(launcher, devices) == gpus
    assert n_workers(launcher, gpus) == workers


TAKE = """
import os
from gan_cli.cli.side_by_side import take_gpu
for job in range(2):
    take_gpu()
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
input()
"""


def test_workers_share_the_gpus_evenly_and_replace_each_other():
    def worker():
        process = subprocess.Popen([sys.executable, "-c", TAKE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        return process, process.stdout.readline().decode().strip()

    with dealing(["3", "5,6"]) as file:
        environment = {**os.environ, GPUS: str(file), "PYTHONPATH": os.pathsep.join(sys.path)}
        workers = [worker() for _ in range(4)]
        assert [gpu for _, gpu in workers] == ["3", "5,6", "3", "5,6"]
        workers[1][0].kill()
        workers[1][0].communicate()
        workers[1] = worker()
        assert workers[1][1] == "5,6"
        for process, _ in workers:
            process.communicate(b"\n")
    assert not file.exists()


UNTIL_A_SIGNAL = """
import time
from omegaconf import OmegaConf
from gan_cli.config.identity import config_hash, to_plain
from gan_cli.errors import Stopped
from gan_cli.files import write_json
from gan_cli.runs.signals import received_by

def unused(cfg):
    return []

def train_command(cfg, folder, named, console, pruner):
    received = []
    with received_by(received.append):
        (folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(to_plain(cfg))))
        while not received:
            time.sleep(0.01)
        time.sleep(0.2)
    reason = f"saved after {received}"
    write_json(folder / "result.json", {"status": "stopped", "config": config_hash(cfg), "reason": reason})
    raise Stopped(reason, received[0])
"""
SWEEP = "import sys; from gan_cli.cli.main import gan_train; sys.exit(gan_train())"


def twice_to_the_group(process, worker):
    os.killpg(process, signal.SIGINT)
    time.sleep(0.1)
    os.killpg(process, signal.SIGINT)


def once_to_the_sweep(process, worker):
    os.kill(process, signal.SIGTERM)


def kill_a_worker(process, worker):
    os.kill(worker, signal.SIGKILL)


@pytest.mark.parametrize(
    ("act", "code", "reasons"),
    [
        pytest.param(twice_to_the_group, 130, ["saved after [2]", "saved after [2]", "interrupted"], marks=pytest.mark.long),
        (once_to_the_sweep, 143, ["saved after [15]", "saved after [15]", "interrupted"]),
        pytest.param(kill_a_worker, 1, ["TerminatedWorkerError"] * 3, marks=pytest.mark.long),
    ],
)
def test_a_parallel_sweep_is_stopped(tmp_path, act, code, reasons):
    """Its jobs save what they have, no further one begins, the table comes, and no process is left."""
    (tmp_path / "sitecustomize.py").write_text(WORKER.format(path=str(tmp_path / "work.py")))
    (tmp_path / "work.py").write_text(UNTIL_A_SIGNAL)
    words = ["-m", "dataset=ring", "seed=1,2,3", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    words += ["hydra.sweep.dir=s", "hydra.sweep.subdir=${seed}", "precision=fp32", "memory_format=contiguous"]  # without torch
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-c", SWEEP, *words],
            cwd=tmp_path,
            env=environment,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    folders, deadline = [tmp_path / "s" / seed for seed in "123"], time.monotonic() + 100
    while sum((folder / "config.yaml").is_file() for folder in folders) < 2:
        time.sleep(0.05)
        assert process.poll() is None, (tmp_path / "said").read_text()
        assert time.monotonic() < deadline
    act(process.pid, int((folders[0] / ".lock").read_text().split()[0]))
    assert process.wait(60) == code, (tmp_path / "said").read_text()
    assert all((folder / "config.yaml").is_file() for folder in folders[:2])
    assert not (folders[2] / "config.yaml").exists()
    assert [row["reason"].partition(":")[0] for row in jobs_of(tmp_path / "s")] == reasons
    assert "0 of 3 jobs finished." in (tmp_path / "said").read_text()
    assert not list((tmp_path / "s").rglob(".lock"))
