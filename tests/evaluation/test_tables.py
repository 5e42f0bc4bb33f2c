import io
import math
import re
from dataclasses import replace

import pytest
from rich.console import Console

from gan_cli.evaluation.comparison import compare
from gan_cli.evaluation.details import reference_tables, remark_tables
from gan_cli.evaluation.floor_words import floor_in_words, floor_label, result_label
from gan_cli.evaluation.number_format import format_interval, format_value
from gan_cli.evaluation.remarks import remarks
from gan_cli.evaluation.results import Number, Provenance, Result
from gan_cli.evaluation.sweeps import SweepRun
from gan_cli.evaluation.tables import caption, curve_tables, run_tables, sweep_tables
from gan_cli.evaluation.verdicts import describe_level

NAMES = {"fd_efficientnet_lite0": False, "kid_efficientnet_lite0": False, "precision_efficientnet_lite0": True}
NAMES |= {"recall_efficientnet_lite0": True, "density_efficientnet_lite0": True, "coverage_efficientnet_lite0": True}
OPTIONS = {"a": ("wgan_gp", "0.0001"), "b": ("non_saturating", "0.0002"), "c": ("relativistic", "0.0004")}


def provenance(seed=0, n=1000):
    features = {"extractor": "efficientnet_lite0", "weights": "ab12" * 16, "resizing": "bilinear 96"}
    return Provenance("fd_efficientnet_lite0", {"k": 3}, features, n, n, "heldout", True, "f00d" * 16, seed)


def result(value, step=3000, chosen=("last",), seed=0, n=1000):
    numbers = {name: Number(value, value / 70, higher, value / 3) for name, higher in NAMES.items()}
    return Result("outputs/[run]", step, chosen, provenance(seed, n), numbers)


def text(tables, width=100):
    console = Console(width=width, file=io.StringIO(), legacy_windows=False)
    for table in tables:
        console.print(table)
    return console.file.getvalue()


def sweep(n_keys, seeds=5, n_of_last=1000):
    sweep_runs, results = [], {}
    for index, (letter, (loss, lr)) in enumerate(OPTIONS.items()):
        for seed in range(seeds):
            words = [f"loss={loss}", f"optimizer.lr={lr}", f"optimizer.betas=[0.5,0.9{index}]"][:n_keys]
            run = SweepRun(f"{letter}{seed}", {"seed": seed}, [*words, f"seed={seed}"])
            n = n_of_last if letter == "c" else 1000
            sweep_runs.append(run)
            value = 300.25 + 60 * index + 1.7 * seed * (1 + index)
            results[run.name] = [result(value, seed=seed, n=n), result(value - 20, 2000, ("best",), seed, n)]
    return sweep_runs, results


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (152.3456, 0.0123, "152.346 ± 0.012"),
        (152.3456, 1.23, "152.3 ± 1.2"),
        (152.3456, 12.3, "152 ± 12"),
        (1234.5, 456.0, "1230 ± 460"),
        (0.5, 0.0996, "0.50 ± 0.10"),
        (0.5, 9.96, "0 ± 10"),
        (-0.001, 0.12, "0.00 ± 0.12"),
        (0.00412, 0.000017, "0.004120 ± 0.000017"),
        (1.234e-9, 1.2e-10, "1.23e-09 ± 1.2e-10"),
        (12.0, 0.0, "12"),
        (12.3456, None, "12.35"),
        (12345.6, None, "12346"),
        (0.0001234, None, "0.0001234"),
        (1.5e-8, None, "1.500e-08"),
        (2.5e9, None, "2.500000000e+09"),
        (0.0, None, "0"),
        (12.3456, math.nan, "12.35"),
        (math.nan, 1.0, "not finite"),
        (math.inf, None, "not finite"),
    ],
)
def test_the_error_determines_the_digits(value, error, expected):
    assert format_value(value, error) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((0.47, 0.0043, 0.936), ("+0.47", "+0.0043", "+0.94")),
        ((-0.47, -0.936, -0.0043), ("-0.47", "-0.94", "-0.0043")),
        ((0.47, -0.0043, 0.944), ("+0.47", "-0.0043", "+0.94")),
        ((0.47, 0.0, 0.94), ("+0.47", "+0.00", "+0.94")),
        ((321.0, 12.3, 654.0), ("+320", "+10", "+650")),
        ((2.0, 2.0, 2.0), ("+2.000", "+2.000", "+2.000")),
    ],
)
def test_an_interval_without_zero_shows_it(given, expected):
    assert format_interval(*given) == expected


def test_the_legend_says_what_the_intervals_are():
    def legend(*args):
        return " ".join(text(sweep_tables(compare(*sweep(*args))), 200).split())

    assert "with 97 % simultaneous intervals (Bonferroni over all pairs of methods, 99 % each)" in legend(1)
    assert describe_level(1) == "97 % intervals"
    assert "99.7 % each" in describe_level(10)


