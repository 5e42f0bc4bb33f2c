"""gan-eval on a sweep: output, files and exit codes."""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.evaluation import copy_run, eval_scalars, w1
from support.runs import set_trained_config

from gan_cli.evaluation import results
from gan_cli.evaluation.checkpoints import Checkpoints
from gan_cli.runs import checkpoint
from gan_cli.runs.folder import stored_config

pytestmark = pytest.mark.slow


class TestASweep:
    def test_methods_are_ranked(self, call, sweep):
        code, out, err = call("sweep")
        assert code == 0
        assert err.count("metric: w1\n") == 1, "announced once for all runs"
        methods = {lr: [w1(sweep / f"lr-{lr}+seed-{seed}") for seed in (1, 2)] for lr in ("0.001", "0.5")}
        first, second = sorted(methods, key=lambda lr: sum(methods[lr]))
        assert "w1 ↓, best first" in out
        assert re.search(rf"\n {{0,2}}{first} +2 .* best +\n {{0,2}}{second} +2 .* too few seeds", out)
        assert "Mean ± standard error over seeds" in out
        assert "not compared" not in out
        assert out.endswith("written: sweep/eval.json, eval.csv\n")
        everything = results.read(sweep)
        assert {result.source for result in everything} == {path.name for path in sweep.iterdir() if path.is_dir()}
        assert sorted(result.step for result in everything) == [1] * 2 + [2] * 4
        for result in everything:
            assert replace(result, source=".") in results.read(sweep / result.source)
        assert {tuple(eval_scalars(path)) for path in sweep.iterdir() if path.is_dir()} == {("eval/w1",)}
        with open(sweep / "eval.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 6
        for row in rows:
            assert row["source"] == f"lr-{row['optimizer.lr']}+seed-{row['seed']}"
            assert (row["method"], row["dataset"]) == (f"lr={row['optimizer.lr']}", "ring")

    def test_means_errors_and_differences_are_stored(self, call, sweep):
        assert call("sweep")[0] == 0
        [ranking] = json.loads((sweep / "eval.json").read_text())["rankings"]
        first, second = ranking["methods"]
        assert (ranking["number"], ranking["checkpoint"], ranking["higher_is_better"]) == ("w1", "last", False)
        assert (first["seeds"], first["difference"]) == ([1, 2], None)
        lr = first["settings"]["optimizer.lr"]
        values = [w1(sweep / f"lr-{lr}+seed-{seed}") for seed in (1, 2)]
        error = abs(values[0] - values[1]) / 2
        assert first["numbers"]["w1"] == {"mean": pytest.approx(sum(values) / 2), "error": pytest.approx(error), "n": 2}
        assert (second["difference"]["verdict"], second["difference"]["interval"]) == ("too few seeds", None)
        evaluation = results.Evaluation(tuple(results.read(sweep)), sweep)
        frame = evaluation.ranking()
        assert frame["method"].tolist() == [first["method"], second["method"]]
        assert frame["verdict"].tolist() == ["best", "too few seeds"]
        assert frame["difference"][1] == second["difference"]["value"]

    def test_an_interruption_keeps_what_was_measured(self, call, sweep, monkeypatch):
        first, second, third, _ = sorted(path.name for path in sweep.iterdir())

        def measure_two(checkpoints, folder, measure=Checkpoints.results):
            if folder.name == third:
                raise KeyboardInterrupt
            return measure(checkpoints, folder)

        monkeypatch.setattr(Checkpoints, "results", measure_two)
        assert call("sweep", "checkpoint=last")[0] == 130
        assert [result.source for result in results.read(sweep)] == [first, second]
        [ranking] = json.loads((sweep / "eval.json").read_text())["rankings"]
        assert [method["seeds"] for method in ranking["methods"]] == [[1, 2]]

    def test_methods_are_ranked_by_their_best_checkpoint(self, call, sweep):
        """Best checkpoints that happen to be the last ones do not form a ranking of last checkpoints."""
        for seed in (1, 2):
            shutil.rmtree(sweep / f"lr-0.001+seed-{seed}")
        shutil.move(sweep / "lr-0.5+seed-1", sweep.parent)
        copy_run(sweep.parent / "lr-0.5+seed-1", sweep / "lr-0.5+seed-1", {1: 0.5, 2: 0.25})
        code, out, _ = call("sweep", "checkpoint=best")
        assert code == 0
        assert "By the best checkpoint." in out
        assert re.search(r"seeds +best *\n", out)

    def test_methods_are_compared_with_a_reference(self, call, sweep):
        code, out, err = call("sweep", "checkpoint=last", "reference=lr=0.5")
        assert code == 0, err
        assert "To the reference" in out
        assert json.loads((sweep / "eval.json").read_text())["rankings"][0]["compared_with"] == "lr=0.5"
        code, _, err = call("sweep", "checkpoint=last", "reference=lr=7")
        assert (code, "reference=lr=7 fits no method" in err) == (2, True)

    def test_unmeasurable_runs_are_named_and_skipped(self, call, sweep):
        def spoiled(name):
            return copy_run(sweep / "lr-0.001+seed-1", sweep / name, {})

        failure = {"status": "failed", "reason": "loss/generator became nan at step 1: training has diverged."}
        (spoiled("a failed") / "result.json").write_text(json.dumps(failure))
        (spoiled("b unfinished") / "result.json").unlink()
        (spoiled("c results") / "eval.json").write_text("{")
        shutil.rmtree(spoiled("d empty") / "checkpoints")
        checkpoint.path_of(spoiled("e broken"), 2).write_bytes(b"x")
        config = spoiled("f config") / "config.yaml"
        (config.parent / ".hydra").mkdir()
        shutil.copy(config, config.parent / ".hydra")
        config.write_text("a: [")
        spoiled("g copy")
        code, out, err = call("sweep", "checkpoint=last")
        first, second = err.strip().splitlines()
        assert (code, first) == (0, "metric: w1")
        assert second.startswith("step 2 is left out: checkpoint sweep/e broken/checkpoints/step_00000002.pt cannot be read")
        told = " ".join(out.partition("not compared")[2].split())
        for name, reason in {
            "a failed": "failed: loss/generator became nan at step 1: training has diverged.",
            "b unfinished": "unfinished",
            "c results": "sweep/c results/eval.json is damaged: Expecting property name",
            "d empty": "sweep/d empty holds no checkpoint yet.",
            "e broken": "checkpoint sweep/e broken/checkpoints/step_00000002.pt cannot be read",
            "f config": "sweep/f config/config.yaml cannot be read",
        }.items():
            assert f"{name} {reason}" in told
        assert "lr-0.001+seed-1 repeats seed 1 of g copy" in told
        assert "Traceback" not in out + err
        assert (sweep / "c results" / "eval.json").read_text() == "{"
        measured = {Path(result.source).name for result in results.read(sweep)}
        assert measured == {path.name for path in sweep.glob("lr-*")} | {"g copy"}

    def test_a_sweep_without_measurable_runs(self, call, sweep):
        for path in sweep.iterdir():
            shutil.rmtree(path / "checkpoints")
        code, out, err = call("sweep")
        assert (code, out) == (2, "")
        assert err.strip() == (
            "gan-eval: none of the 4 runs in sweep can be measured: sweep/lr-0.001+seed-1 holds no checkpoint yet."
        )
        assert not (sweep / "eval.json").exists()

    def test_different_provenance_is_not_ranked_together(self, call, sweep):
        cfg = stored_config(sweep / "lr-0.5+seed-2")
        cfg.metric.n_samples = 8
        set_trained_config(sweep / "lr-0.5+seed-2", cfg)
        code, out, _ = call("sweep", "checkpoint=last")
        assert code == 0
        assert out.count("w1 ↓, best first") == 2
        line = re.search(r"Not comparable with the first table: (.*)", out)[1]
        assert line.startswith("n_real 10 against 8, n_fake 10 against 8, reference ")

    def test_one_metric_for_all_runs(self, call, sweep):
        code, out, _ = call("sweep", "metric=frechet", "metric.n_samples=20", "checkpoint=1", "seed=0")
        assert code == 0
        assert "fd ↓, best first" in out
        assert "By the requested checkpoint." in out
        assert "other numbers of the requested checkpoint" in out
        assert {(r.step, r.primary, r.provenance.n_fake, r.provenance.seed) for r in results.read(sweep)} == {(1, "fd", 20, 0)}

    def test_a_folder_without_runs(self, call, tmp_path):
        (tmp_path / "empty").mkdir()
        code, out, err = call("empty")
        assert (code, out) == (2, "")
        assert err.startswith("gan-eval: no run in empty: there is no empty/config.yaml.\nName the folder")

    def test_stray_configs_and_hidden_folders_are_ignored(self, call, sweep):
        (sweep.parent / "config.yaml").write_text("a: 1")
        copy_run(sweep / "lr-0.5+seed-1", sweep / ".trash", {})
        code, out, _ = call("sweep", "checkpoint=last")
        assert (code, "w1 ↓, best first" in out) == (0, True)
        assert {result.source for result in results.read(sweep)} == {path.name for path in sweep.glob("lr-*")}

    def test_the_reference_values_are_shown_once(self, call, sweep):
        words = ["metric=modes", "metric.n_samples=16", "checkpoint=last"]
        code, out, _ = call("sweep", *words)
        assert code == 0
        assert out.count(": references") == 1


class TestRunsSideBySide:
    def test_two_runs_are_compared_and_keep_their_results(self, call, sweep, tmp_path):
        (first, *_, last) = sorted(path for path in sweep.iterdir() if path.is_dir())
        (last / "result.json").unlink()
        code, out, err = call("sweep/" + first.name, "sweep/" + last.name, "out=both")
        assert (code, err.count("metric: w1\n")) == (0, 1)
        assert "w1 ↓, best first" in out
        assert re.search(r"\n 0\.5 +1 ", out)
        assert re.search(r"\n 0\.001 +1 ", out)
        assert "not compared" not in out, "an unfinished run that is named itself is measured, too"
        assert out.endswith("written: both/eval.json, eval.csv\n")
        assert {result.source for result in results.read(tmp_path / "both")} == {
            f"../sweep/{path.name}" for path in (first, last)
        }
        assert w1(first)
        assert w1(last)

    @pytest.mark.long
    def test_a_run_is_compared_with_those_of_a_sweep(self, call, sweep, run):
        code, out, _ = call("sweep", "mine", "out=both", "checkpoint=last")
        assert code == 0
        assert "mine" in out.partition("not compared")[2], "it repeats a seed of the sweep"

    def test_a_checkpoint_is_named_by_its_file(self, call, run):
        code, out, _ = call("mine/checkpoints/step_00000001.pt")
        assert (code, "step 1" in out, "step 2" in out) == (0, True, False)
        assert [result.step for result in results.read(run)] == [1]
