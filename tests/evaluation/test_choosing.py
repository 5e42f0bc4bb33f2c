"""Selection of the checkpoints that are reported, and of the best one."""

import json
import math
import shutil
from unittest.mock import Mock

import pytest
import torch
from omegaconf import OmegaConf
from support.evaluation import compose_eval, make_checkpoints, measure, scale_generator
from support.runs import set_trained_config

from gan_cli.build import build_data, build_metric
from gan_cli.errors import UserError
from gan_cli.evaluation.checkpoints import Checkpoints
from gan_cli.evaluation.measurement import Measurement
from gan_cli.inference.load import load
from gan_cli.loggers import events
from gan_cli.metrics.base import Value
from gan_cli.runs import checkpoint, logger
from gan_cli.runs.folder import stored_config

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


class TestWhichAreReported:
    @pytest.mark.parametrize("best", [2, 4])
    def test_the_last_and_the_best(self, edited, best):
        found = measure(edited(best))
        assert [(result.step, result.chosen) for result in found] == [(6, ("last",)), (best, ("best",))]

    def test_last_and_best_are_measured_once_if_equal(self, edited):
        assert [(result.step, result.chosen) for result in measure(edited(6))] == [(6, ("last", "best"))]

    def test_all_checkpoints(self, edited):
        found = measure(edited(4), "checkpoint=all")
        assert [(result.step, result.chosen) for result in found] == [(2, ()), (4, ("best",)), (6, ("last",))]

    def test_a_named_checkpoint(self, edited):
        folder = edited(4)
        path = str(checkpoint.path_of(folder, 2))
        names = {"last": (6, ("last",)), "best": (4, ("best",)), "2": (2, ("step",)), path: (2, ("step",))}
        for name, expected in names.items():
            [result] = measure(folder, f"checkpoint={name}")
            assert (result.step, result.chosen) == expected

    def test_the_numbers_do_not_depend_on_how_a_checkpoint_was_named(self, points):
        by_step = measure(points, "checkpoint=4")[0].numbers
        assert by_step == {result.step: result for result in measure(points, "checkpoint=all")}[4].numbers
        assert by_step == measure(points, f"checkpoint={checkpoint.path_of(points, 4)}")[0].numbers
        assert by_step != measure(points, "checkpoint=2")[0].numbers

    def test_a_single_checkpoint_is_the_best_without_a_comparison(self, points, tmp_path):
        shutil.copytree(points, tmp_path / "run")
        for step in (2, 4):
            checkpoint.path_of(tmp_path / "run", step).unlink()
        for path in events.files_in(tmp_path / "run"):  # the second source of the curve
            path.unlink()
        (tmp_path / "run" / "metrics.jsonl").write_text("")
        heard = Mock()
        [result] = make_checkpoints(advance=heard).results(tmp_path / "run")
        assert (result.step, result.chosen, heard.call_count) == (6, ("last", "best"), 1)

    def test_a_checkpoint_of_another_run_is_refused(self, points, images):
        with pytest.raises(UserError, match=r"step_00000002\.pt belongs to another run than .*: evaluate that one"):
            measure(images, f"checkpoint={checkpoint.path_of(points, 2)}")


