"""gan-eval on a run: output, files and exit codes."""

import csv
import json
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
from support.evaluation import eval_json_without_seconds, eval_scalars, w1
from torture import children

from gan_cli.evaluation import results
from gan_cli.evaluation.number_format import format_value
from gan_cli.loggers import events
from gan_cli.runs import environment

pytestmark = pytest.mark.slow


class TestARun:
    def test_last_and_best_are_printed_and_written(self, call, run):
        code, out, err = call("mine")
        assert (code, err.splitlines()[0]) == (0, "metric: w1")
        last, best = results.read(run)
        assert [(last.step, last.chosen), (best.step, best.chosen)] == [(2, ("last",)), (1, ("best",))]
        assert (last.source, last.provenance.n_fake, last.provenance.seed) == (".", 10, 1)
        values = [last.numbers["w1"].value, best.numbers["w1"].value, last.numbers["w1"].floor]
        assert len(set(values)) == 3
        shown = [*map(format_value, values[:2]), format_value(values[2], last.numbers["w1"].floor_error)]
        assert " ".join(["w1", "↓", *shown]) in " ".join(out.split())
        assert re.search(r"last +best", out)
        assert re.search(r"step 2 +step 1 +floor", out)
        assert "10 generated against 10 real samples (train, content " in out
        assert "Floor: the same numbers between 10 real samples and as many other real ones; mean ± standard deviation" in out
        assert out.endswith("written: mine/eval.json, eval.csv\n")

    def test_the_contents_of_the_files(self, call, run):
        assert call("mine", "metric=frechet", "n_samples=30", "ema=false", "seed=7", "checkpoint=1")[0] == 0
        [entry] = json.loads((run / "eval.json").read_text())["results"]
        assert (entry["source"], entry["step"], entry["chosen"]) == (".", 1, ["step"])
        assert entry["environment"] == environment.at(run, 1) != {}
        assert list(entry["numbers"]) == ["fd", "kid"]
        assert entry["provenance"].pop("reference")
        assert entry["provenance"] == {
            "metric": "fd",
            "settings": {"kid": {"subsets": 100, "subset_size": 30}},
            "features": {"extractor": "identity"},
            "n_real": 30,
            "n_fake": 30,
            "split": "train",
            "ema": False,
            "seed": 7,
            "sampling": {},
            "protocol": None,
            "group": "metric",
            "preprocessing": {},
            "labels": None,
        }
        assert {key: value for key, value in entry["details"].items() if key.startswith("floor_")} == {
            "floor_n": 30,
            "floor_against": 30,
            "floor_draws": 10,
            "floor_split": None,
            "floor_two_times": False,
        }
        assert entry["seconds"] > 0
        with open(run / "eval.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [row["name"] for row in rows] == ["fd", "kid"]
        for row in rows:
            number = entry["numbers"][row["name"]]
            assert [float(row[key]) for key in ("value", "error", "floor")] == [number[k] for k in ("value", "error", "floor")]
            assert (row["step"], row["chosen"], row["n_fake"], row["ema"]) == ("1", "step", "30", "False")
            assert (row["method"], row["dataset"], row["seed"], row["sampling_seed"]) == ("NonSaturating", "ring", "1", "7")

    def test_a_curve(self, call, run):
        code, out, _ = call("mine", "checkpoint=all")
        assert code == 0
        assert re.search(rf"\n +1 +best +{re.escape(format_value(w1(run, 'best')))}", out)
        assert re.search(rf"\n +2 +last +{re.escape(format_value(w1(run)))}", out)
        assert "floor" in out

    def test_tensorboard_has_each_number_once(self, call, run):
        before = {path.name: path.read_bytes() for path in run.glob("events.*")}
        call("mine", "checkpoint=all")
        call("mine", "checkpoint=all")
        values = {result.step: result.numbers["w1"].value for result in results.read(run)}
        assert eval_scalars(run) == {"eval/w1": [(step, pytest.approx(values[step])) for step in (1, 2)]}
        call("mine", "metric=frechet", "n_samples=20")
        found = eval_scalars(run)
        assert {tag: [step for step, _ in points] for tag, points in found.items()} == {
            "eval/w1": [1, 2],
            "eval/fd": [1, 2],
            "eval/kid": [1, 2],
        }
        assert len(list(run.glob(f"*{events.EVALUATION_SUFFIX}"))) == 1
        assert {path.name: path.read_bytes() for path in run.glob("events.*") if path.name in before} == before

    def test_diagnostics_of_the_game(self, call, run):
        words = ["batch_size=8", "steps=1", "batches=2", "eigenvalues=0"]
        code, out, _ = call("mine", "checkpoint=all", "diagnostics=game", *(f"diagnostics.{word}" for word in words))
        assert (code, "game/" in out, "trained players" in out) == (0, True, True)
        assert [step for step, _ in eval_scalars(run)["eval/game/duality_gap_at_least"]] == [1, 2]

    def test_a_repeated_evaluation(self, call, run):
        call("mine")
        first = eval_json_without_seconds(run)
        code, *_ = call("mine")
        assert (code, eval_json_without_seconds(run)) == (0, first)
        call("mine", "n_samples=12")
        assert eval_json_without_seconds(run)["results"][:2] == first["results"]
        assert len(eval_json_without_seconds(run)["results"]) in (3, 4)

    def test_another_folder_for_the_results(self, call, run, tmp_path):
        code, out, _ = call("mine", "out=else = where", "checkpoint=last")
        assert (code, "written: else = where/eval.json" in out) == (0, True)
        assert not (run / "eval.json").exists()
        assert eval_scalars(run) == {}, "the curves are those of the run's own results"
        [result] = results.read(tmp_path / "else = where")
        assert (result.source, w1(tmp_path / "else = where")) == ("../mine", result.numbers["w1"].value)

    def test_another_folder_for_the_results_keeps_the_curves(self, call, run):
        call("mine", "metric=frechet", "checkpoint=last", "n_samples=20")
        call("mine", "checkpoint=last", "out=elsewhere")
        assert set(eval_scalars(run)) == {"eval/fd", "eval/kid"}

    def test_a_curve_has_one_provenance(self, call, run):
        call("mine", "checkpoint=all")
        call("mine", "checkpoint=last", "n_samples=12")
        newest = results.read(run)[-1]
        assert len(results.read(run)) == 3
        assert eval_scalars(run) == {"eval/w1": [(2, pytest.approx(newest.numbers["w1"].value))]}

    def test_a_run_is_the_same_from_another_working_folder(self, call, run, monkeypatch):
        call("mine", "checkpoint=last")
        monkeypatch.chdir(run)
        assert call("../mine", "checkpoint=last")[0] == 0
        assert len(results.read(run)) == 1

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["mine", "checkpoint=3"], "mine holds no checkpoint of step 3. There are: 1, 2."),
            (["mine", "root=x"], "root=x: this run's data set lies in no folder and no file."),
            (["mine", "n_samples=1"], "w1 needs at least 2 samples, but n_samples=1."),
            (["mine", "features=inception", "metric=none"], "metric=none measures nothing: name another one"),
            (["mine", "metric=game"], "no metric named 'game'. Did you mean diagnostics=game?\navailable: all, "),
            (["mine/checkpoints"], "no run in mine/checkpoints: there is no mine/checkpoints/config.yaml.\nDid you mean mine?"),
            (["mine/checkpoint"], "no run in mine/checkpoint: there is no mine/checkpoint/config.yaml.\nDid you mean mine?"),
        ],
    )
    def test_errors_are_reported_at_the_end(self, call, run, words, said):
        code, out, err = call(*words)
        assert (code, out) == (2, "")
        told = err.partition("gan-eval: ")[2]
        assert told.startswith(said)
        assert len(told.splitlines()) == len(said.splitlines())
        assert not (run / "eval.json").exists()

    def test_damaged_results_are_reported_before_any_work(self, call, run):
        (run / "eval.json").write_text("{")
        code, out, err = call("mine")
        assert (code, out) == (2, "")
        assert err.startswith("gan-eval: mine/eval.json is damaged")
        assert "metric:" not in err
        assert (run / "eval.json").read_text() == "{"

    def test_the_progress_bar_is_not_part_of_the_output(self, call, run, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")  # treat both as terminals
        code, out, err = call("mine", "checkpoint=last")
        assert code == 0
        redrawn = "\x1b[?25l"
        assert redrawn in err
        assert redrawn not in out
        assert "metric:" not in out


def test_the_installed_program(run, tmp_path):
    """Its output without a terminal and its exit codes; a typo is reported immediately."""
    done = children.call(["gan-eval", "mine", "checkpoint=last", "device=cpu"], tmp_path)
    assert (done.code, done.err.strip()) == (0, "metric: w1")
    assert format_value(w1(run)) in done.out
    assert done.out.endswith("written: mine/eval.json, eval.csv\n")
    program = Path(sysconfig.get_path("scripts")) / "gan-eval"
    words = [program, "mine", "checkpont=last"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "gan-eval: no key 'checkpont'. Did you mean checkpoint?\n"
