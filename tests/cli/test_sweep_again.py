"""Sweeps that are sent again: finished jobs are found whatever they are called, without composing their configs."""

import json
import os
from pathlib import Path

import pytest
from support.sweeps import jobs_of

from gan_cli.cli import sweeper
from gan_cli.cli.jobs import recorded, swept_keys
from gan_cli.config.names import job_folder
from gan_cli.runs.folder import read_result

pytestmark = pytest.mark.slow


@pytest.fixture
def composed(monkeypatch):
    """The overrides of the jobs whose configs the sweeper composes."""
    seen, compose = [], sweeper.compose

    def note(loader, name, overrides):
        seen.append(overrides)
        return compose(loader, name, overrides)

    monkeypatch.setattr(sweeper, "compose", note)
    return seen


def test_names_hold_what_is_swept_and_nothing_else():
    words = ["dataset=ring", "dataset.n=64", "loss=hinge", "model/generator=mlp", "seed=1"]
    assert job_folder(words, ["seed", "loss"]) == "loss-hinge+seed-1"
    assert job_folder(words, []) == "dataset.n-64+dataset-ring+loss-hinge+model.generator-mlp+seed-1"
    long = [*words, *(f"model.discriminator.parameter_{i}=100" for i in range(9))]
    assert len(job_folder(long, [word.partition("=")[0] for word in long])) <= 120


def test_other_values_of_what_is_constant_go_to_other_folders(call, jobs):
    for steps in (3, 4):
        assert call("train", "-m", f"train.steps={steps}", "seed=1,2", "hydra.sweep.dir=s").code == 0
    names = [job["folder"].name for job in jobs.trained]
    assert names == ["seed-1", "seed-2", "seed-1+train.steps-4", "seed-2+train.steps-4"]


@pytest.mark.parametrize(
    ("jobs", "keys"),
    [
        ([["a=1", "b=2"]], []),
        ([["a=1", "b=2"], ["a=1", "b=3"]], ["b"]),
        ([["a=1", "+b=2"], ["a=1", "c=3"]], ["b", "c"]),
    ],
)
def test_swept_keys_are_those_in_which_jobs_differ(jobs, keys):
    assert swept_keys(jobs) == keys


def test_a_finished_job_is_found_under_the_name_of_another_sweep(call, jobs):
    assert call("train", "-m", "loss=hinge", "train.steps=3", "seed=1,2", "hydra.sweep.dir=s").code == 0
    assert {job["folder"].name for job in jobs.trained} == {f"seed-{seed}" for seed in (1, 2)}
    answer = call("train", "-m", "seed=1", "loss=hinge,wgan", "train.steps=3", "hydra.sweep.dir=s")
    assert answer.code == 0
    assert "2 jobs, 1 of them finished already: s" in answer.out
    assert [job["folder"].name for job in jobs.trained[2:]] == ["loss-wgan"]
    assert [row["folder"] for row in jobs_of(Path("s"))] == [
        "s/seed-1",
        "s/loss-wgan",
    ]


@pytest.mark.long
def test_a_job_that_has_not_finished_goes_on_in_its_folder(call, jobs):
    jobs.fail[1] = ValueError("wrong")
    assert call("train", "-m", "loss=hinge", "seed=1,2", "hydra.sweep.dir=s").code == 1
    jobs.fail.clear()
    assert call("train", "-m", "loss=hinge,wgan", "seed=1", "hydra.sweep.dir=s").code == 0
    assert [job["cfg"]["resume"] for job in jobs.trained[2:]] == ["s/seed-1", None]


def test_finished_jobs_are_not_composed_again(call, jobs, conf, composed):
    words = ["-m", "loss=hinge,wgan", "seed=1,2,3"]
    first = call("train", *words, "hydra.sweep.dir=s")
    assert "composing the configs of 6 jobs\n6 jobs, 0 of them finished already: s\n" in first.out
    assert (first.code, len(composed)) == (0, 6)
    again = call("train", *words, "hydra.sweep.dir=s")
    assert again.out.startswith("6 jobs, 6 of them finished already: s\n")
    assert (again.code, len(composed), len(jobs.trained)) == (0, 6, 6)
    assert call("train", "-m", "loss=hinge,wgan", "seed=1,2,4", "hydra.sweep.dir=s").code == 0
    assert [words[-2:] for words in composed[6:]] == [["loss=hinge", "seed=4"], ["loss=wgan", "seed=4"]]

    path = conf / "loss" / "hinge.yaml"
    path.write_text(f"{path.read_text()}weight: 2\n")
    refused = call("train", "-m", "loss=hinge,wgan", "seed=1,2,4", "hydra.sweep.dir=s")
    assert refused.code == 2
    assert "s/loss-hinge+seed-1 holds a run with another config" in refused.err