class TestChoosing:
    def test_the_recorded_curve_is_what_would_be_measured(self, points):
        checkpoints = make_checkpoints()
        selected = checkpoints.selection_values(points, [2, 4, 6])
        assert len({value.value for value in selected.values()}) == 3
        assert checkpoints.recorded_values(points, [2, 4, 6]) == selected, "to the bit"

    def test_the_recorded_curve_of_images(self, images):
        checkpoints = make_checkpoints()
        recorded, selected = checkpoints.recorded_values(images, [1, 2]), checkpoints.selection_values(images, [1, 2])
        assert {step: value.value for step, value in recorded.items()} == {s: value.value for s, value in selected.items()}

    @pytest.mark.parametrize(
        "words", [["seed=5"], ["ema=true"], ["features=identity"], ["metric=wasserstein", "metric.n_samples=10"]]
    )
    def test_requesting_the_settings_of_the_run_changes_nothing(self, points, words):
        recorded = make_checkpoints().recorded_values(points, [2, 4, 6])
        assert recorded is not None
        assert make_checkpoints(*words).recorded_values(points, [2, 4, 6]) == recorded

    @pytest.mark.parametrize(
        "words",
        [
            ["seed=6"],
            ["metric=wasserstein", "metric.n_samples=10", "metric.split=heldout"],
            *(
                pytest.param(words, marks=pytest.mark.long)
                for words in (["ema=false"], ["n_samples=9"], ["metric=wasserstein", "metric.n_samples=20"])
            ),
        ],
    )
    def test_a_curve_with_other_settings_is_not_used(self, edited, monkeypatch, words):
        folder, steps = edited(6), [2, 4, 6]
        scale_generator(folder, 6, 3.0)
        assert make_checkpoints().best_step(folder, steps) == 6, "it is the best of the curve"
        checkpoints = make_checkpoints(*words)
        assert checkpoints.recorded_values(folder, steps) is None
        selected = checkpoints.selection_values(folder, steps)
        monkeypatch.setattr(checkpoints, "selection_values", lambda folder, steps: selected)
        assert checkpoints.best_step(folder, steps) == min(selected, key=lambda step: selected[step].value) != 6

    def test_a_curve_in_other_features_of_the_same_name_is_not_used(self, images, tmp_path):
        assert make_checkpoints("features=identity").recorded_values(images, [1, 2]) is None
        shutil.copytree(images, tmp_path / "run")
        cfg, rows = stored_config(images), logger.read(images)
        cfg.features = compose_eval("features=efficientnet_lite0").features
        set_trained_config(tmp_path / "run", cfg)
        lines = [json.dumps({"step": row["step"], "metric/fd_efficientnet_lite0": 1.0}) + "\n" for row in rows]
        (tmp_path / "run" / "metrics.jsonl").write_text("".join(lines))
        assert set(make_checkpoints().recorded_values(tmp_path / "run", [1, 2])) == {1, 2}
        words = ["features=efficientnet_lite0", "features.resolution=32"]
        assert make_checkpoints(*words).recorded_values(tmp_path / "run", [1, 2]) is None

    def test_an_incomplete_curve_is_not_used(self, edited):
        folder = edited(6)
        rows = logger.read(folder)
        assert set(make_checkpoints().recorded_values(folder, [2, 4, 6])) == {2, 4, 6}
        for path in events.files_in(folder):  # the second source of the curve
            path.unlink()
        for incomplete in (
            [row for row in rows if row["step"] != 4],
            [row | {"metric/w1": None} if row["step"] == 4 else row for row in rows],  # a number that was not finite
            [],
        ):
            (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in incomplete))
            assert make_checkpoints().recorded_values(folder, [2, 4, 6]) is None

    def test_the_best_is_selected_and_reported_on_different_samples(self, points):
        cfg = stored_config(points)
        select, report = (Measurement(build_metric(cfg), build_data(cfg), CPU, role=role) for role in ("select", "report"))
        rows = {role: {tuple(x) for x in m.real.features.tolist()} for role, m in (("select", select), ("report", report))}
        assert len(rows["select"]) == len(rows["report"]) == 10
        assert not rows["select"] & rows["report"]
        players = {step: load(points, step).game for step in (2, 4, 6)}
        chosen_on = {step: select(game, 5)["w1"].value for step, game in players.items()}
        assert chosen_on == {step: value.value for step, value in make_checkpoints().recorded_values(points, [2, 4, 6]).items()}
        for result in measure(points, "checkpoint=all"):
            assert result.numbers["w1"].value == report(players[result.step], 5)["w1"].value != chosen_on[result.step]
            assert ("best" in result.chosen) == (result.step == min(chosen_on, key=chosen_on.__getitem__))
            assert result.numbers["w1"].floor == report.floor.values["w1"]

    @pytest.mark.parametrize(
        ("values", "higher", "best"),
        [
            ({2: 1.0, 4: 3.0, 6: 2.0}, False, 2),
            ({2: 1.0, 4: 3.0, 6: 2.0}, True, 4),
            ({2: math.nan, 4: 3.0, 6: math.inf}, False, 4),
            ({2: math.nan, 4: -math.inf, 6: 5.0}, False, 6),
            ({2: math.nan, 4: math.inf, 6: math.nan}, True, 6),
            ({2: 1.0, 4: 1.0, 6: 2.0}, False, 4),
            ({2: 1.0, 4: 2.0, 6: 2.0}, True, 6),
        ],
    )
    def test_the_best_in_either_direction_is_always_finite(self, points, monkeypatch, values, higher, best):
        selected = {step: Value(value, None, higher) for step, value in values.items()}
        monkeypatch.setattr(Checkpoints, "recorded_values", lambda self, folder, steps: None)
        monkeypatch.setattr(Checkpoints, "selection_values", lambda self, folder, steps: selected)
        assert make_checkpoints().best_step(points, [2, 4, 6]) == best

    @pytest.mark.parametrize("best", [pytest.param(2, marks=pytest.mark.long), 4])
    def test_a_metric_that_does_not_select_leaves_it_to_the_runs_metric(self, edited, best):
        heard, folder = Mock(), edited(best)
        checkpoints = make_checkpoints("metric=precision_recall", "metric.n_samples=12", advance=heard)
        expected = checkpoints.n_measurements(folder)
        found = checkpoints.results(folder)
        assert [(result.step, result.chosen) for result in found] == [(6, ("last",)), (best, ("best",))]
        assert found[0].provenance.metric.startswith("precision")
        assert heard.call_count == expected == 2, "the training curve determines the best one"

    def test_without_any_metric_the_last_is_reported(self, points, tmp_path):
        shutil.copytree(points, tmp_path / "run")
        for path in [*(tmp_path / "run" / "checkpoints").iterdir()]:
            state = checkpoint.load(path)
            state["config"]["metric"] = {"_target_": "gan_cli.metrics.base.NoMetric"}
            checkpoint.save(tmp_path / "run", state["step"], state)
        cfg = stored_config(points)
        cfg.metric = {"_target_": "gan_cli.metrics.base.NoMetric"}
        OmegaConf.save(cfg, tmp_path / "run" / "config.yaml")
        found = measure(tmp_path / "run", "metric=precision_recall", "metric.n_samples=12")
        assert [result.step for result in found] == [6]

    def test_players_that_overflow_are_never_the_best(self, edited):
        folder = edited(2)
        scale_generator(folder, 6, 1e20)
        [result] = measure(folder, "checkpoint=best", "seed=6")
        assert result.step in (2, 4)


