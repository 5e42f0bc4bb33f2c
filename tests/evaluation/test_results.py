import csv
import dataclasses
import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gan_cli.errors import UserError
from gan_cli.evaluation.columns import to_csv
from gan_cli.evaluation.results import Number, Provenance, Result, differences, read, write

WEIGHTS = "0123456789abcdef" * 4


def provenance(**changes):
    origin = Provenance(
        metric="kid_inception",
        settings={"subsets": 100, "ks": (1, 3)},
        features={"extractor": "inception", "weights": WEIGHTS, "resizing": "tf1 299"},
        n_real=1000,
        n_fake=1000,
        split="train",
        ema=True,
        reference="f00d" * 16,
        seed=0,
    )
    return dataclasses.replace(origin, **changes)


def result(value=0.1, step=10, chosen=("last",), **changes):
    numbers = {"kid_inception": Number(value, 0.01, False, 1e-4), "precision": Number(0.5, None, True, None)}
    return Result("outputs/run", step, chosen, provenance(**changes), numbers, {"curve": [1.0, 2.0]}, 3.5)


def test_equal_provenance_is_ranked_together_for_any_seed():
    assert differences(provenance(), provenance(seed=7)) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_fake": 5000}, "n_fake 1000 against 5000"),
        ({"n_real": 5000}, "n_real 1000 against 5000"),
        ({"ema": False}, "ema true against false"),
        ({"split": "heldout"}, "split train against heldout"),
        ({"metric": "fid"}, "metric kid_inception against fid"),
        ({"reference": "beef" * 16}, "reference f00df00df00d against beefbeefbeef"),
        ({"settings": {"subsets": 10, "ks": (1, 3)}}, "metric.subsets 100 against 10"),
        ({"settings": {"subsets": 100, "ks": (1, 3), "degree": 3}}, "metric.degree none against 3"),
    ],
)
def test_every_difference_is_reported(changes, said):
    assert differences(provenance(), provenance(**changes)) == [said]


def test_numbers_of_unlike_padding_are_not_ranked_together():
    padded, cropped = (provenance(preprocessing={"size": 32, "fit": fit}) for fit in ("pad", "crop"))
    assert differences(padded, cropped) == ["fit pad against crop"]


def test_another_extractor_differs_in_all_its_settings():
    found = differences(provenance(), provenance(features={"extractor": "efficientnet_lite0"}))
    assert found == [
        "extractor inception against efficientnet_lite0",
        "weights 0123456789ab against none",
        "resizing tf1 299 against none",
    ]


def test_reading_returns_what_was_written(tmp_path):
    written = [result(0.1 + 0.2), result(1 / 3, step=None, chosen=())]
    assert write(tmp_path / "new", written) == written
    assert read(tmp_path / "new") == written
    assert read(tmp_path / "new")[0].numbers["kid_inception"].value == 0.1 + 0.2, "all digits are kept"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_strings_or_null_in_the_file(tmp_path, value):
    numbers = {"kid_inception": Number(value, abs(value), None, value)}
    bad = dataclasses.replace(result(), numbers=numbers, details={"curve": [value, {"deep": (value,)}]})
    write(tmp_path, [bad])

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    content = json.loads((tmp_path / "eval.json").read_text(), parse_constant=refuse)
    word = None if math.isnan(value) else str(value)
    assert content["results"][0]["numbers"]["kid_inception"]["value"] == word
    [found] = read(tmp_path)
    assert found.numbers["kid_inception"].higher_is_better is None
    if math.isnan(value):
        assert math.isnan(found.numbers["kid_inception"].value)
    else:
        assert found.numbers == numbers, "error and floor are kept too"
    assert found.details == {"curve": [word, {"deep": [word]}]}


def test_concurrent_writers_lose_nothing(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda step: write(tmp_path, [result(step=step, chosen=())]), range(12)))
    assert sorted(r.step for r in read(tmp_path)) == list(range(12))


def test_another_metric_is_added_and_the_same_one_replaced(tmp_path):
    write(tmp_path, [result(1.0), result(2.0, metric="fid")])
    write(tmp_path, [result(3.0)])
    assert [(r.provenance.metric, r.numbers["kid_inception"].value) for r in read(tmp_path)] == [
        ("fid", 2.0),
        ("kid_inception", 3.0),
    ]
    write(tmp_path, [result(4.0, seed=1), result(5.0, step=11, chosen=())])
    assert len(read(tmp_path)) == 4, "another seed or step is another result"


def test_one_checkpoint_is_marked_as_the_last(tmp_path):
    write(tmp_path, [result(step=10, chosen=("last", "best")), result(step=10, chosen=("last",), metric="fid")])
    write(tmp_path, [result(step=20, chosen=("last",))])
    assert [(r.step, r.provenance.metric, r.chosen) for r in read(tmp_path)] == [
        (10, "kid_inception", ("best",)),
        (10, "fid", ("last",)),
        (20, "kid_inception", ("last",)),
    ]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"results": [{}]}', '{"results": 3}', '{"results": [{"numbers": {"a": {"value": 1}}}]}']
)
def test_a_damaged_file_is_named_and_kept(tmp_path, content):
    (tmp_path / "eval.json").write_text(content)
    with pytest.raises(UserError, match=r"eval\.json is damaged"):
        read(tmp_path)
    with pytest.raises(UserError, match=r"eval\.json is damaged"):
        write(tmp_path, [result()])
    assert (tmp_path / "eval.json").read_text() == content


def test_a_result_without_numbers_counts_as_damaged(tmp_path):
    write(tmp_path, [result()])
    content = json.loads((tmp_path / "eval.json").read_text())
    content["results"][0]["numbers"] = {}
    (tmp_path / "eval.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="without numbers"):
        read(tmp_path)


def test_nothing_evaluated_yet(tmp_path):
    assert read(tmp_path) == []


def test_csv_has_a_row_for_every_number(tmp_path):
    write(tmp_path, [result(0.1 + 0.2), result(math.nan, step=None, chosen=("last", "best"), features={"extractor": "pixels"})])
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".lock") == ["eval.csv", "eval.json"]
    with open(tmp_path / "eval.csv", newline="", encoding="utf-8") as file:
        first, second, third, _ = csv.DictReader(file)
    assert float(first["value"]) == 0.1 + 0.2
    assert (first["name"], first["step"], first["chosen"], first["floor"]) == ("kid_inception", "10", "last", "0.0001")
    assert (first["extractor"], first["weights"], first["resizing"]) == ("inception", WEIGHTS, "tf1 299")
    assert (first["n_real"], first["split"], first["ema"], first["sampling_seed"]) == ("1000", "train", "True", "0")
    assert json.loads(first["metric_settings"]) == {"subsets": 100, "ks": [1, 3]}
    assert (second["name"], second["error"], second["higher_is_better"]) == ("precision", "", "True")
    assert (third["value"], third["step"], third["chosen"], third["weights"]) == ("nan", "", "last best", "")


def test_csv_keeps_commas_and_quotes():
    strange = dataclasses.replace(result(), source='a, "b"\n')
    assert next(csv.DictReader(to_csv(Path(), [strange]).splitlines(keepends=True)))["source"] == 'a, "b"\n'


def test_the_primary_number_is_the_first():
    assert result().primary == "kid_inception"
