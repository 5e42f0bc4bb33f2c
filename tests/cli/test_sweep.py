"""Sweeps: every job its folder, nothing twice, nothing lost."""

import json
import logging
import os
import platform
import re
import sys

import pytest
from omegaconf import OmegaConf

from gan_cli.config import sources
from gan_cli.config.identity import RUN_ONLY, config_hash, to_plain
from gan_cli.config.names import folder_name, job_folder, method_name
from gan_cli.config.trust import importable
from gan_cli.device import threads
from gan_cli.errors import Stopped, UserError
from gan_cli.evaluation.sweeps import sweep_runs
from gan_cli.runs import environment
from gan_cli.runs.folder import read_result
from gan_cli.runs.lock import locked

pytestmark = pytest.mark.slow


def jobs_of(folder):
    return json.loads((folder / "sweep.json").read_text())["jobs"]


def test_every_combination_in_its_own_folder(call, jobs, tmp_path):
    root = logging.getLogger()
    before = list(root.handlers), root.level
    answer = call("train", "-m", "loss=wgan,hinge", "seed=1,2", "train.steps=3", "hydra.sweep.dir=s")
    assert (answer.code, answer.err) == (0, "")
    assert (list(root.handlers), root.level) == before
    assert len({tuple(job["path"]) for job in jobs.trained}) == 1  # what a job adds is gone before the next
    folders = {f"loss-{loss}+seed-{seed}+train.steps-3" for loss in ("wgan", "hinge") for seed in (1, 2)}
    assert {path.name for path in (tmp_path / "work" / "s").iterdir()} == {*folders, "sweep.json"}
    assert {job["folder"].name for job in jobs.trained} == folders
    assert {(job["cfg"]["loss"]["_target_"], job["cfg"]["train"]["n_critic"]) for job in jobs.trained} == {
        ("m.Wasserstein", 5),
        ("m.Hinge", 1),
    }
    assert "all jobs: train.steps=3" in answer.out
    assert "loss=wgan seed=1 fd 11 loss-wgan+seed-1" in " ".join(answer.out.replace("│", " ").split())
    assert "4 of 4 jobs finished. They lie in s," in answer.out
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


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (Stopped("stopped at step 3", 15), 143)])
def test_an_interruption_ends_the_sweep_and_the_table_still_comes(call, jobs, tmp_path, error, code):
    jobs.fail[2] = error
    answer = call("train", "-m", "seed=1,2,3", "hydra.sweep.dir=s")
    assert (answer.code, [job["cfg"]["seed"] for job in jobs.trained]) == (code, [1, 2])
    assert [row.get("reason") for row in jobs_of(tmp_path / "work" / "s")] == [None, "interrupted", "interrupted"]
    assert "1 of 3 jobs finished." in answer.out


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), Stopped("stopped at step 3", 15)])
def test_a_stopped_sweep_keeps_its_folder(call, jobs, tmp_path, error, named):
    """Also before any job has a result, and when the only trace of a job is a checkpoint or lies deeper."""
    jobs.fail[1] = error
    answer = call(
        "train", "-m", "seed=1,2", "hydra.sweep.subdir=deep/${seed}", *(["hydra.sweep.dir=outputs/s"] if named else [])
    )
    assert answer.code in (130, 143)
    (folder,) = (tmp_path / "work" / "outputs").iterdir()
    assert (folder / "deep" / "1" / "config.yaml").is_file()
    assert (folder / "sweep.json").is_file()


def test_a_stopped_sweep_leaves_what_others_wrote(call, jobs, tmp_path, monkeypatch):
    """Nothing has begun here, but something that is not Hydra's lies in the new folder."""

    def interrupted(cfg, folder, *others):
        (folder.parent / "mine").mkdir()
        (folder.parent / "mine" / "step_00000003.pt").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["gan_cli.training.command"], "train_command", interrupted)
    assert call("train", "-m", "seed=1,2", "hydra.sweep.dir=s").code == 130
    assert (tmp_path / "work" / "s" / "mine" / "step_00000003.pt").exists()


def test_a_sweep_in_use_is_refused_and_left_alone(call, jobs, tmp_path):
    with locked(tmp_path / "work" / "s"):
        answer = call("train", "-m", "seed=1,2", "hydra.sweep.dir=s")
        assert (answer.code, jobs.trained) == (2, [])
        assert (
            answer.err
            == f"gan-train: s is in use by process {os.getpid()} on {platform.node()}: wait until it ends, or stop it.\n"
        )
        assert os.listdir("s") == [".lock"]
    assert call("train", "-m", "seed=1,2", "hydra.sweep.dir=s").code == 0


