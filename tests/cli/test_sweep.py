"""Sweeps: every job its folder, nothing twice, nothing lost."""

import logging
import re

import pytest
from omegaconf import OmegaConf
from support.sweeps import jobs_of

from gan_cli.config import sources
from gan_cli.config.identity import config_hash, to_plain
from gan_cli.config.names import RUN_ONLY
from gan_cli.config.trust import importable
from gan_cli.device import threads
from gan_cli.errors import Stopped, UserError
from gan_cli.evaluation.sweeps import sweep_runs
from gan_cli.runs import environment
from gan_cli.runs.folder import read_result

pytestmark = pytest.mark.slow


def test_every_combination_in_its_own_folder(call, jobs, tmp_path):
    root = logging.getLogger()
    before = list(root.handlers), root.level
    answer = call("train", "-m", "loss=wgan,hinge", "seed=1,2", "train.steps=3", "hydra.sweep.dir=s")
    assert (answer.code, answer.err) == (0, "")
    assert (list(root.handlers), root.level) == before
    assert len({tuple(job["path"]) for job in jobs.trained}) == 1  # what a job adds is gone before the next
    folders = {f"loss-{loss}+seed-{seed}" for loss in ("wgan", "hinge") for seed in (1, 2)}
    assert {path.name for path in (tmp_path / "work" / "s").iterdir()} == {*folders, "sweep.json"}
    assert {job["folder"].name for job in jobs.trained} == folders
    assert {(job["cfg"]["loss"]["_target_"], job["cfg"]["train"]["n_critic"]) for job in jobs.trained} == {
        ("m.Wasserstein", 5),
        ("m.Hinge", 1),
    }
    assert "all jobs: train.steps=3" in answer.out
    assert "loss=wgan seed=1 fd 11 loss-wgan+seed-1" in " ".join(answer.out.replace("│", " ").split())
    assert "4 of 4 jobs finished. They lie in s," in answer.out
    assert [(row["method"], row["loss"], row["seed"]) for row in jobs_of(tmp_path / "work" / "s")] == [
        ("loss=wgan", "wgan", 1),
        ("loss=wgan", "wgan", 2),
        ("loss=hinge", "hinge", 1),
        ("loss=hinge", "hinge", 2),
    ]
    assert [(row["status"], row["objective"]) for row in jobs_of(tmp_path / "work" / "s")] == [
        ("finished", value) for value in (11.0, 12.0, 11.0, 12.0)
    ]


def test_a_failed_job_does_not_stop_the_others_and_finished_ones_are_not_run_again(call, jobs, tmp_path):
    jobs.fail = {1: UserError("no data\nfetch them"), 2: ValueError("wrong")}
    sweep = ["-m", "seed=1,2,3", "hydra.sweep.dir=s"]
    first = call("train", *sweep)
    assert first.code == 1
    assert [job["cfg"]["seed"] for job in jobs.trained] == [1, 2, 3]
    assert "no data fetch them" in first.out
    assert "ValueError: wrong" in first.out
    assert "1 of 3 jobs finished." in first.out
    assert "Traceback" in (tmp_path / "work" / "s" / "seed-2" / "train.log").read_text()
    assert [row["status"] for row in jobs_of(tmp_path / "work" / "s")] == ["failed", "failed", "finished"]

    del jobs.fail[1]
    second = call("train", *sweep, "debug=true")
    assert second.code == 1
    assert [job["cfg"]["seed"] for job in jobs.trained[3:]] == [1, 2]
    assert [job["cfg"]["resume"] for job in jobs.trained[3:]] == ["s/seed-1", "s/seed-2"]  # they go on where they were
    assert "Traceback" in second.err
    assert "fd 13 (finished earlier)" in " ".join(second.out.replace("│", " ").split())

    third = call("train", "-m", "seed=1,3", "hydra.sweep.dir=s")
    assert (third.code, len(jobs.trained)) == (0, 5)


