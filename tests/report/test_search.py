"""The figures of a search, and trials that were pruned."""

import json

import pytest

from gan_cli.report.command import _problems
from gan_cli.report.figures.search import search_figures
from gan_cli.report.figures.tables import tables
from gan_cli.report.records.runs import run_records
from gan_cli.report.records.search import read_search

KEYS = {"optimizer.lr": "log", "train.n_critic": "linear", "loss": "choice"}


def trial(lr, n_critic, loss, metric, status="finished"):
    words = ["dataset=ring", f"+optimizer.lr={lr}", f"train.n_critic={n_critic}", f"loss={loss}"]
    found = {"name": "w1", "initial": 1.0, "final": metric, "floor": 0.1, "higher_is_better": False}
    return {"overrides": words, "folder": "x", "status": status, "metric": found if metric is not None else None}


TRIALS = [
    trial(1e-3, 1, "hinge", 0.5),
    trial(1e-4, 2, "wgan", 0.3),
    trial(1e-5, 5, "wgan", 0.9, "pruned"),
    trial(1e-2, 3, "hinge", None, "failed"),
    trial(1e-2, 3, "hinge", 0.4),
]


@pytest.fixture
def write(tmp_path):
    def content(jobs, **search):
        found = {"keys": KEYS, "importance": {"loss": 0.25, "optimizer.lr": 0.75}, **search}
        (tmp_path / "sweep.json").write_text(json.dumps({"jobs": jobs, "search": found}))
        return tmp_path

    return content


def test_a_search_has_its_history_importance_and_values(write):
    history, importance, values = search_figures(read_search(write(TRIALS)))
    assert [row["best"] for row in history.data] == [0.5, 0.3, None, None, 0.3]
    assert "trials without a metric: 1" in history.caption
    assert importance.data[0] == {"key": "optimizer.lr", "importance": 0.75}
    assert [row["w1"] for row in values.data] == [0.3, 0.4, 0.5]
    assert "lr=0.0001, n_critic=2, loss=wgan" in values.caption
    assert len(search_figures(read_search(write(TRIALS[:1], importance={})))) == 2, "one trial can be drawn"


@pytest.mark.parametrize(
    ("jobs", "search"),
    [
        ([], {}),
        (TRIALS[2:4], {}),
        ([trial("fast", 1, "hinge", 0.5)], {}),
        ([trial(-1, 1, "hinge", 0.5)], {}),
        (TRIALS, {"keys": {**KEYS, "other": "linear"}}),
        (TRIALS, {"keys": {"loss": "odd"}}),
    ],
)
def test_what_is_no_search_has_no_figures(write, jobs, search):
    assert search_figures(read_search(write(jobs, **search))) == []


def test_pruned_trials_are_counted_and_not_ranked(run, tmp_path):
    for seed, status in enumerate(("finished", "pruned", "pruned")):
        folder = run(f"sweep/{seed}", {"metric/w1": [1.0, 0.5]}, overrides=[f"loss={seed}"], status=status, loss={"n": seed})
        result = json.loads((folder / "result.json").read_text())
        (folder / "result.json").write_text(json.dumps({**result, "metric": trial(1, 1, "hinge", 0.5)["metric"], "step": 1}))
    runs = run_records(tmp_path / "sweep")
    assert _problems(runs) == ["2 of 3 runs were pruned"]
    assert [len(table.rows) for table in tables(runs)] == [1]
