"""Sweeps whose jobs submitit sends: what they are sent with, what is awaited, and what a preempted job does."""

import json
import os
import stat
import sys
from pathlib import Path

import pytest
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf
from support.sweeps import WORKER, jobs_of

from gan_cli.cli import cluster
from gan_cli.cli.launchers import is_sent, is_slurm, refuse_choice_of_this_machine, thread_share
from gan_cli.errors import UserError

LOCAL = OmegaConf.create({"_target_": "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher"})
SLURM = OmegaConf.create({"_target_": "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"})

WORK = """
import os, signal
from pathlib import Path
from omegaconf import OmegaConf
from gan_cli.config.identity import config_hash, to_plain
from gan_cli.errors import Stopped
from gan_cli.files import write_json
from gan_cli.runs.signals import received_by

def unused(cfg):
    return []

def train_command(cfg, folder, *more):
    if cfg.seed == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if cfg.resume is None:
        (folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(to_plain(cfg))))
        Path({conf!r}, "model", "generator", "tiny.yaml").write_text("_target_: m.Tiny\\nwidth: 9\\n")
        Path({conf!r}, "loss", "hinge.yaml").unlink(missing_ok=True)
        with received_by((received := []).append):
            signal.raise_signal(signal.SIGUSR2)
        assert received == [signal.SIGUSR2]
        (folder / "saved").touch()
        raise Stopped("stopped at step 7", signal.SIGUSR2)
    facts = {{"width": cfg.model.generator.width, "resumed": str(cfg.resume), "saved": (folder / "saved").is_file()}}
    facts["threads"] = int(os.environ["GAN_CLI_THREADS"])
    write_json(folder / "result.json", {{"status": "finished", "config": config_hash(cfg), "metric": None, **facts}})
"""


@pytest.mark.slow
@pytest.mark.long
def test_a_preempted_job_saves_and_goes_on_as_it_was_sent(call, conf, tmp_path, monkeypatch):
    """In real processes of submitit, one of which is killed; the options are changed once they run."""
    (tmp_path / "sitecustomize.py").write_text(WORKER.format(path=str(tmp_path / "work.py")))
    (tmp_path / "work.py").write_text(WORK.format(conf=str(conf)))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    words = ["-m", "hydra/launcher=submitit_local", "loss=hinge", "precision=fp32", "memory_format=contiguous"]
    answer = call("train", *words, "hydra.launcher.cpus_per_task=3", "hydra.sweep.dir=s", "seed=1,3")
    rows = jobs_of(tmp_path / "work" / "s")
    assert (answer.code, [row["status"] for row in rows]) == (1, ["finished", "failed"]), answer
    preempted, killed = rows
    assert killed["reason"] == "ended without a result"
    assert preempted["resumed"] == preempted["folder"]
    assert (preempted["width"], preempted["saved"], preempted["threads"]) == (8, True, 3)
    assert "sent to processes of their own: " in answer.out


def command(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A folder of commands that stand for Slurm's: each line of ``queue`` is one answer, and what is sent has number 12."""
    place = tmp_path / "bin"
    place.mkdir()
    command(place / "sbatch", f"cp $1 {place}/sent; echo Submitted batch job 12")
    command(place / "srun", "")
    command(place / "squeue", f"head -n 1 {place}/queue | tr ' ' '\\n'; sed -i 1d {place}/queue")
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(cluster, "PAUSES", (0,))
    return place


def launcher(folder: Path):
    Plugins.instance()
    from hydra_plugins.hydra_submitit_launcher.submitit_launcher import SlurmLauncher

    made = SlurmLauncher(submitit_folder=f"{folder}/.submitit/%j", timeout_min=30, gpus_per_node=2)
    made.setup(hydra_context=None, task_function=None, config=OmegaConf.create({"hydra": {"sweep": {"dir": str(folder)}}}))
    return made


@pytest.mark.slow
def test_jobs_that_slurm_still_has_are_awaited_and_not_sent_again(slurm, tmp_path, capsys):
    sweep, jobs = tmp_path / "s", {f"seed-{seed}": [f"seed={seed}"] for seed in (1, 2, 3)}
    (slurm / "queue").write_text("12_0 12_1 12_2\n12_2 99\n99\n")
    cluster.launch(launcher(sweep), sweep, jobs, 0)
    assert "--gpus-per-node=2" in (slurm / "sent").read_text()
    assert json.loads((sweep / cluster.SENT).read_text()) == {"seed-1": "12_0", "seed-2": "12_1", "seed-3": "12_2"}
    said = capsys.readouterr().out
    assert "sent to Slurm: 12_0 12_1 12_2; what they print is in" in said
    assert "since an earlier call" not in said
    assert (slurm / "queue").read_text() == "", "it has waited until none of them was there"

    (slurm / "sent").unlink()
    (slurm / "queue").write_text("12_1 12_2\n12_1\n99\n")
    cluster.launch(launcher(sweep), sweep, {name: jobs[name] for name in ("seed-2", "seed-3")}, 0)
    assert "2 of the jobs are queued or running since an earlier call: 12_1 12_2\n" in capsys.readouterr().out
    assert not (slurm / "sent").exists()
    assert (slurm / "queue").read_text() == ""


def test_where_slurm_does_not_answer_nothing_is_known_of_its_queue(slurm):
    command(slurm / "squeue", "exit 1")
    assert cluster._queued() is None


@pytest.mark.slow
def test_a_sweep_for_slurm_needs_slurm(call, jobs, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = call("train", "-m", "hydra/launcher=submitit_slurm", "seed=1,2", "hydra.sweep.dir=s")
    assert (answer.code, jobs.trained) == (2, [])
    assert answer.err == (
        "gan-train: hydra/launcher=submitit_slurm needs sbatch, which is missing here. Start the sweep on a login node.\n"
    )
    assert not (tmp_path / "work" / "s").exists()


@pytest.mark.parametrize(
    ("launcher", "device", "refused"),
    [
        ({**SLURM, "gpus_per_node": 1}, "auto", True),
        (SLURM, "cuda", True),
        (SLURM, "auto", False),
        ({**SLURM, "gpus_per_node": 1}, "cpu", False),
        ({**LOCAL, "gpus_per_node": 1}, "auto", False),
    ],
)
def test_nothing_is_chosen_by_the_cpu_of_a_login_node_for_jobs_on_gpus(monkeypatch, launcher, device, refused):
    monkeypatch.setattr("gan_cli.device.gpus", list)
    node = OmegaConf.create(dict(launcher))
    refuse_choice_of_this_machine(node, device, [])
    if not refused:
        refuse_choice_of_this_machine(node, device, ["precision"])
        return
    with pytest.raises(UserError, match=r"^precision and memory_format: auto is chosen by the device"):
        refuse_choice_of_this_machine(node, device, ["precision", "memory_format"])


def test_threads_of_jobs_that_are_sent(monkeypatch):
    monkeypatch.setattr("joblib.cpu_count", lambda: 8)
    assert (is_sent(LOCAL), is_sent(SLURM), is_slurm(LOCAL), is_slurm(SLURM)) == (True, True, False, True)
    assert (thread_share(LOCAL, 3, []), thread_share(SLURM, 3, [])) == (2, None)
    assert thread_share(OmegaConf.create({**SLURM, "cpus_per_task": 5}), 3, []) == 5