def test_a_job_in_use_is_left_out_and_named(call, jobs, tmp_path):
    jobs.fail[2] = UserError("unlucky")
    assert call("train", "-m", "seed=1,2", "hydra.sweep.dir=s").code == 1
    del jobs.fail[2]
    with locked(tmp_path / "work" / "s" / "seed-2"):
        answer = call("train", "-m", "seed=1,2,3", "hydra.sweep.dir=s")
    assert answer.code == 1
    assert [job["cfg"]["seed"] for job in jobs.trained] == [1, 2, 3]
    assert read_result(tmp_path / "work" / "s" / "seed-2")["reason"] == "unlucky"  # that of the process that works there
    assert "failed: s/seed-2 is in use by process" in answer.err
    assert jobs_of(tmp_path / "work" / "s")[1]["reason"].startswith("s/seed-2 is in use by process")


@pytest.mark.parametrize(
    ("subdir", "names"),
    [
        ("run_${seed}", ["run_1", "run_2"]),
        ("${hydra.job.num}_of_${hydra:job.num}", ["0_of_0", "1_of_1"]),
        ("a b/${hydra.overrides.task}", ["a b/['loss=hinge', 'seed=1']", "a b/['loss=hinge', 'seed=2']"]),
        ("${hydra.job.override_dirname}", ["loss=hinge,seed=1", "loss=hinge,seed=2"]),
    ],
)
def test_jobs_run_in_the_folders_that_were_planned(call, jobs, tmp_path, subdir, names):
    words = ["-m", "loss=hinge", "seed=1,2", f"hydra.sweep.subdir={subdir}", "hydra.sweep.dir=s_${seed}"]
    answer = call("train", *words)
    assert (answer.code, answer.err) == (0, "")
    assert [str(job["folder"].relative_to("s_1")) for job in jobs.trained] == names
    assert [row["folder"] for row in jobs_of(tmp_path / "work" / "s_1")] == [f"s_1/{name}" for name in names]
    assert os.listdir() == ["s_1"]
    assert "(finished earlier)" in call("train", *words).out


@pytest.mark.parametrize(
    ("subdir", "said"),
    [
        (
            "fixed",
            "hydra.sweep.subdir gives two jobs the same folder s/fixed: loss=hinge seed=1 and loss=hinge seed=2.\n",
        ),
        ("fixed_${loss._target_}", "hydra.sweep.subdir gives two jobs the same folder s/fixed_m.Hinge: "),
        (".", "job loss=hinge seed=1: hydra.sweep.subdir is the folder of the sweep itself"),
        ("${sed}", "job loss=hinge seed=1: "),
    ],
)
def test_jobs_that_would_share_a_folder_are_refused(call, jobs, subdir, said):
    answer = call("train", "-m", "loss=hinge,wgan", "seed=1,2", f"hydra.sweep.subdir={subdir}", "hydra.sweep.dir=s")
    assert (answer.code, jobs.trained) == (2, [])
    assert answer.err.startswith(f"gan-train: {said}")
    assert os.listdir() == []


def test_equal_jobs_run_once_and_batches_and_params_are_kept(call, jobs):
    words = ["hydra.sweeper.params={loss:'wgan,hinge'}", "hydra.sweeper.max_batch_size=2"]
    assert call("train", "-m", "seed=1,1", *words).code == 0
    assert [job["cfg"]["loss"]["_target_"] for job in jobs.trained] == ["m.Wasserstein", "m.Hinge"]


def test_a_key_that_only_the_swept_losses_bring_along(call, jobs):
    assert call("train", "-m", "loss=wgan", "seed=1", "regularizer.penalty.weight=2").code == 0
    words = ["regularizer.penalty.weight=3", "+optimizer.eps=1e-8", "dataset.root='a, b=c'", "model.generator.name="]
    assert call("train", "-m", "loss=wgan,wgan", *words).code == 0
    assert [job["cfg"]["regularizer"]["penalty"]["weight"] for job in jobs.trained] == [2, 3]
    assert [job["cfg"]["optimizer"].get("eps") for job in jobs.trained] == [None, 1e-8]
    assert [job["cfg"]["dataset"]["root"] for job in jobs.trained] == ["data", "a, b=c"]


def test_hydras_own_sweeper_stays_and_sees_failures(call, jobs, tmp_path):
    jobs.fail[2] = UserError("no data")
    answer = call("train", "-m", "seed=1,2", "hydra/sweeper=basic")
    assert answer.code == 2
    assert [job["folder"].name for job in jobs.trained] == ["seed-1", "seed-2"]
    assert answer.err.endswith("gan-train: no data\n")


