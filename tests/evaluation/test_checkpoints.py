"""Measuring checkpoints: the samples used, and numbers that are reproducible to the bit."""

import math
import shutil
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image
from support import configs
from support.evaluation import make_checkpoints, measure, without_seconds
from support.runs import train

from gan_cli.build import build_data, build_metric
from gan_cli.config import stored
from gan_cli.errors import UserError
from gan_cli.evaluation.measurement import Measurement
from gan_cli.evaluation.results import differences
from gan_cli.evaluation.tables import caption
from gan_cli.inference.load import load
from gan_cli.runs import checkpoint
from gan_cli.runs.folder import stored_config
from gan_cli.runs.trained import trained_config

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


class TestTheNumbers:
    @pytest.mark.parametrize(
        "words",
        [
            [],
            ["checkpoint=all"],
            ["checkpoint=best", "n_samples=7"],
            *(pytest.param([word], marks=pytest.mark.long) for word in ("checkpoint=best", "checkpoint=2", "seed=6")),
        ],
    )
    def test_progress_counts_every_measurement(self, edited, words):
        heard = Mock()
        checkpoints, folder = make_checkpoints(*words, advance=heard), edited(2)
        expected = checkpoints.n_measurements(folder)
        checkpoints.results(folder)
        assert heard.call_count == expected > 0

    def test_numbers_are_reproducible_to_the_bit(self, points):
        first = measure(points, "checkpoint=last", "n_samples=12")
        assert without_seconds(measure(points, "checkpoint=last", "n_samples=12")) == without_seconds(first)
        other = measure(points, "checkpoint=last", "n_samples=12", "seed=6")
        for a, b in zip(first, other, strict=True):
            assert a.numbers["w1"].value != b.numbers["w1"].value
            assert a.numbers["w1"].floor == b.numbers["w1"].floor
            assert (a.provenance.reference, a.provenance.seed, b.provenance.seed) == (b.provenance.reference, 5, 6)

    def test_the_config_is_parsed_once_and_the_trained_one_looked_up_once(self, points, monkeypatch):
        looked_up = Mock(side_effect=trained_config)
        monkeypatch.setattr("gan_cli.evaluation.checkpoints.trained_config", looked_up)
        stored._parsed.cache_clear()
        measure(points, "checkpoint=all", "n_samples=12")
        parsed = stored._parsed.cache_info()
        assert parsed.misses == 1 < parsed.hits
        assert looked_up.call_count == 1

    def test_numbers_do_not_depend_on_the_cache(self, images, tmp_path, monkeypatch):
        words = ["features=efficientnet_lite0", "checkpoint=2", "n_samples=6"]
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        cold = without_seconds(measure(images, *words))
        files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
        assert len(files) == 2, "the real samples and those of the floor"
        warm = without_seconds(measure(images, *words))
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")} == files
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
        assert cold == warm == without_seconds(measure(images, *words))
        assert cold[0]["provenance"]["features"]["extractor"] == "efficientnet_lite0"

    def test_truncated_samples(self, points):
        [whole], [truncated] = (measure(points, "checkpoint=6", *words) for words in ([], ["truncation=0.1"]))
        assert (whole.provenance.sampling, truncated.provenance.sampling) == ({}, {"truncation": 0.1})
        assert whole.numbers["w1"].value != truncated.numbers["w1"].value
        assert differences(whole.provenance, truncated.provenance) == ["truncation none against 0.1"]
        assert ", truncation 0.1, seed 5" in caption(truncated.provenance)
        with pytest.raises(UserError, match="diagnostics=game measures players, not samples: leave truncation out"):
            measure(points, "checkpoint=6", "diagnostics=game", "truncation=0.1")

    def test_standing_statistics(self, images):
        [whole], [standing] = (measure(images, "checkpoint=2", *words) for words in ([], ["standing_statistics=1"]))
        assert standing.provenance.sampling == {"standing_statistics": 1}
        assert whole.numbers["fd_pixels"].value != standing.numbers["fd_pixels"].value

    def test_ema_or_trained_players(self, points):
        [averaged], [trained] = (measure(points, "checkpoint=6", f"ema={ema}") for ema in ("true", "false"))
        assert (averaged.provenance.ema, trained.provenance.ema) == (True, False)
        assert averaged.numbers["w1"].value != trained.numbers["w1"].value
        cfg = stored_config(points)
        report = Measurement(build_metric(cfg), build_data(cfg), CPU, role="report")
        assert trained.numbers["w1"].value == report(load(points, 6, ema=False).game, 5)["w1"].value

    def test_a_run_without_an_ema_does_not_claim_one(self, tmp_path):
        values = "train.steps=1 ema=null eval_every=0 sample_every=0 metric.n_samples=8"
        train(configs.config("dataset=ring", values), tmp_path / "run")
        [result], [same] = (measure(tmp_path / "run", *words) for words in ([], ["ema=false"]))
        assert result.provenance.ema is same.provenance.ema is False
        assert result.numbers == same.numbers

    @pytest.mark.parametrize(("words", "n"), [([], 10), (["n_samples=20"], 20), (["n_samples=1000"], 64)])
    def test_the_number_of_samples_is_limited_by_the_data(self, points, words, n):
        [result] = measure(points, "checkpoint=last", *words)
        assert (result.provenance.n_real, result.provenance.n_fake) == (n, n)

    def test_a_user_defined_metric(self, points):
        words = ["metric=modes", "metric.n_samples=16", "metric.split=heldout", "checkpoint=last"]
        [result] = measure(points, *words)
        assert result.primary == "reverse_kl"
        assert {"modes", "high_quality"} < set(result.numbers)
        assert result.numbers["modes"].higher_is_better
        assert (result.provenance.metric, result.provenance.split, result.provenance.n_real) == ("reverse_kl", "heldout", 16)

    def test_user_defined_features_have_their_name_and_provenance(self, images):
        [result] = measure(images, "features=identity", "checkpoint=last")
        assert set(result.numbers) == {"fd", "kid"}
        assert result.provenance.features == {"extractor": "identity"}
        assert set(measure(images, "checkpoint=last")[0].numbers) == {"fd_pixels", "kid_pixels"}

    def test_pictures_are_written_to_the_run(self, images, tmp_path):
        shutil.copytree(images, tmp_path / "run")
        assert measure(tmp_path / "run")[0].primary == "fd_pixels"
        assert not (tmp_path / "run" / "eval").exists(), "no pictures"
        measure(tmp_path / "run", "metric=memorisation", "checkpoint=all")
        paths = sorted((tmp_path / "run" / "eval").iterdir())
        assert [path.name for path in paths] == [f"memorisation_step_0000000{step}.png" for step in (1, 2)]
        first, second = (np.asarray(Image.open(path)) for path in paths)
        assert first.shape == second.shape
        assert (first != second).any()


