"""Numbers within classes in tables of the console, in eval.csv and in rankings."""

import csv
import io
import json
import re

import pytest
from rich.console import Console

from gan_cli.errors import UserError
from gan_cli.evaluation import columns
from gan_cli.evaluation.class_tables import curve_class_tables, run_class_tables, sweep_class_tables
from gan_cli.evaluation.comparison import compare
from gan_cli.evaluation.rankings import ranking_entries
from gan_cli.evaluation.results import Evaluation, Number, Provenance, Result, read, write
from gan_cli.evaluation.sweeps import SweepRun

CLASSES = ("T-shirt/top", "[bold]", "a class whose name is longer than a column", "rare")
ORIGIN = Provenance("fd", {}, {"extractor": "pixels"}, 300, 400, "train", True, "abc", 0)


def result(value=10.0, step=7, chosen=("last",), numbers=("fd_efficientnet_lite0", "kid_efficientnet_lite0")):
    """Return a result whose number i within class j is ``value + j + i / 2``, except for the last class, which has none."""
    rows = [
        {
            "class": label,
            "real": 60 + j,
            "generated": 70 + j,
            **{name: None if label == "rare" else value + j + i / 2 for i, name in enumerate(numbers)},
        }
        for j, label in enumerate(CLASSES)
    ]
    return Result("run", step, chosen, ORIGIN, {name: Number(value, 0.1) for name in numbers}, {"by_class": rows})


def sweep(losses=("hinge", "non_saturating")):
    runs = [SweepRun(f"{loss}{s}", {"seed": s}, [f"loss={loss}", f"seed={s}"]) for loss in losses for s in range(2)]
    values = {"run": 0.0}
    for i, run in enumerate(runs):
        values[run.name] = 100.0 * (i // 2) + i % 2
    return compare(runs, {run.name: [result(values[run.name])] for run in runs})


def shown(tables, width=80):
    console = Console(width=width, file=io.StringIO(), legacy_windows=False)
    for table in tables:
        console.print(table)
    text = console.file.getvalue()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    return text


@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_run_has_a_row_for_each_class(width):
    text = shown(run_class_tables([result(numbers=("precision_efficientnet_lite0", "b", "c", "d", "e"))]), width)
    assert text.count("run, step 7: within classes") == 2, "five numbers take two tables"
    assert re.search(r"T-shirt/top +60 +70 +10 +10\.50 +11", text)
    assert re.search(r"\[bold\] +61 +71 +11 ", text), "no markup"
    assert re.search(r"rare +63 +73 +– +– +–", text)
    assert re.search(r"b ↓ +c ↓", text)
    assert "Only classes with 50 real and 50 generated samples or more have numbers." in " ".join(text.split())


@pytest.mark.parametrize("width", [80, 200])
def test_a_curve_has_a_row_for_each_step(width):
    found = [result(5.0, 20, ("last", "best")), result(9.0, 10, ())]
    text = shown(curve_class_tables(found), width)
    assert "run: fd_efficientnet_lite0 ↓ within classes" in text
    first, second = [line.split() for line in text.splitlines() if re.match(r" *[12]0 ", line)][:2]
    assert first == ["10", "9", "10", "11"]
    assert second == ["20", "last", "=", "best", "5", "6", "7"]
    assert curve_class_tables([Result("run", 1, (), ORIGIN, {"fd": Number(1.0)})]) == []


@pytest.mark.parametrize("width", [80, 200])
def test_a_sweep_has_a_column_for_each_method(width):
    text = shown(sweep_class_tables(sweep()), width)
    assert "fd_efficientnet_lite0 ↓ within classes, by loss" in text
    assert re.search(r"class +hinge +non_saturating", text)
    assert re.search(r"T-shirt/top +0\.50 ± 0\.50 +100\.50 ± 0\.50", text)
    assert "rare" not in text
    assert "By the last checkpoint. Only classes with" in text
    four = shown(sweep_class_tables(sweep(("hinge", "a", "b", "c"))), width)
    assert four.count("within classes, by loss") == 2, "four methods take two tables"


def test_games_without_classes_have_no_such_table():
    plain = Result("run", 7, ("last",), ORIGIN, {"fd": Number(1.0)})
    run = SweepRun("a", {"seed": 0}, ["seed=0"])
    assert [run_class_tables([plain]), curve_class_tables([plain]), sweep_class_tables(compare([run], {"a": [plain]}))] == [
        []
    ] * 3


def test_csv_and_frame_have_a_row_for_each_class(tmp_path):
    write(tmp_path, [result(numbers=("fd",))])
    with open(tmp_path / "eval.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], row["class"], row["value"], row["n_real"], row["n_fake"]) for row in rows] == [
        ("fd", "", "10.0", "300", "400"),
        *((f"fd[{label}]", label, str(10.0 + j), str(60 + j), str(70 + j)) for j, label in enumerate(CLASSES[:3])),
    ]
    assert {row["higher_is_better"] for row in rows} == {"False"}
    frame = Evaluation((result(numbers=("fd",)),), tmp_path).frame()
    assert frame[frame["class"] == "[bold]"]["value"].tolist() == [11.0]
    assert frame[frame["name"] == "fd"]["value"].tolist() == [10.0]
    assert "class" not in columns.plain_rows([Result("run", 7, (), ORIGIN, {"fd": Number(1.0)})])[0]


def test_rankings_hold_the_means_of_each_class():
    [entry] = json.loads(json.dumps(ranking_entries(sweep())))
    first, second = entry["methods"]
    assert first["by_class"]["kid_efficientnet_lite0"]["[bold]"] == {"mean": 2.0, "error": 0.5, "n": 2}
    assert list(second["by_class"]["fd_efficientnet_lite0"]) == list(CLASSES[:3])
    rows = {(row["method"], row["name"]): row["mean"] for row in columns.ranking_rows([entry])}
    assert rows["loss=non_saturating", "fd_efficientnet_lite0[T-shirt/top]"] == 100.5
    assert rows["loss=hinge", "fd_efficientnet_lite0"] == 0.5


@pytest.mark.parametrize(
    "rows", [3, [{}], [{"class": 1, "real": 1, "generated": 1}], [{**result().details["by_class"][0], "fd": "x"}]]
)
def test_rows_of_another_form_are_damage(tmp_path, rows):
    write(tmp_path, [result()])
    content = json.loads((tmp_path / "eval.json").read_text())
    content["results"][0]["details"]["by_class"] = rows
    (tmp_path / "eval.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"eval\.json is damaged"):
        read(tmp_path)
