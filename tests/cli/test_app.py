"""One run: its folder, its config, how it fails, how it goes on."""

import logging
import os
import platform
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from support import configs

from gan_cli.cli import app, job
from gan_cli.errors import Interrupted, Stopped, UserError
from gan_cli.runs.folder import read_result
from gan_cli.runs.lock import locked

pytestmark = pytest.mark.slow

INTERVAL = "seed=interval(1,3): an interval has no values that a grid could try. Name them: seed=1,2,3 or seed=range(1,4).\n"


def test_a_run_gets_a_folder_of_its_own(call, jobs, tmp_path):
    answer = call("train", "loss=hinge", "model/generator=other")
    assert (answer.code, answer.err) == (0, "")
    (folder,) = (tmp_path / "work" / "outputs").iterdir()
    assert folder.name.endswith("_points_hinge")
    assert jobs.trained[0]["folder"].resolve() == folder
    assert not jobs.trained[0]["folder"].is_absolute()
    assert {path.name for path in folder.iterdir()} == {".hydra", "config.yaml", "result.json"}
    words = answer.out.split()
    assert {"loss=hinge", "dataset=points", "model=tiny", "model/generator=other"} <= set(words)
    assert not any(word.startswith(("hydra", "experiment")) for word in words)
    assert len(answer.out.splitlines()) <= 3
    assert call("train", "regularizer=[penalty,spectral]").out.count("regularizer=[penalty,spectral]") == 1
    assert jobs.trained[1]["threads"] is None


@pytest.mark.parametrize("report", [None, {"claims": []}])
def test_the_shipped_defaults_are_told(report):
    """Not every node holds a component: ``report`` is null, or what an experiment says of itself."""
    cfg = configs.compose()
    cfg.report = report
    told = job.choices(cfg.hydra, cfg).split()
    assert {"solver=alternating", "loss=non_saturating", "metric=auto", "dataset=fashion_mnist_mini"} <= set(told)
    assert not any(word.startswith("report") for word in told)


def test_runs_of_the_same_second_do_not_share_a_folder(call, jobs, conf):
    text = (conf / "train.yaml").read_text().replace("${now:%Y-%m-%d_%H-%M-%S}", "always")
    (conf / "train.yaml").write_text(text)
    assert [call("train").code for _ in range(3)] == [0, 0, 0]
    names = [job["folder"].name for job in jobs.trained]
    assert names == ["always_points_plain", "always_points_plain_2", "always_points_plain_3"]


ODD = "out/ä =,[b] it's 漢\\"


def test_a_named_folder_may_be_called_anything_but_holds_one_run(call, jobs, tmp_path):
    assert call("train", f"hydra.run.dir={ODD}").code == 0
    assert (tmp_path / "work" / ODD / "config.yaml").is_file()
    before = sorted(path.stat().st_mtime_ns for path in (tmp_path / "work" / ODD).rglob("*"))
    again = call("train", f"hydra.run.dir={ODD}")
    assert again.code == 2
    assert again.err.startswith(f"gan-train: {ODD} holds a run already: continue it with gan-train ")
    assert sorted(path.stat().st_mtime_ns for path in (tmp_path / "work" / ODD).rglob("*")) == before
    assert len(jobs.trained) == 1


@pytest.mark.parametrize("word", ["hydra.run.dir=a", "resume=a"])
def test_a_run_in_use_is_refused_and_left_alone(call, jobs, tmp_path, word):
    folder = tmp_path / "work" / "a"
    if word.startswith("resume"):
        assert call("train", "hydra.run.dir=a").code == 0
    with locked(folder):
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
        jobs.trained.clear()
        answer = call("train", word)
        said = f"a is in use by process {os.getpid()} on {platform.node()}: wait until it ends, or stop it."
        assert (answer.code, answer.out, answer.err) == (2, "", f"gan-train: {said}\n")
        assert (jobs.trained, {path: path.stat().st_mtime_ns for path in folder.rglob("*")}) == ([], before)
    assert call("train", word).code == 0


def test_a_run_that_is_refused_before_it_begins_leaves_only_what_it_did_not_make(call, jobs, tmp_path, monkeypatch):
    def refused(*arguments):
        raise UserError("no data")

    monkeypatch.setattr(sys.modules["gan_cli.training.command"], "train_command", refused)
    (tmp_path / "work" / "mine").mkdir()
    assert [call("train", *words).code for words in ([], ["hydra.run.dir=a"], ["hydra.run.dir=mine"])] == [2, 2, 2]
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == ["mine", "outputs"]
    assert list((tmp_path / "work" / "outputs").iterdir()) == []


