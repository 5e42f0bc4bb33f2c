"""The folders of sweeps and their jobs: names, locks, and what is kept."""

import os
import platform
import re
import sys

import pytest
from support.sweeps import jobs_of

from gan_cli.cli.reports import report_changes
from gan_cli.config.names import folder_name, job_folder, method_name
from gan_cli.errors import Stopped, UserError
from gan_cli.runs.folder import read_result
from gan_cli.runs.lock import locked

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (KeyboardInterrupt(), True),
        (Stopped("stopped at step 3", 15), False),
        pytest.param(KeyboardInterrupt(), False, marks=pytest.mark.long),
        pytest.param(Stopped("stopped at step 3", 15), True, marks=pytest.mark.long),
    ],
)
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
        pytest.param("run_${seed}", ["run_1", "run_2"], marks=pytest.mark.long),
        ("${hydra.job.num}_of_${hydra:job.num}", ["0_of_0", "1_of_1"]),
        ("a b/${hydra.overrides.task}", ["a b/['loss=hinge', 'seed=1']", "a b/['loss=hinge', 'seed=2']"]),
        pytest.param("${hydra.job.override_dirname}", ["loss=hinge,seed=1", "loss=hinge,seed=2"], marks=pytest.mark.long),
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


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "defaults"),
        (["debug=true"], "defaults"),
        (["seed=1", "loss=hinge"], "loss-hinge+seed-1"),
        (["loss=hinge", "debug=true", "seed=1"], "loss-hinge+seed-1"),
        (["report.title=a b", "device=cuda", "++report.claims=[]", "seed=1", "log_every=5", "~report.source"], "seed-1"),
        (["reports=1", "devices.n=2"], "devices.n-2+reports-1"),
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


def test_a_finished_sweep_is_not_repeated_for_keys_that_do_not_affect_the_result(call, jobs, conf):
    (conf / "experiment" / "told.yaml").write_text("# @package _global_\nreport: {title: Circle, claims: []}\n")
    words = ["-m", "seed=1,2", "experiment=told", "hydra.sweep.dir=s"]
    assert call("train", *words).code == 0
    again = call("train", *words, "report.title=Ring", "device=cpu", "log_every=7", "eval_every=3")
    assert (again.code, len(jobs.trained)) == (0, 2)
    assert again.out.count("finished earlier") == 2
    assert sorted(path.name for path in os.scandir("s") if path.is_dir()) == [
        "seed-1",
        "seed-2",
    ]


def test_jobs_that_differ_only_in_such_keys_are_refused(call, jobs):
    answer = call("train", "-m", "seed=1", "log_every=1,2", "hydra.sweep.dir=s")
    assert (answer.code, jobs.trained) == (2, [])
    assert "what differs does not affect the result.\nGive such a key a single value." in answer.err


@pytest.mark.parametrize(
    ("word", "changes"),
    [
        ("report.title=Fish, (chips) = good", {"title": "Fish, (chips) = good"}),
        ("+report.title='quoted'", {"title": "quoted"}),
        ("report.source=null", {"source": None}),
        ("~report.claims", {"claims": None}),
        ("report.figures=[{_target_:gan_cli.report.figures.curves.Curves,tags:[a/b]}]",
         {"figures": [{"_target_": "gan_cli.report.figures.curves.Curves", "tags": ["a/b"]}]}),
        ("report.claims.0.below=1.5", {"claims.0.below": 1.5}),
    ],
)  # fmt: skip
def test_keys_of_a_report_on_the_command_line(conf, word, changes):
    assert report_changes([word]) == changes


@pytest.mark.parametrize(("word", "said"), [("report.figures=[", "cannot read"), ("report.claims=a,b", "A list is written")])
def test_what_is_no_value_of_a_report(word, said):
    with pytest.raises(UserError, match=said):
        report_changes([word])