@pytest.mark.long
def test_a_folder_with_another_run_is_refused_before_anything_starts(call, jobs, conf, tmp_path):
    assert call("train", "-m", "seed=2", "hydra.sweep.dir=s").code == 0
    path = conf / "model" / "generator" / "tiny.yaml"
    path.write_text(path.read_text().replace("8", "9"))
    answer = call("train", "-m", "seed=1,2", "hydra.sweep.dir=s")
    assert (answer.code, len(jobs.trained)) == (2, 1)
    assert answer.err.startswith("gan-train: job seed=2: s/seed-2 holds a run with another config: name another")
    assert read_result(tmp_path / "work" / "s" / "seed-2")["status"] == "finished"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["seed=1,x"], "job seed=x: seed must be an integer, not 'x'"),
        (["train.ncritic=1,2"], "no key 'train.ncritic'. Did you mean train.n_critic?"),
        (
            ["loss=wgan,hinge", "regularizer.penalty.weight=1"],
            "job loss=hinge regularizer.penalty.weight=1: no key 'regularizer.penalty.weight'. There is regularizer.none.",
        ),
        (["hydra.job.name=a,b"], "Sweeping over Hydra's configuration is not supported"),
    ],
)
def test_what_cannot_start_leaves_nothing_behind(call, jobs, tmp_path, words, said):
    answer = call("train", "-m", *words)
    assert (answer.code, jobs.trained) == (2, [])
    assert answer.err.startswith(f"gan-train: {said}")
    assert not list((tmp_path / "work").glob("outputs/*"))


@pytest.mark.parametrize(
    ("error", "code"),
    [pytest.param(KeyboardInterrupt(), 130, marks=pytest.mark.long), (Stopped("stopped at step 3", 15), 143)],
)
def test_an_interruption_ends_the_sweep_and_the_table_still_comes(call, jobs, tmp_path, error, code):
    jobs.fail[2] = error
    answer = call("train", "-m", "seed=1,2,3", "hydra.sweep.dir=s")
    assert (answer.code, [job["cfg"]["seed"] for job in jobs.trained]) == (code, [1, 2])
    assert [row.get("reason") for row in jobs_of(tmp_path / "work" / "s")] == [None, "interrupted", "interrupted"]
    assert "1 of 3 jobs finished." in answer.out


def test_equal_jobs_run_once_and_batches_and_params_are_kept(call, jobs):
    words = ["hydra.sweeper.params={loss:'wgan,hinge'}", "hydra.sweeper.max_batch_size=2"]
    assert call("train", "-m", "seed=1,1", *words).code == 0
    assert [job["cfg"]["loss"]["_target_"] for job in jobs.trained] == ["m.Wasserstein", "m.Hinge"]


def test_a_key_that_only_the_swept_losses_bring_along(call, jobs, tmp_path):
    assert call("train", "-m", "loss=wgan", "seed=1", "regularizer.penalty.weight=2").code == 0
    words = ["regularizer.penalty.weight=3", "+optimizer.eps=1e-8", "dataset.root='a, b=c'", "model.generator.name="]
    assert call("train", "-m", "loss=wgan,wgan", *words).code == 0
    assert [job["cfg"]["regularizer"]["penalty"]["weight"] for job in jobs.trained] == [2, 3]
    assert [job["cfg"]["optimizer"].get("eps") for job in jobs.trained] == [None, 1e-8]
    assert [job["cfg"]["dataset"]["root"].removeprefix(f"{tmp_path}/work/") for job in jobs.trained] == ["data", "a, b=c"]


def test_hydras_own_sweeper_stays_and_sees_failures(call, jobs, tmp_path):
    jobs.fail[2] = UserError("no data")
    answer = call("train", "-m", "seed=1,2", "hydra/sweeper=basic")
    assert answer.code == 2
    assert [job["folder"].name for job in jobs.trained] == ["seed-1", "seed-2"]
    assert answer.err.endswith("gan-train: no data\n")