class TestTheBestIsGone:
    def test_none_takes_its_place(self, edited):
        folder, said = edited(4), []
        checkpoint.path_of(folder, 4).unlink()
        gone = f"the best checkpoint of {folder} by its log, step 4, is gone"
        for words, found in (((), [(6, ("last",))]), (("checkpoint=all",), [(2, ()), (6, ("last",))])):
            assert [(one.step, one.chosen) for one in make_checkpoints(*words, say=said.append).results(folder)] == found
            assert f"{gone}: no other is called the best." in said
            said.clear()
        with pytest.raises(UserError, match=rf"{gone}\.\nName another one: .* There are: 2, 6\."):
            measure(folder, "checkpoint=best")
        assert [one.step for one in measure(folder, "checkpoint=last")] == [6]

    def test_it_is_not_the_only_one_that_is_left(self, edited):
        folder, said = edited(2), []
        for step in (2, 4):
            checkpoint.path_of(folder, step).unlink()
        [result] = make_checkpoints(say=said.append).results(folder)
        assert (result.step, result.chosen, "step 2, is gone" in " ".join(said)) == (6, ("last",), True)

    def test_one_that_is_worse_is_not_missed(self, edited):
        folder, said = edited(4), []
        checkpoint.path_of(folder, 2).unlink()
        found = make_checkpoints(say=said.append).results(folder)
        assert [(result.step, result.chosen) for result in found] == [(6, ("last",)), (4, ("best",))]
        assert "gone" not in " ".join(said)

    def test_a_new_measurement_is_of_those_that_are_left(self, edited):
        folder, said = edited(4), []
        checkpoint.path_of(folder, 4).unlink()
        found = make_checkpoints("seed=6", say=said.append).results(folder)
        assert "best" in [choice for result in found for choice in result.chosen]
        assert f"the best checkpoint of {folder} is the best of the 2 that are left: 1 are gone." in said