def test_the_caption_holds_all_that_decides():
    words = caption(provenance(7))
    for part in ("efficientnet_lite0", "ab12ab12ab12,", "bilinear 96", "1000 generated against 1000 real", "heldout"):
        assert part in words
    assert "averaged players, seed 7" in words
    assert "k 3" in words
    assert "seed" not in caption(provenance(7), seed=False)


@pytest.mark.parametrize("width", [80, 100, 160])
def test_a_run(width):
    found = text(run_tables([result(310.2), result(290.2, 2000, ("best",))]), width)
    assert "outputs/[run]" in found, "no markup"
    assert re.search(r"fd_efficientnet_lite0 ↓ +310\.2 ± 4\.4 +290\.2 ± 4\.1 +103\.4", found)
    assert "precision_efficientnet_lite0 ↑" in found
    assert re.search(r"step 3000 +step 2000 +floor", found)
    assert "…" not in found


def test_one_checkpoint_may_be_last_and_best():
    assert "last = best" in text(run_tables([result(1.0, chosen=("last", "best"))]))


def test_folders_have_no_steps():
    found = text(run_tables([result(1.0, None, ())]))
    assert "value" in found
    assert "step" not in found


def test_different_provenance_comes_in_tables_of_its_own():
    assert len(run_tables([result(1.0), result(2.0, n=5000), result(3.0, 2000)])) == 2
    assert len(curve_tables([result(1.0), result(2.0, seed=1)])) == 4, "six numbers take two tables each"


@pytest.mark.parametrize("width", [80, 100, 160])
def test_a_curve_goes_up_the_steps(width):
    found = text(curve_tables([result(310.2), result(290.2, 2000, ("best",)), result(400.0, 1000, ())]), width)
    first = found.index("1000  ")
    assert first < found.index("2000  best") < found.index("3000  last") < found.index("floor")
    assert "310.2 ± 4.4" in found
    assert "…" not in found


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("n_keys", [0, 1, 2, 3])
def test_a_sweep_keeps_its_numbers_whole(width, n_keys):
    comparison = compare(*sweep(n_keys))
    found = text(sweep_tables(comparison), width)
    assert "…" not in found
    for row in comparison.rankings[0].rows:
        for choice in ("last", "best"):
            assert format_value(*row.means[choice]["fd_efficientnet_lite0"][:2]) in found
    if width >= 100:
        for option in OPTIONS.values():
            assert all(value in found for value in option[:n_keys]), "settings are not broken"
        assert len(re.findall(r"\+[\d.]+ \[\+[\d.]+,\+[\d.]+\] +worse", found)) == (2 if n_keys else 0)


def test_a_sweep_says_what_it_compares():
    sweep_runs, results = sweep(1, n_of_last=5000)
    sweep_runs[0] = SweepRun(sweep_runs[0].name, sweep_runs[0].config, sweep_runs[0].overrides, "failed: no luck")
    found = " ".join(text(sweep_tables(compare(sweep_runs, results)), 160).split())
    assert "fd_efficientnet_lite0 ↓, best first" in found
    assert "Not comparable with the first table: n_real 1000 against 5000, n_fake 1000 against 5000." in found
    assert "wgan_gp 4 of 5" in found
    assert "a0 failed: no luck" in found
    assert re.search(r"Floor, real against real: 100\.\d to 12\d\.\d \(one draw\)\.", found)
    assert "1000 generated against 1000 real samples" in found


class TestFloors:
    """A floor is shown with its scatter over draws, and marked where its counts are not those of the numbers."""

    def measured(self, **details):
        number = Number(300.0, 4.0, False, floor=100.0, floor_error=None if details["floor_draws"] == 1 else 7.0)
        return replace(result(300.0), numbers={"fd_efficientnet_lite0": number}, details=details)

    def test_of_a_run(self):
        several = text(run_tables([self.measured(floor_n=1000, floor_against=1000, floor_draws=10)]), 200)
        assert "100.0 ± 7.0" in several
        assert (
            "Floor: the same numbers between 1000 real samples and as many other real ones; mean ± standard deviation over 10 "
            "random splits of these." in several
        )
        one = text(run_tables([self.measured(floor_n=500, floor_against=500, floor_draws=1, floor_split="train")]), 200)
        assert (
            "Floor, at other counts than the numbers: the same numbers between 500 real samples and as many other real ones of "
            "the train split; one draw, whose error is not known." in one
        )

    def test_of_a_sweep(self):
        run = SweepRun("a", {"seed": 0}, ["seed=0"])
        cases = {
            (1000, 10): "100.0 ± 7.0 (± standard deviation over 10 random splits)",
            (500, 1): "100 (500 against 500 samples, one draw)",
        }
        for (n, draws), words in cases.items():
            details = {"floor_n": n, "floor_against": n, "floor_draws": draws}
            comparison = compare([run], {"a": [self.measured(**details)]})
            assert floor_in_words(comparison.rankings[0]) == words
            assert f"Floor, real against real: {words}." in " ".join(text(sweep_tables(comparison), 160).split())

    def test_of_a_figure(self):
        counts = {"n_real": 1000, "n_fake": 1000}
        assert floor_label({**counts, "floor_n": 1000, "floor_against": 1000}) == "real against real"
        assert floor_label(counts | {"floor_n": 500, "floor_against": 500}) == "real against real, 500 against 500 samples"
        assert result_label(self.measured(floor_n=500, floor_against=400, floor_draws=1)).endswith("500 against 400 samples")