CFG = {"train": {"steps": 2, "batch": "${seed}"}, "seed": 3, "device": "cpu", "debug": False, "resume": None, "log_every": 1}


def test_the_hash_is_of_what_is_computed():
    base = config_hash(OmegaConf.create(CFG))
    assert re.fullmatch("[0-9a-f]{12}", base)
    assert config_hash(OmegaConf.create(dict(reversed(CFG.items())))) == base
    for key in set(RUN_ONLY) & set(CFG):
        assert config_hash(OmegaConf.create({**CFG, key: "other"})) == base
    assert config_hash(OmegaConf.create({**CFG, "hydra": {"job": "???"}})) == base
    assert config_hash(OmegaConf.create({**CFG, "seed": 4})) != base
    assert config_hash(OmegaConf.create({**CFG, "train": {"steps": 2, "batch": 3}})) == base
    assert to_plain(OmegaConf.create(CFG))["train"] == {"steps": 2, "batch": 3}


@pytest.mark.parametrize(("value", "count"), [(None, None), ("", None), ("0", None), ("x", None), ("3", 3)])
def test_threads(monkeypatch, value, count):
    monkeypatch.delenv("GAN_CLI_THREADS", raising=False)
    if value is not None:
        monkeypatch.setenv("GAN_CLI_THREADS", value)
    assert threads() == count


@pytest.mark.parametrize("text", [None, "", "{", "[1]", "3"])
def test_an_unreadable_result_is_none(tmp_path, text):
    if text is not None:
        (tmp_path / "result.json").write_text(text)
    assert read_result(tmp_path) is None


def names(jobs):
    return sorted(job["folder"].name for job in jobs.trained)


@pytest.fixture
def experiments(conf):
    """Two experiments that are sweeps: one by itself, one only with ``-m``."""
    head = "# @package _global_\nhydra:\n"
    sweeper = "  sweeper:\n    params:\n      seed: 1,2\n    cases:\n      - [loss=wgan]\n      - [loss=hinge, train.steps=3]\n"
    (conf / "experiment" / "both.yaml").write_text(f"{head}  mode: MULTIRUN\n{sweeper}")
    (conf / "experiment" / "asked.yaml").write_text(f"{head}{sweeper}")
    return conf


@pytest.mark.long
def test_cases_are_no_grid(call, jobs, experiments):
    answer = call("train", "experiment=both", "hydra.sweep.dir=s")
    assert (answer.code, answer.err) == (0, "")
    assert [(job["cfg"]["loss"]["_target_"], job["cfg"]["train"]["steps"], job["cfg"]["seed"]) for job in jobs.trained] == [
        ("m.Wasserstein", 3000, 1),
        ("m.Wasserstein", 3000, 2),
        ("m.Hinge", 3, 1),
        ("m.Hinge", 3, 2),
    ]


def test_the_command_line_counts_instead_of_what_an_experiment_sweeps(call, jobs, experiments):
    assert call("train", "experiment=both", "hydra.sweep.dir=s", "loss=plain", "seed=7,8").code == 0
    assert names(jobs) == [
        "seed-7",
        "seed-7+train.steps-3",
        "seed-8",
        "seed-8+train.steps-3",
    ]
    jobs.trained.clear()
    assert call("train", "experiment=both", "hydra.sweep.dir=t", "loss=plain", "train.steps=5", "seed=1").code == 0
    assert names(jobs) == ["experiment-both+loss-plain+seed-1+train.steps-5"]  # the cases are one and the same now


def test_an_experiment_that_is_a_sweep_by_itself_needs_no_flag(call, jobs, experiments):
    assert call("train", "experiment=both", "hydra.sweep.dir=s", "seed=1").code == 0
    assert len(jobs.trained) == 2
    jobs.trained.clear()
    assert call("train", "experiment=asked", "hydra.run.dir=r").code == 0  # one run, until it is asked for
    assert [job["cfg"]["seed"] for job in jobs.trained] == [0]
    refused = call("train", "experiment=asked", "seed=1,2")
    assert refused.code == 2
    assert "use gan-train -m" in refused.err
    jobs.trained.clear()
    assert call("train", "-m", "experiment=asked", "hydra.sweep.dir=t", "seed=1").code == 0
    assert len(jobs.trained) == 2


