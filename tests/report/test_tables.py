"""Tables of evaluation results: their rows, and the notes that say what the numbers are."""

import pytest

from gan_cli.evaluation.results import Number, Provenance, Result, write
from gan_cli.report.figures import tables
from gan_cli.report.records.runs import run_records

CURVES = {"loss/discriminator": [1.0, 0.5]}


def sweep(run, methods, overrides=lambda method: [f"loss={method}"]):
    """Write three seeds of each method with its values of W₁, and return their records."""
    for method, values in methods.items():
        for seed, w1 in enumerate(values):
            folder = run(f"s/{method}{seed}", CURVES, seed, overrides=overrides(method), w1=w1)
    return run_records(folder.parent)


def test_the_notes_say_what_the_intervals_are(run):
    [table] = tables.tables(sweep(run, {"a": [1.0, 1.1, 1.2], "b": [2.0, 2.1, 2.3], "c": [3.0, 3.1, 3.3]}))
    assert "with 97 % simultaneous intervals (Bonferroni over all pairs of methods, 99 % each)" in table.notes[1]


def test_rows_name_what_differs_and_the_title_what_all_share(run):
    methods = {"a": [1.0, 1.1, 1.2], "b": [2.0, 2.1, 2.3]}
    runs = sweep(run, methods, lambda method: [f"loss={method}", f"optimizer.generator.lr={method}", "dataset=ring"])
    for seed in (0, 1):  # another data set, which has a table of its own
        folder = run(f"s/other{seed}", CURVES, seed, overrides=["loss=c", "optimizer.generator.lr=c", "dataset=grid"], w1=3.0)
        content = (folder / "eval.json").read_text()
        (folder / "eval.json").write_text(content.replace('"abc"', '"other"'))
    first, second = tables.tables(run_records(folder.parent))
    assert {len(runs), len(first.rows), len(second.rows)} == {6, 2, 1}
    ring, grid = (first, second) if len(first.rows) == 2 else (second, first)
    assert ring.title == "w1, ranked (dataset=ring)"
    assert [row[0] for row in ring.rows] == ["loss=a, lr=a", "loss=b, lr=b"]
    assert grid.rows[0][0] == "loss=c, lr=c, dataset=grid"


def test_an_interval_without_zero_shows_it(run):
    [table] = tables.tables(sweep(run, {"a": [0.0, 0.0, 0.0], "b": [0.105, 0.15, 0.195]}))
    assert table.rows[1][-3:] == ["+0.15 [+0.0034,+0.30]", "worse", ""]


def test_a_grid_of_two_keys_has_effects_and_a_heat_map(run):
    cells = {f"{loss} {lr}": [i + j, i + j + 0.1, i + j + 0.2] for i, loss in enumerate("ab") for j, lr in enumerate("12")}
    runs = sweep(run, cells, lambda cell: [f"loss={cell[0]}", f"optimizer.lr={cell[2]}"])
    _, effects, means = tables.tables(runs)
    assert [(row[0], row[3]) for row in effects.rows][:2] == [("loss", "effect"), ("optimizer.lr", "effect")]
    assert [row[0] for row in means.rows] == ["loss=a", "loss=b", "optimizer.lr=1", "optimizer.lr=2"]
    bars, grid = tables.ranking_figures(runs)
    assert (bars.slug, grid.slug) == ("numbers_0", "grid_0")
    assert [row["value"] for row in grid.data] == pytest.approx([0.1, 1.1, 1.1, 2.1])


class TestNumbersWithinClasses:
    def write(self, folder, w1, seed=0):
        rows = [
            {"class": "flower", "real": 60, "generated": 70, "w1": w1},
            {"class": "boat", "real": 9, "generated": 9, "w1": None},
        ]
        origin = Provenance("w1", {"p": 1}, {"extractor": "identity"}, 10, 10, "train", True, "abc", seed)
        write(folder, [Result(str(folder), 100, ("last",), origin, {"w1": Number(w1, 0.1, False, 0.05)}, {"by_class": rows})])

    def test_a_run_has_a_row_for_each_class(self, run):
        folder = run("alone", CURVES)
        self.write(folder, 2.5)
        _, table = tables.tables(run_records(folder))
        assert table.title == "w1 within classes, last (step 100)"
        assert table.head == ["", "real", "generated", "w1 ↓"]
        assert table.rows == [["flower", "60", "70", "2.500"], ["boat", "9", "9", ""]]

    def test_a_sweep_has_a_column_for_each_method(self, run):
        for loss, value in {"a": 1.0, "b": 4.0}.items():
            for seed in range(2):
                folder = run(f"s/{loss}{seed}", CURVES, seed, overrides=[f"loss={loss}"])
                self.write(folder, value + 2 * seed, seed)
        _, table = tables.tables(run_records(folder.parent))
        assert table.title == "w1 ↓ within classes"
        assert [table.head, *table.rows] == [["", "loss=a", "loss=b"], ["flower", "2.0 ± 1.0", "5.0 ± 1.0"]]
        assert table.notes[0] == "last checkpoints; mean over seeds ± standard error"