WORKER = """
import importlib.util, sys

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return importlib.util.spec_from_file_location(name, {path!r}) if name == "gan_cli.training.command" else None

sys.meta_path.insert(0, Finder)
"""
WORK = """
import os, sys
from gan_cli.config.identity import config_hash
from gan_cli.files import write_json
from gan_cli.errors import UserError

def unused(cfg):
    return []

def train_command(cfg, folder, named, console):
    if cfg.seed == 2:
        raise UserError("unlucky")
    if cfg.seed == 3:
        os._exit(9)
    facts = {"threads": int(os.environ.get("GAN_CLI_THREADS", 0)), "pid": os.getpid(), "torch": "torch" in sys.modules}
    write_json(folder / "result.json", {"status": "finished", "config": config_hash(cfg), "metric": None, **facts})
    return 1.0
"""


def test_joblib_runs_jobs_side_by_side_and_divides_the_threads(call, tmp_path, monkeypatch):
    """In real worker processes, one of which dies."""
    from joblib import cpu_count
    from joblib.externals.loky import get_reusable_executor

    (tmp_path / "sitecustomize.py").write_text(WORKER.format(path=str(tmp_path / "work.py")))
    (tmp_path / "work.py").write_text(WORK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    words = ["-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweep.dir=s"]
    try:
        answer = call("train", *words, "seed=1,2,4")
        assert answer.code == 1
        rows = {row["overrides"][0]: row for row in jobs_of(tmp_path / "work" / "s")}
        share = max(1, cpu_count() // min(2, cpu_count()))
        for seed in (1, 4):
            assert (rows[f"seed={seed}"]["threads"], rows[f"seed={seed}"]["torch"]) == (share, False)
            assert rows[f"seed={seed}"]["pid"] != os.getpid()
        assert rows["seed=2"]["reason"] == "unlucky"
        killed = call("train", *words, "seed=3")
        assert killed.code == 1
        assert "TerminatedWorkerError" in killed.out
    finally:
        get_reusable_executor().shutdown(wait=True)


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "defaults"),
        (["debug=true"], "defaults"),
        (["seed=1", "loss=hinge"], "loss-hinge+seed-1"),
        (["loss=hinge", "debug=true", "seed=1"], "loss-hinge+seed-1"),
        (["model/generator=mlp", "optimizer.lr=1e-4"], "model.generator-mlp+optimizer.lr-1e-4"),
    ],
)
def test_readable_folders(overrides, name):
    assert job_folder(overrides) == name


@pytest.mark.parametrize(
    ("game", "loss", "name"),
    [("gan", "hinge", "hinge"), ("timegan", "non_saturating", "timegan"), ("cgan", "hinge", "cgan_hinge")],
)
def test_a_run_is_called_by_its_method(game, loss, name):
    assert method_name(game, loss) == name


def test_folders_are_plain_short_and_different():
    hard = [["dataset.root='a=b'"], ["dataset.root='a,b'"], ["x=~"], ["x=ä"], ["x=ö"], ["x=[a,b]"], ["x=" + "y" * 300]]
    hard += [["x=" + "y" * 301], ["a=b", "c=d"], ["a='b+c=d'"], ["+x=1"], ["x=1"], ["x=.."], ["x='../../y'"]]
    names = [job_folder(overrides) for overrides in hard]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_.+-]{1,120}", name) and name[0] not in ".-+" for name in names)


@pytest.mark.parametrize("text", ["", ".", "..", "---", "/", "ä", "a/b", " x "])
def test_any_text_becomes_a_folder_inside(text):
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", folder_name(text))


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
        "experiment-both+loss-plain+seed-7",
        "experiment-both+loss-plain+seed-7+train.steps-3",
        "experiment-both+loss-plain+seed-8",
        "experiment-both+loss-plain+seed-8+train.steps-3",
    ]
    jobs.trained.clear()
    assert call("train", "experiment=both", "hydra.sweep.dir=t", "loss=plain", "train.steps=5", "seed=1").code == 0
    assert names(jobs) == ["experiment-both+loss-plain+seed-1+train.steps-5"]  # the cases are one and the same now


def test_an_experiment_that_is_a_sweep_by_itself_needs_no_flag(call, jobs, experiments):
    assert call("train", "experiment=both", "hydra.sweep.dir=s", "seed=1", "model.generator.width=8,16").code == 0
    assert len(jobs.trained) == 4
    jobs.trained.clear()
    assert call("train", "experiment=asked", "hydra.run.dir=r").code == 0  # one run, until it is asked for
    assert [job["cfg"]["seed"] for job in jobs.trained] == [0]
    refused = call("train", "experiment=asked", "seed=1,2")
    assert refused.code == 2
    assert "use gan-train -m" in refused.err
    jobs.trained.clear()
    assert call("train", "-m", "experiment=asked", "hydra.sweep.dir=t", "seed=1").code == 0
    assert len(jobs.trained) == 2


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
