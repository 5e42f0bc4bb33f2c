"""Runs that a report shows side by side: equal seeds of all methods, and one data set at a time."""

import json

import pytest
from omegaconf import OmegaConf

from gan_cli.config.names import settings_text
from gan_cli.report.figures import sections, standard, tables
from gan_cli.report.figures.curves import Curves
from gan_cli.report.figures.gallery import Gallery
from gan_cli.report.figures.progression import Progression
from gan_cli.report.figures.sweeps import Bars, SweepCurves
from gan_cli.report.records.data_sets import by_data_set
from gan_cli.report.records.runs import run_records
from gan_cli.report.records.selection import equal_seeds, left_out

CURVES = {"loss/discriminator": [3.0, 2.0], "metric/w1": [2.0, 1.0]}
RING, GRID = {"_target_": "m.ring", "std": 0.02}, {"_target_": "m.grid25", "std": 0.05}


@pytest.fixture
def undrawn(monkeypatch):
    """Record what would be drawn: the title and the runs of each figure."""
    drawn = []
    for kind in (Curves, Bars, SweepCurves, Progression, Gallery):
        monkeypatch.setattr(kind, "draw", lambda self, runs: drawn.append((self.title, [run.name for run in runs])) or [])
    return drawn


@pytest.fixture
def two_data_sets(run):
    """Two losses on two data sets, two seeds each, with a metric whose floor belongs to the data set."""
    for name, dataset in (("ring", RING), ("grid25", GRID)):
        for loss in ("wgan", "hinge"):
            for seed in (1, 2):
                words = [f"dataset={name}", f"loss={loss}"]
                folder = run(f"s/{name}{loss}{seed}", CURVES, seed, overrides=words, dataset=dataset, pictures=(0, 1))
                metric = {"name": "w1", "initial": 2.0, "final": 1.0, "floor": dataset["std"], "higher_is_better": False}
                content = {"status": "finished", "metric": metric}
                (folder / "result.json").write_text(json.dumps(content))
    return run_records(folder.parent)


def settings(**changed):
    return OmegaConf.create({"median": None, "stages": 3, "methods": 12, **changed})


class TestEqualSeeds:
    def chosen(self, run, seeds):
        for method, of_method in seeds.items():
            for seed in of_method:
                folder = run(f"s/{method}{seed}", CURVES, seed, overrides=[f"loss={method}"]).parent
        selection = equal_seeds(run_records(folder))
        return [run.name for run in selection.runs], selection.note

    def test_the_smallest_that_all_methods_have(self, run):
        names, note = self.chosen(run, {"a": [1, 2, 3], "b": [3, 2], "c": [2, 5]})
        assert names == ["loss=a, seed 2", "loss=b, seed 2", "loss=c, seed 2"]
        assert note == "Every method is shown with seed 2."

    def test_where_no_seed_is_shared_each_is_named(self, run):
        names, note = self.chosen(run, {"a": [3, 1], "b": [2]})
        assert names == ["loss=a, seed 1", "loss=b, seed 2"]
        assert note == "No seed is there for every method. Shown: loss=a, seed 1; loss=b, seed 2."

    def test_methods_that_are_left_out_are_named(self):
        assert left_out(["a", "b", "ours"], 2) == "2 of 3 methods are shown here, and methods=3 shows all. Left out: ours."
        assert left_out(["a", "b"], 2) == left_out(["a", "b"], None) == ""

    @pytest.mark.parametrize("figure", [Gallery(title="g", glob="samples/*.png"), Progression(title="p", tag="metric/w1")])
    def test_figures_of_samples(self, run, figure, monkeypatch):
        monkeypatch.setattr("gan_cli.report.figures.style.render", lambda size, paint: b"")
        for method, seeds in {"a": (1, 2), "b": (2, 3)}.items():
            for seed in seeds:
                run(f"s/{method}{seed}", CURVES, seed, overrides=[f"loss={method}"], pictures=(0, 1))
        drawn = figure.draw(run_records(run("s/a9", CURVES, 9, overrides=["loss=a"]).parent))
        said = " ".join(one.caption for one in drawn)
        assert "seed 2" in said
        assert "seed 1" not in said

    def test_a_gallery_shows_every_method(self, run, monkeypatch):
        monkeypatch.setattr("gan_cli.report.figures.style.render", lambda size, paint: b"")
        for index in range(30):
            folder = run(f"s/{index:02d}", CURVES, 1, overrides=[f"c={index}"], pictures=(1,))
        captions = [one.caption for one in Gallery(glob="samples/*.png").draw(run_records(folder.parent))]
        assert captions == [f"Every method is shown with seed 1. Image {n} of 2." for n in (1, 2)]