def test_resume_finds_data_that_have_moved(call, jobs, tmp_path):
    call("train", "dataset=images", "dataset.root=here", f"hydra.run.dir={ODD}")
    answer = call("train", f"resume={ODD}", "dataset.root=there, now")
    assert (answer.code, answer.err) == (0, "")
    first, again = (job["cfg"] for job in jobs.trained)
    assert again == {**first, "dataset": {**first["dataset"], "root": f"{tmp_path}/work/there, now"}, "resume": ODD}


def test_resume_continues_in_the_folder_with_the_runs_own_config(call, jobs, tmp_path):
    call("train", "loss=hinge", "seed=7", "train.steps=5", "optimizer.lr=0.25", f"hydra.run.dir={ODD}")
    first = jobs.trained[0]["cfg"]
    answer = call("train", f"resume={ODD}", "train.steps=9", "log_every=3")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == f"continues {ODD}\n"
    again = jobs.trained[1]
    assert again["cfg"] == {**first, "train": {**first["train"], "steps": 9}, "log_every": 3, "resume": ODD}
    assert again["folder"] == jobs.trained[0]["folder"]
    absolute = call("train", f"resume={tmp_path}/work/{ODD}")
    assert absolute.out == f"continues {ODD}\n"
    assert jobs.trained[2]["cfg"] == again["cfg"]
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["out"]
    assert sorted(path.name for path in (tmp_path / "work" / ODD / ".hydra").iterdir()) == [
        "config.yaml",
        "hydra.yaml",
        "overrides.yaml",
    ]
    assert "steps=5" in (tmp_path / "work" / ODD / ".hydra" / "overrides.yaml").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["resume=a", "loss=hinge"], "resume continues a run with its own config; loss cannot change (only train.steps, "),
        (["resume=a", "hydra.run.dir=b"], "resume continues a run with its own config; hydra.run.dir cannot change"),
        (["resume=a", "train.steps=abc"], "train.steps must be an integer, not 'abc'"),
        (["resume=a", "-m"], "resume continues one run: leave out -m."),
        (["resume=a"], "no run in a: there is no a/config.yaml.\nName the folder"),
        (
            ["resume=done/checkpoints"],
            "no run in done/checkpoints: there is no done/checkpoints/config.yaml.\nDid you mean done?",
        ),
    ],
)
def test_resume_refuses(call, jobs, tmp_path, words, said):
    (tmp_path / "work" / "done" / "checkpoints").mkdir(parents=True)
    (tmp_path / "work" / "done" / "config.yaml").write_text("seed: 1\n")
    answer = call("train", *words)
    assert (answer.code, jobs.trained) == (2, [])
    assert answer.err.startswith(f"gan-train: {said}")
    assert not (tmp_path / "work" / "a").exists()


def test_resume_checks_the_stored_config(call, tmp_path):
    (tmp_path / "work" / "a").mkdir()
    (tmp_path / "work" / "a" / "config.yaml").write_text("train: {stepz: 1}\n")
    answer = call("train", "resume=a")
    said = "a was made by an earlier version of gan-cli and cannot be continued or evaluated by this one."
    assert (answer.code, answer.err) == (2, f"gan-train: {said}\n")


def test_resume_from_a_file_is_refused(call, conf):
    (conf / "experiment" / "on.yaml").write_text("# @package _global_\nresume: somewhere\n")
    answer = call("train", "experiment=on")
    assert (answer.code, answer.err) == (2, "gan-train: resume belongs on the command line: gan-train resume=RUN_DIR.\n")


@pytest.mark.parametrize(
    ("error", "code", "said", "reason"),
    [
        (UserError("no data\nfetch them"), 2, "no data\nfetch them\n", "no data fetch them"),
        (OSError(28, "No space left on device", "x.pt"), 2, "No space left on device: x.pt\n", "OSError: [Errno 28] No"),
        (
            RuntimeError("shapes\nand more"),
            1,
            "RuntimeError: shapes\nThis is a fault of the program: run again with debug=true for the traceback.\n",
            "RuntimeError: shapes",
        ),
    ],
)
def test_failures_are_told_and_recorded(call, jobs, tmp_path, error, code, said, reason):
    jobs.fail[3] = error
    answer = call("train", "seed=3", "hydra.run.dir=a")
    assert (answer.code, answer.err) == (code, f"gan-train: {said}")
    found = read_result(tmp_path / "work" / "a")
    assert found["status"] == "failed"
    assert found["reason"].startswith(reason)
    log = tmp_path / "work" / "a" / "train.log"
    assert (log.is_file() and "Traceback" in log.read_text()) == (not isinstance(error, UserError))


