import math

import numpy as np
import pytest

from gan_cli.errors import UserError
from gan_cli.evaluation.comparison import compare, mean
from gan_cli.evaluation.reference import reference_method
from gan_cli.evaluation.results import Number, Provenance, Result
from gan_cli.evaluation.sweeps import SweepRun

pytestmark = pytest.mark.slow


def sweep_run(loss, seed, problem=None, suffix=""):
    return SweepRun(f"{loss}{seed}{suffix}", {"seed": seed}, [f"loss={loss}", f"seed={seed}"], problem)


def result(value, seed, chosen=("last",), higher=False, n=1000, floor=None, **others):
    origin = Provenance("fid", {}, {"extractor": "inception"}, n, n, "train", True, "hash", seed)
    numbers = {"fid": Number(value, None, higher, floor), **{name: Number(other) for name, other in others.items()}}
    return Result("folder", 10, chosen, origin, numbers)


def sweep(values, **options):
    """Return runs and results of a sweep, given the primary numbers of seeds 0, 1, ... by loss."""
    sweep_runs = [sweep_run(loss, seed) for loss, numbers in values.items() for seed in range(len(numbers))]
    results = {
        f"{loss}{seed}": [result(x, seed, **options)] for loss, numbers in values.items() for seed, x in enumerate(numbers)
    }
    return sweep_runs, results


def losses(ranking):
    return [row.settings.get("loss") for row in ranking.rows]


def test_the_best_comes_first():
    values = {"a": [3.0, 3.1, 3.2], "b": [1.0, 1.1, 1.3], "c": [2.0, 2.2, 2.1]}
    assert losses(compare(*sweep(values)).rankings[0]) == ["b", "c", "a"]
    assert losses(compare(*sweep(values, higher=True)).rankings[0]) == ["a", "c", "b"]


def test_means_over_seeds():
    assert mean([1.0, 2.0, 3.0, 6.0]) == (3.0, pytest.approx(np.std([1, 2, 3, 6], ddof=1) / 2), 4)
    assert mean([7.0]) == (7.0, None, 1)
    spoiled = mean([1.0, math.nan, 2.0])
    assert math.isnan(spoiled.value)
    assert (spoiled.error, spoiled.n) == (None, 3)


def test_last_best_and_other_numbers_are_shown_together():
    sweep_runs, _ = sweep({"a": [0, 0]})
    results = {
        f"a{seed}": [result(5.0 + seed, seed, kid=0.5), result(3.0 + seed, seed, ("best",), kid=0.25)] for seed in range(2)
    }
    comparison = compare(sweep_runs, results)
    [row] = comparison.rankings[0].rows
    assert (row.means["last"]["fid"].value, row.means["best"]["fid"].value) == (5.5, 3.5)
    assert (row.means["last"]["kid"].value, row.means["best"]["kid"].value) == (0.5, 0.25)
    assert (row.settings, row.seeds, row.n_seeds, row.difference) == ({}, (0, 1), 2, None)
    assert comparison.left_out == {}


def test_methods_can_be_ranked_by_their_best_checkpoints():
    sweep_runs, _ = sweep({"a": [0], "b": [0]})
    results = {
        "a0": [result(1.0, 0), result(0.9, 0, ("best",))],
        "b0": [result(2.0, 0), result(0.5, 0, ("best",))],
    }
    assert losses(compare(sweep_runs, results).rankings[0]) == ["a", "b"]
    assert losses(compare(sweep_runs, results, "best").rankings[0]) == ["b", "a"]


def test_results_of_different_provenance_are_not_ranked_together():
    sweep_runs = [sweep_run(loss, seed) for loss in "abc" for seed in (0, 1)]
    results = {run.name: [result(1.0, run.seed, n=5000 if run.name[0] == "c" else 1000)] for run in sweep_runs}
    first, second = compare(sweep_runs, results).rankings
    assert (losses(first), losses(second)) == (["a", "b"], ["c"])
    assert first.differs_in == ()
    assert second.differs_in == ("n_real 1000 against 5000", "n_fake 1000 against 5000")


def test_results_without_a_ranking_are_not_reported_as_differing():
    results = {"a0": [result(1.0, 0, ("best",), n=1000), result(2.0, 0, n=5000)]}
    [ranking] = compare([sweep_run("a", 0)], results).rankings
    assert (ranking.provenance.n_fake, ranking.differs_in) == (5000, ())