class TestTheGameItself:
    WORDS = (
        *("diagnostics=game", "diagnostics.batch_size=16", "diagnostics.steps=2"),
        *("diagnostics.batches=2", "diagnostics.eigenvalues=0"),
    )

    def test_diagnostics_measure_the_trained_players(self, points):
        [result] = measure(points, *self.WORDS)
        norms = {f"game/grad_norm/{player}" for player in ("generator", "discriminator")}
        assert norms | {"game/duality_gap_at_least", "game/gain_at_least/generator", "game/critic_slope"} <= set(result.numbers)
        assert all(math.isfinite(number.value) and number.floor is None for number in result.numbers.values())
        assert {number.higher_is_better for number in result.numbers.values()} == {None}
        origin = result.provenance
        assert (origin.group, origin.metric, origin.ema, origin.n_fake, origin.seed) == ("diagnostics", "game", False, 16, 5)
        assert origin.settings["batch_size"] == 16
        assert result.details["skipped"]["spectra"] == "eigenvalues=0"
        game, asked_for = load(points, 6, ema=False).game, make_checkpoints(*self.WORDS).diagnostics
        again = asked_for.diagnose(game, build_data(stored_config(points)), 5).values
        assert {name: value.value for name, value in again.items()} == {n: v.value for n, v in result.numbers.items()}

    @pytest.mark.long
    def test_diagnostics_together_with_a_metric(self, points):
        heard = Mock()
        checkpoints = make_checkpoints(
            *self.WORDS, "metric=wasserstein", "metric.n_samples=10", "checkpoint=all", advance=heard
        )
        expected, found = checkpoints.n_measurements(points), checkpoints.results(points)
        assert [(result.step, result.provenance.group) for result in found] == [
            (step, group) for step in (2, 4, 6) for group in ("metric", "diagnostics")
        ]
        assert heard.call_count == expected
        alone = measure(points, *self.WORDS, "checkpoint=all")
        assert [result.numbers for result in found[1::2]] == [result.numbers for result in alone]

    def test_a_curve(self, points):
        heard = Mock()
        checkpoints = make_checkpoints(*self.WORDS, "checkpoint=all", advance=heard)
        expected, found = checkpoints.n_measurements(points), checkpoints.results(points)
        assert [result.step for result in found] == [2, 4, 6]
        assert len({result.numbers["game/duality_gap_at_least"].value for result in found}) == 3
        assert heard.call_count == expected

    @pytest.mark.long
    def test_the_path_from_an_earlier_checkpoint(self, points, tmp_path):
        folder = shutil.copytree(points, tmp_path / "run")
        words = ("diagnostics=path_angle", "diagnostics.batch_size=8", "diagnostics.points=5")
        [first] = measure(folder, *words, "checkpoint=last")
        [same] = measure(folder, *words, "checkpoint=last", "diagnostics.start=2")
        [later] = measure(folder, *words, "checkpoint=last", "diagnostics.start=4")
        assert first.numbers == same.numbers != later.numbers
        assert set(first.numbers) == {"path_angle/jump", "path_angle/before"}
        assert (folder / "eval" / "path_angle_step_00000006.png").is_file()
        assert len(first.details["path"]["cosines"]) == 5
        assert [result.step for result in measure(folder, *words, "checkpoint=all")] == [4, 6], "2 comes from nowhere"