def test_debug_shows_the_traceback(call, jobs):
    jobs.fail[3] = RuntimeError("shapes")
    answer = call("train", "seed=3", "debug=true")
    assert answer.code == 1
    assert answer.err.startswith("Traceback (most recent call last):\n")
    assert "in train\n    raise self.fail[cfg.seed]" in answer.err
    assert call("train", "seed=x", "debug=true").err.startswith("Traceback")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted; continue with: gan-train resume=a"),
        (Stopped("stopped at step 3", 15), 143, "stopped at step 3"),
    ],
)
def test_an_interrupted_run_is_no_failure(call, jobs, tmp_path, error, code, said):
    jobs.fail[3] = error
    answer = call("train", "seed=3", "hydra.run.dir=a")
    assert (answer.code, answer.err) == (code, f"gan-train: {said}\n")
    assert not (tmp_path / "work" / "a" / "result.json").exists()


def test_a_signal_that_a_library_turned_into_an_error_interrupts(call, jobs, monkeypatch):
    def compose(*arguments):
        with suppress(Interrupted):
            signal.raise_signal(signal.SIGTERM)
        raise AttributeError("'NoneType' object has no attribute '_is_none'")

    monkeypatch.setattr(app, "compose", compose)
    answer = call("train", "seed=3")
    assert (answer.code, answer.err, jobs.trained) == (143, "gan-train: interrupted\n", [])


def test_a_failed_continuation_leaves_the_result_of_the_finished_run(call, jobs, tmp_path):
    call("train", "seed=3", "hydra.run.dir=a")
    jobs.fail[3] = UserError("no such device")
    assert call("train", "resume=a", "device=cuda:9").code == 2
    assert read_result(tmp_path / "work" / "a")["status"] == "finished"


def test_an_unwritable_place_is_a_sentence(call, tmp_path):
    (tmp_path / "work" / "outputs").write_text("a file where the folder should be")
    answer = call("train")
    assert answer.code == 2
    assert answer.err.startswith("gan-train: ")
    assert len(answer.err.splitlines()) == 1


def test_logging_is_as_before(call):
    root = logging.getLogger()
    before = list(root.handlers), root.level
    call("train")
    assert (list(root.handlers), root.level) == before


def test_the_config_is_shown_without_running(call, jobs, tmp_path):
    answer = call("train", "loss=wgan", "--cfg", "job", "train.steps=3")
    assert answer.code == 0
    shown = OmegaConf.create(answer.out).train
    assert (shown.steps, shown.images, shown.n_critic) == (3, None, 5)
    part = call("train", "loss=wgan", "-c", "job", "-p", "schedule", "--resolve")
    assert OmegaConf.create(part.out) == {"_target_": "m.Rounds", "n_critic": 5}
    assert (jobs.trained, list((tmp_path / "work").iterdir())) == ([], [])


def test_the_config_of_a_sweep_is_that_of_its_first_job(call, jobs):
    sweeps = [
        (["-m", "loss=wgan,hinge", "seed=1,2"], "loss=wgan seed=1"),
        (["-m", "seed=4", "+hydra.sweeper.params={loss:'wgan,hinge'}"], "loss=wgan seed=4"),
    ]
    for words, first in sweeps:
        answer = call("train", *words, "--cfg", "job")
        assert answer.code == 0, answer.err
        assert answer.out.splitlines()[0] == f"# the first job of the sweep: {first}"
        assert OmegaConf.create(answer.out).train.n_critic == 5
    assert jobs.trained == []


@pytest.mark.long
def test_own_options_compose(call, jobs, tmp_path):
    (tmp_path / "mine" / "loss").mkdir(parents=True)
    (tmp_path / "mine" / "loss" / "own.yaml").write_text("_target_: own.Loss\n")
    for words in (["--config-dir", str(tmp_path / "mine")], [f"hydra.searchpath=[file://{tmp_path}/mine]"]):
        assert call("train", "loss=own", *words).code == 0
        assert jobs.trained[-1]["cfg"]["loss"] == {"_target_": "own.Loss"}