def test_failed_unfinished_and_unevaluated_runs_are_named_and_counted():
    sweep_runs = [
        sweep_run("a", 0),
        sweep_run("a", 1, "failed: no luck"),
        sweep_run("a", 2, "unfinished"),
        sweep_run("a", 3),
        sweep_run("a", 4),
    ]
    results = {"a0": [result(1.0, 0)], "a1": [result(0.0, 1)], "a4": [result(0.0, 4, ("best",))]}
    comparison = compare(sweep_runs, results)
    assert comparison.left_out == {
        "a1": "failed: no luck",
        "a2": "unfinished",
        "a3": "not evaluated",
        "a4": "no result of its last checkpoint",
    }
    [row] = comparison.rankings[0].rows
    assert (row.seeds, row.n_seeds, row.means["last"]["fid"].value) == ((0,), 5, 1.0)


def test_jobs_that_never_started_are_named():
    comparison = compare([sweep_run("a", 0), SweepRun("gone", {}, ["loss=b"], "worker died")], {"a0": [result(1.0, 0)]})
    assert comparison.left_out == {"gone": "worker died"}


def test_a_copy_of_a_run_does_not_count_as_another_seed():
    sweep_runs = [sweep_run("a", 0), sweep_run("a", 0, suffix="copy"), sweep_run("a", 1)]
    comparison = compare(sweep_runs, {run.name: [result(1.0, run.seed)] for run in sweep_runs})
    assert comparison.left_out == {"a0copy": "repeats seed 0 of a0"}
    assert comparison.rankings[0].rows[0].seeds == (0, 1)


def test_nothing_to_rank():
    assert compare([sweep_run("a", 0)], {}).rankings == ()


def test_pairing_detects_what_means_alone_would_miss():
    methods = {"a": [1.0, 11.0, 21.0, 31.0, 41.0], "b": [2.0, 12.1, 21.9, 32.0, 42.0]}
    _, row = compare(*sweep(methods)).rankings[0].rows
    assert row.means["last"]["fid"].error > 5
    assert row.difference.verdict == "worse"


def test_a_method_that_diverged_once_is_ranked_last_and_marked():
    ranking = compare(*sweep({"a": [math.nan, 1.0, 1.0], "b": [5.0, 6.0, 7.0]}, higher=True)).rankings[0]
    assert losses(ranking) == ["b", "a"]
    assert ranking.rows[1].difference.verdict == "not finite"


def test_the_best_method_is_compared_in_all_pairs():
    ranking = compare(*sweep({"a": [1, 2, 3], "b": [2, 3, 4], "c": [5]})).rankings[0]
    assert ranking.comparisons == 1, "a method with one seed is not compared"
    assert compare(*sweep({name: [1, 2, 3] for name in "abcd"})).rankings[0].comparisons == 6


def test_methods_that_are_not_told_apart_from_the_best_are_a_group():
    ranking = compare(*sweep({"a": [1.0, 1.4, 1.1], "b": [1.3, 1.2, 1.6], "c": [9.0, 9.1, 9.3]})).rankings[0]
    assert (ranking.base.settings["loss"], [row.settings["loss"] for row in ranking.undecided]) == ("a", ["b"])


def test_all_methods_are_compared_with_the_reference_alone():
    runs, found = sweep({"a": [1.0, 1.4, 1.1], "b": [1.3, 1.2, 1.6], "c": [9.0, 9.1, 9.3], "d": [5.0, 5.1, 5.3]})
    ranking = compare(runs, found, reference={"loss": "d"}).rankings[0]
    assert (losses(ranking), ranking.base.settings, ranking.comparisons) == (["a", "b", "d", "c"], {"loss": "d"}, 3)
    assert [row.difference and row.difference.verdict for row in ranking.rows] == ["better", "better", None, "worse"]
    other = compare(runs, found).rankings[0]
    widths = [one.rows[-1].difference.interval[1] - one.rows[-1].difference.value for one in (ranking, other)]
    assert widths[0] < widths[1], "three comparisons instead of six"


@pytest.mark.parametrize("name", ["loss=wgan", "wgan"])
def test_a_reference_is_named_by_its_settings_or_a_part_of_them(name):
    runs, _ = sweep({"wgan": [1], "wgan_gp": [2], "hinge": [3]})
    assert reference_method(runs, name) == {"loss": "wgan"}
    assert reference_method(runs, "gp") == {"loss": "wgan_gp"}
    with pytest.raises(UserError, match=r"reference=gan fits several methods.\nName one of: loss=wgan, loss=wgan_gp"):
        reference_method(runs, "gan")
    with pytest.raises(UserError, match=r"reference=dcgan fits no method.\nName one of: loss=wgan, loss=wgan_gp, loss=hinge"):
        reference_method(runs, "dcgan")


def test_floors_are_kept():
    sweep_runs, results = sweep({"a": [1.0], "b": [2.0]}, floor=0.3)
    assert compare(sweep_runs, results).rankings[0].floor == (0.3, 0.3)
    assert compare(*sweep({"a": [1.0]})).rankings[0].floor is None
