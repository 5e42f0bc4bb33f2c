"""Tables of evaluation results: their rows, and the notes that say what the numbers are."""

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
    assert "with 95 % simultaneous intervals (Bonferroni over all pairs of methods, 98.333 % each)" in table.notes[0]


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
    [table] = tables.tables(sweep(run, {"a": [0.0, 0.0, 0.0], "b": [0.09, 0.15, 0.21]}))
    assert table.rows[1][-1] == "+0.15 [+0.00095, +0.30]: worse"