@pytest.mark.parametrize("command", ["evaluate", "sample"])
def test_a_bare_path_is_the_run(call, jobs, tmp_path, command):
    (tmp_path / "work" / ODD).mkdir(parents=True)
    (tmp_path / "work" / ODD / "config.yaml").touch()
    assert call(command, ODD, "seed=3").code == 0
    assert call(command, "seed=3", f"run={ODD}").code == 0
    assert jobs.asked[0] == jobs.asked[1]
    name, cfg = jobs.asked[0]
    assert (name, cfg["run"], cfg["seed"], "hydra" in cfg) == (command, ODD, 3, False)
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == ["out"]


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        ("evaluate", [], "name the folder of a run: gan-eval outputs/..."),
        ("evaluate", ["nowhere"], "no run in nowhere: there is no nowhere/config.yaml.\nName"),
        ("sample", ["a", "b"], "one run at a time, not 2: a, b"),
        ("evaluate", ["a", "b"], "no run in a: there is no a/config.yaml."),
        ("evaluate", ["outputs/x/checkpoints/step_2.pt", "checkpoint=3"], "checkpoint is given 2 times: 2, 3.\nGive it once."),
        (
            "report",
            ["outputs/x/checkpoints/step_2.pt"],
            "outputs/x/checkpoints/step_2.pt is a checkpoint, and gan-report takes",
        ),
        ("sample", ["step_2.pt"], "step_2.pt lies in no run: name its run, too: gan-sample RUN_DIR checkpoint=step_2.pt"),
        ("sample", ["ring"], "'ring' is in the names of 2 folders below outputs/: type more of one.\nring_2, ring_1"),
        (
            "evaluate",
            ["a", "features=[net,net]"],
            "features=[net,net] names several options where one is used.\nFor each of them type gan-eval again.",
        ),
        ("sample", ["a", "++run=b"], "one run at a time, not 2: a, b"),
        ("evaluate", ["++run=null"], "name the folder of a run: gan-eval outputs/..."),
        ("evaluate", ["run="], "name the folder of a run: gan-eval outputs/..."),
        ("evaluate", ["a", "sed=3"], "no key 'sed'. Did you mean seed?"),
        ("evaluate", ["a", "n_samples=many"], "n_samples must be an integer, not 'many'"),
        ("evaluate", ["a", "metric=aut"], "no metric named 'aut'. Did you mean auto?\navailable: auto"),
        ("evaluate", ["real=a", "fake=b", "features=ned"], "no features named 'ned'. Did you mean net?\navailable: net"),
        ("evaluate", ["a", "metrik=auto"], "no key 'metrik'. Did you mean metric?"),
        ("evaluate", ["a", "metric=auto", "metric.n_sampels=3"], "no key 'metric.n_sampels'. Did you mean n_samples?"),
        ("evaluate", ["a", "ema=maybe"], "ema must be true or false, not 'maybe'"),
        ("evaluate", ["a", "-m"], "unrecognized arguments: -m. See gan-eval --help."),
        ("sample", ["a", "mode=film"], "mode must be grid, single, interpolation, traverse, steer or video, not 'film'"),
        ("sample", ["a", "n=0"], "n must be at least 1, not 0"),
    ],
)
def test_commands_about_a_run_refuse(call, jobs, command, words, said):
    for file in ("x/config.yaml", "x/checkpoints/step_2.pt", "ring_1/config.yaml", "ring_2/config.yaml"):
        (Path("outputs") / file).parent.mkdir(parents=True, exist_ok=True)
        (Path("outputs") / file).touch()
    os.utime("outputs/ring_1/config.yaml", (1, 1))
    Path("step_2.pt").touch()
    answer = call(command, *words)
    assert (answer.code, jobs.asked) == (2, [])
    assert answer.err.startswith(f"gan-{'eval' if command == 'evaluate' else command}: {said}")
    assert len(answer.err.splitlines()) <= 2


def test_sample_takes_an_odd_path_to_write_to(call, jobs, tmp_path):
    (tmp_path / "work" / "a").mkdir()
    (tmp_path / "work" / "a" / "config.yaml").touch()
    assert call("sample", "a", f"out={ODD}").code == 0
    assert jobs.asked[0][1]["out"] == ODD


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-m", "seed=interval(1,3)"], INTERVAL),
        (["-m", "seed=interval(1,3)", "--cfg", "job"], INTERVAL),
        (["-m", "seed=interval(1,3)", "--dry-run"], INTERVAL),
        (["-m", "seed=interval(1,3)", "hydra/sweeper=basic"], INTERVAL),
        (
            ["-m", "hydra/sweeper=basic", "++hydra.sweeper.params.seed=1"],
            "hydra.sweeper.params.seed cannot be set, as hydra.sweeper.params is null.",
        ),
        (["hydra/sweeper=ax"], "hydra/sweeper=ax comes with a plugin of Hydra's, which is not installed: pip install"),
        (
            ["-m", "seed=1,2", "hydra/launcher=rq"],
            "hydra/launcher=rq comes with a plugin of Hydra's, which is not installed",
        ),
        (
            ["-m", "seed=1,2", "hydra/launcher=ray"],
            "hydra/launcher=ray needs the package hydra-ray-launcher, which is not installed.",
        ),
        (["--cfg", "job", "-p", "losss"], "-p losss: the config has no such key. Did you mean loss?"),
        (["--cfg", "job", "-p", "train.step"], "-p train.step: the config has no such key. Did you mean train.steps?"),
    ],
)
def test_one_useful_line(call, jobs, words, said):
    answer = call("train", *words)
    assert (answer.code, answer.out, jobs.trained) == (2, "", [])
    assert answer.err.startswith(f"gan-train: {said}")
    assert len(answer.err.splitlines()) <= 2


def test_a_sweep_of_nothing_shows_the_defaults(call):
    answer = call("train", "-m", "--cfg", "job", "-p", "train")
    assert answer.out.startswith("# the first job of the sweep: the defaults\n# @package train\nsteps: 3000\n")