class TestTheData:
    def test_a_moved_data_set(self, images, tmp_path):
        cfg = stored_config(images)
        expected = measure(images, "checkpoint=last")
        there = tmp_path / "moved, = 1"
        shutil.copytree(cfg.dataset.root, there)
        cfg.dataset.root = str(tmp_path / "gone")
        folder = tmp_path / "run"
        shutil.copytree(images, folder)
        state = checkpoint.load(checkpoint.path_of(folder, 2))
        state["config"]["dataset"]["root"] = str(tmp_path / "gone")
        checkpoint.save(folder, 2, state)
        with pytest.raises(UserError, match="gone"):
            measure(folder, "checkpoint=last")
        [found] = measure(folder, "checkpoint=last", f"root={there}")
        assert (found.numbers, found.provenance) == (expected[0].numbers, expected[0].provenance)

    def test_runs_with_equal_settings_share_the_metric_which_is_announced_once(self, points, images):
        said = []
        checkpoints = make_checkpoints("checkpoint=last", say=said.append)
        for folder in (points, images, points):
            checkpoints.results(folder)
        overlap = "of 8 real samples 6 are among those that choose the best checkpoint, too: n_samples=5 keeps them apart"
        assert said == ["metric: w1", "metric: fd_pixels", overlap]
        both = make_checkpoints()
        cfg = stored_config(points)
        select, report = (both.measurement(cfg, role) for role in ("select", "report"))
        assert select.data is report.data
        assert both.measurement(cfg, "report") is report

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["checkpoint=3"], r"no checkpoint of step 3\. There are: 2, 4, 6\."),
            (["checkpoint=some.pt"], r"no checkpoint some\.pt"),
            (["root=x"], "root=x: this run's data set lies in no folder"),
            (["metric=none"], "metric=none measures nothing"),
            (["n_samples=1"], r"needs at least 2 samples, but n_samples=1\."),
            (["metric=all"], "metric=all is for images"),
            (["features=pixels"], "features=pixels needs grey or colour images"),
        ],
    )
    def test_invalid_requests_are_refused_in_one_sentence(self, points, words, said):
        with pytest.raises(UserError, match=said):
            measure(points, *words)

    @pytest.mark.parametrize("text", ["a: [", "a: 1", "- 1", "dataset: {_target_: x}\n", b"\xff\xfe\x00"])
    def test_an_unreadable_config(self, edited, text):
        folder = edited(2)
        (folder / "config.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(UserError, match=r"copy/config\.yaml"):
            measure(folder)

    def test_damaged_and_missing_checkpoints(self, edited):
        folder, said = edited(4), []
        checkpoint.path_of(folder, 6).write_bytes(b"x")
        for words, left in (([], [4]), (["checkpoint=all"], [2, 4])):
            found = make_checkpoints(*words, say=said.append).results(folder)
            assert [result.step for result in found] == left
            assert said.pop().startswith("step 6 is left out: checkpoint ")
        with pytest.raises(UserError, match=r"step_00000006\.pt cannot be read"):
            measure(folder, "checkpoint=last")
        assert measure(folder, "checkpoint=2")
        shutil.rmtree(folder / "checkpoints")
        with pytest.raises(UserError, match="holds no checkpoint yet"):
            measure(folder)