def two_data_sets():
    sweep_runs, results = [], {}
    for name, content in (("ring", "a1"), ("grid25", "b2")):
        for loss in ("wgan", "hinge"):
            for seed in (1, 2):
                run = SweepRun(f"{name}-{loss}-{seed}", {"seed": seed}, [f"dataset={name}", f"loss={loss}", f"seed={seed}"])
                origin = replace(provenance(seed), reference=content * 32)
                rows = [{"": "samples", "modes": 3}, {"": f"data of {name}", "modes": 8}]
                results[run.name] = [replace(result(5.0), provenance=origin, details={"table": rows})]
                sweep_runs.append(run)
    return sweep_runs, results


def test_each_data_set_has_its_own_references():
    found = text(reference_tables(*two_data_sets()))
    assert [line for line in found.splitlines() if "references" in line] == [
        "fd_efficientnet_lite0: references, dataset=ring",
        "fd_efficientnet_lite0: references, dataset=grid25",
    ]
    assert "data of ring" in found
    assert "data of grid25" in found


def test_what_all_rows_share_stands_in_the_title_alone():
    found = text(sweep_tables(compare(*two_data_sets())), 160)
    assert "fd_efficientnet_lite0 ↓, best first: dataset=ring\n" in found
    assert "fd_efficientnet_lite0 ↓, best first: dataset=grid25\n" in found
    assert not re.search(r"^ *ring ", found, re.MULTILINE)


def test_a_narrow_sweep_breaks_no_word():
    runs, results = sweep(1, seeds=2)
    last = {name: [replace(one, chosen=("last",)), replace(one, chosen=("best",))] for name, (one, _) in results.items()}
    shown = text(sweep_tables(compare(runs, last)), 60)
    assert "last = best" in shown, "equal columns are one"
    assert {"wgan_gp", "non_saturating", "relativistic", "few", "seeds"} <= set(shown.split())


def test_one_seed_has_no_error_and_no_verdict():
    found = text(sweep_tables(compare(*sweep(1, seeds=1))), 160)
    assert "a single seed has no error" in found
    assert "too few seeds" in found
    assert " ± " not in found.split("By the")[0]


def test_what_is_not_finite_is_said():
    sweep_runs, results = sweep(1)
    results["a0"] = [result(math.nan)]
    found = text(sweep_tables(compare(sweep_runs, results)), 160)
    assert re.search(r"wgan_gp +5 +not finite", found)


def test_what_a_metric_remarks_of_its_numbers_stands_under_the_table():
    told = {"floor_n": 9, "score": {"remarks": ["not converged"], "losses": [1.0]}, "remarks": ["too few"]}
    one, other = (replace(result(70.0, step), details=told) for step in (1, 2))
    assert remarks([one]) == ["not converged", "too few"]
    assert remarks([one, other]) == ["not converged", "too few"], "all results have them"
    third = replace(result(70.0, 3), details={})
    assert remarks([one, other, third])[3] == "outputs/[run], step 2: too few"
    assert remarks([result(70.0)]) == []
    assert "not converged" in text(run_tables([one]))
    assert "outputs/[run], step 2: too few" in text(curve_tables([one, other, third]))
    assert "remarks\noutputs/[run], step 1: not converged" in text(remark_tables([one, other, third]))
    assert "remarks\nnot converged\ntoo few" in text(remark_tables([one, other]))
    assert remark_tables([result(70.0)]) == []


@pytest.mark.parametrize("n_keys", [1, 2])
def test_a_narrow_ranking_leaves_out_the_checkpoint_that_is_not_compared_and_keeps_the_verdict(n_keys):
    runs, results = sweep(n_keys)
    tables = sweep_tables(compare(runs, results))[:1]
    wide, narrow = text(tables, 100), text(tables, 60)
    heading = lambda shown: next(line for line in shown.splitlines() if "to the best" in line).split()  # noqa: E731
    assert {"seeds", "last"} <= {*heading(wide)}
    assert ("seeds" in heading(narrow), "last" in heading(narrow)) == (n_keys == 1, True)
    assert heading(wide).count("best") == heading(narrow).count("best") + 1
    assert narrow.count("worse") == wide.count("worse") > 0
    assert "…" not in narrow