@pytest.mark.long
def test_max_batch_size_goes_over_all_cases(call, jobs, experiments):
    assert call("train", "experiment=both", "hydra.sweep.dir=s", "hydra.sweeper.max_batch_size=3").code == 0
    assert len(jobs.trained) == 4


def test_jobs_whose_own_code_has_changed(call, jobs, conf, tmp_path):
    work = tmp_path / "work"
    (work / "my_losses.py").write_text("class Mine: ...\n")
    (conf / "loss" / "mine.yaml").write_text("_target_: my_losses.Mine\n")
    sweep = ["-m", "loss=hinge,mine", "hydra.sweep.dir=s"]
    assert call("train", *sweep).code == 0
    for job in jobs.trained:
        with importable(work):
            own = sources.of_config(OmegaConf.create(job["cfg"]))
        environment.record(work / job["folder"], 0, {}, own)
        (work / job["folder"] / "checkpoints").mkdir()
        (work / job["folder"] / "checkpoints" / "step_00000001.pt").touch()
    jobs.trained.clear()
    (work / "my_losses.py").write_text("class Mine: x = 100\n")
    refused = call("train", *sweep)
    assert (refused.code, jobs.trained) == (2, [])
    assert refused.err.startswith("gan-train: job loss=mine: changed since s/loss-mine was trained: my_losses (")
    assert "code=new" in refused.err
    assert call("train", *sweep, "code=ignore").code == 0
    assert jobs.trained == []
    assert call("train", *sweep, "code=new").code == 0
    assert [(str(job["folder"]), job["cfg"]["resume"]) for job in jobs.trained] == [("s/loss-mine", None)]
    assert read_result(work / "s" / "earlier_code" / "loss-mine")["status"] == "finished"
    assert [row["folder"] for row in jobs_of(work / "s")] == ["s/loss-hinge", "s/loss-mine"]
    assert [run.name for run in sweep_runs(work / "s")] == ["loss-hinge", "loss-mine"]


def test_auto_is_settled_once_for_all_jobs(call, jobs, tmp_path, monkeypatch):
    """Before the jobs are named and hashed; started again on another machine, the sweep keeps what it chose."""
    from gan_cli import automatic

    monkeypatch.setattr(automatic, "kinds_of", lambda cfg: ["convolutional"])
    monkeypatch.setattr(automatic, "computes_in", lambda device, dtype: True)
    sweep = ["-m", "seed=1,2", "precision=auto", "memory_format=auto", "device=cpu", "hydra.sweep.dir=s"]
    jobs.fail = {2: ValueError("wrong")}
    first = call("train", *sweep)
    assert first.out.count("precision=bf16, memory_format=channels_last: chosen for cpu") == 1
    assert [(job["cfg"]["precision"], job["cfg"]["memory_format"]) for job in jobs.trained] == [("bf16", "channels_last")] * 2
    folder = tmp_path / "work" / "s"
    assert {path.name for path in folder.iterdir()} == {"seed-1", "seed-2", "sweep.json"}
    words = OmegaConf.load(folder / "seed-1" / ".hydra" / "overrides.yaml")
    assert [word for word in words if word.startswith(("precision", "memory"))] == [
        "precision=bf16",
        "memory_format=channels_last",
    ]
    monkeypatch.setattr(automatic, "computes_in", lambda device, dtype: False)
    jobs.fail = {}
    again = call("train", *sweep)
    assert again.code == 0, again.out
    assert "2 jobs, 1 of them finished already" in again.out
    assert "precision=bf16, memory_format=channels_last: as the run began" in again.out
    assert len(jobs.trained) == 3
    assert jobs.trained[-1]["cfg"]["precision"] == "bf16"