class TestDataSets:
    def test_settings_are_those_in_which_its_methods_differ(self, two_data_sets):
        found = by_data_set(two_data_sets)
        assert list(found) == ["grid25", "ring"]
        assert {run.method for run in found["ring"]} == {"loss=wgan", "loss=hinge"}
        assert {run.method for run in two_data_sets} > {"dataset=ring, loss=wgan"}, "the records stay as they were"

    def test_names_tell_them_apart(self, run):
        for std in (0.1, 0.2):
            folder = run(f"s/{std}", CURVES, overrides=[f"dataset.std={std}"], dataset={"_target_": "m.ring", "std": std})
        assert list(by_data_set(run_records(folder.parent))) == ["ring, std=0.1", "ring, std=0.2"]

    def test_limits_make_no_data_set(self, run):
        for n in (10, 20):
            folder = run(f"s/{n}", CURVES, overrides=[f"dataset.max_samples={n}"], dataset={**RING, "max_samples": n})
        assert list(by_data_set(run_records(folder.parent))) == [""]

    def test_standard_figures(self, two_data_sets, undrawn):
        sections.training(two_data_sets, settings())
        titles = {title for title, _ in undrawn}
        assert titles == {f"{title} ({name})" for title in ("The metric", "Losses") for name in ("ring", "grid25")}
        assert all(len(names) == 4 for _, names in undrawn)

    def test_the_floor_of_each(self, two_data_sets):
        for name, std in (("ring", 0.02), ("grid25", 0.05)):
            [metric] = [
                figure
                for figure in standard.standard_figures(by_data_set(two_data_sets)[name], None)
                if figure.title == "The metric"
            ]
            assert metric.levels == {"real against real": pytest.approx(std)}

    def test_samples(self, two_data_sets, undrawn):
        section = sections.samples(two_data_sets, settings(methods=1), progressions=True)
        gallery, progression = "Last samples of each method", "Samples under the curve"
        assert {title for title, _ in undrawn} == {f"{t} ({n})" for t in (gallery, progression) for n in ("ring", "grid25")}
        assert {title.partition(" (")[0]: len(names) for title, names in undrawn} == {gallery: 2, progression: 1}
        assert "ring: 1 of 2 methods are shown here, and methods=2 shows all. Left out: loss=wgan." in section.notes
        assert len(section.animations) == 2

    @pytest.mark.parametrize(
        ("figure", "times"),
        [
            (Curves(title="c", tags=["metric/w1"]), 2),
            (Curves(title="c", tags=["metric/w1"], where={"dataset": "ring"}), 1),
            (Bars(title="b", number="metric/w1"), 2),
            (Bars(title="b", number="metric/w1", by=["dataset"]), 1),
            (SweepCurves(title="s", key="loss", numbers=["metric/w1"]), 2),
            (SweepCurves(title="s", key="dataset.std", numbers=["metric/w1"]), 1),
        ],
    )
    def test_declared_figures(self, two_data_sets, undrawn, figure, times):
        sections.declared([figure], two_data_sets, None)
        assert len(undrawn) == times

    def test_tables_of_what_training_measured(self, two_data_sets):
        found = tables.tables(two_data_sets)
        assert {table.title for table in found} == {"w1 ↓ (ring)", "w1 ↓ (grid25)"}
        assert {row[0] for table in found for row in table.rows} == {"loss=wgan", "loss=hinge"}


def test_keys_are_as_short_as_they_can_be():
    keys = {"optimizer.generator.lr": "1", "optimizer.discriminator.lr": "2", "loss._target_": "Hinge", "method": "ours"}
    assert settings_text(keys) == "generator.lr=1, discriminator.lr=2, loss=Hinge, ours"