@pytest.mark.parametrize(
    "change",
    ["config", "environment", *(pytest.param(change, marks=pytest.mark.long) for change in ("result", "listed elsewhere"))],
)
def test_whatever_is_not_sure_is_composed(call, jobs, conf, composed, change, tmp_path):
    words = ["-m", "seed=1,2", "hydra.sweep.dir=s"]
    assert call("train", *words).code == 0
    composed.clear()
    content = json.loads((tmp_path / "work" / "s" / "sweep.json").read_text())
    if change == "result":
        os.remove("s/seed-1/result.json")
    elif change == "config":
        with open("s/seed-1/config.yaml", "a") as file:
            file.write("method: edited\n")
        (tmp_path / "work" / "s" / "seed-1" / "config.yaml").write_text(
            (tmp_path / "work" / "s" / "seed-1" / "config.yaml").read_text().replace("method: null\n", "")
        )
    elif change == "listed elsewhere":
        content["jobs"][0]["subdir"] = "../s/seed-1"
        (tmp_path / "work" / "s" / "sweep.json").write_text(json.dumps(content))
    else:
        (conf / "loss" / "mine.yaml").write_text("_target_: m.${oc.env:HOME}\n")
    call("train", *words)
    assert [words[-1] for words in composed] == (["seed=1", "seed=2"] if change == "environment" else ["seed=1"])


def test_changed_code_is_seen_in_jobs_that_are_not_composed(call, jobs, conf, monkeypatch):
    words = ["-m", "seed=1,2", "hydra.sweep.dir=s"]
    assert call("train", *words).code == 0
    monkeypatch.setattr(sweeper.environment, "changed_modules", lambda folder, cfg: ["mine (mine.py)"])
    refused = call("train", *words)
    assert refused.code == 2
    assert refused.err.startswith("gan-train: job seed=1: changed since s/seed-1 was trained: mine (mine.py)")


def test_only_jobs_of_the_same_options_are_taken_from_the_list(tmp_path):
    content = {"options": "abc", "jobs": [{"overrides": ["seed=1"], "subdir": "seed-1"}, {"overrides": ["x"], "subdir": "/x"}]}
    (tmp_path / "sweep.json").write_text(json.dumps(content))
    assert recorded(tmp_path, "abc") == {("seed=1",): "seed-1"}
    assert recorded(tmp_path, "abd") == recorded(tmp_path, None) == {}
    for damaged in ("", "[]", '{"options": "abc", "jobs": [3]}'):
        (tmp_path / "sweep.json").write_text(damaged)
        assert recorded(tmp_path, "abc") == {}


def test_the_table_has_a_line_for_each_job(call, jobs):
    common = [
        "dataset.root=a_long_name_of_a_folder_that_no_table_could_hold",
        "train.batch_size=8",
        "model.generator.width=9",
    ]
    answer = call("train", "-m", *common, "loss=hinge,wgan", "seed=1,2", "hydra.sweep.dir=s")
    rows = [line for line in answer.out.splitlines() if line.startswith("│")]
    assert [row.split("│")[1].strip() for row in rows] == [
        f"loss={loss} seed={seed}" for loss in ("hinge", "wgan") for seed in (1, 2)
    ]
    assert [row.split("│")[3].strip() for row in rows] == [job["folder"].name for job in jobs.trained]
    assert answer.out.count("train.batch_size=8") == 1 + 4  # once in the table's head, and in the line that begins each job
    assert read_result(jobs.trained[0]["folder"])["status"] == "finished"


@pytest.mark.parametrize("columns", ["80", *(pytest.param(columns, marks=pytest.mark.long) for columns in ("100", "200"))])
def test_the_names_of_folders_in_the_table_stay_whole(call, jobs, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    roots = ",".join(f"a_long_name_of_a_folder_that_no_table_could_hold_{number}" for number in (1, 2))
    rows = call("train", "-m", f"dataset.root={roots}", "hydra.sweep.dir=s").out.splitlines()
    assert [row.split("│")[3].strip() for row in rows if row.startswith("│") and row.split("│")[3].strip()] == [
        job["folder"].name for job in jobs.trained
    ]
