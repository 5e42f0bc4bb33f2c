import math

import numpy as np
import pytest
from benchmarks import bench_rankings
from benchmarks.bench_rankings import Case
from scipy import special, stats

from gan_cli.evaluation import moderated
from gan_cli.evaluation.verdicts import all_pairs, differences_to, observe

BEST = {seed: 10.0 + seed for seed in range(5)}
NOISE = [0.1, -0.1, 0.0, 0.05, -0.02]


def verdict(method, best, higher=False):
    return differences_to(1, [method, best], higher)[0]


def test_verdicts():
    worse = {seed: value + 3 + NOISE[seed] for seed, value in BEST.items()}
    equal = {seed: value + NOISE[seed] for seed, value in BEST.items()}
    assert verdict(worse, BEST).verdict == "worse"
    assert verdict(worse, BEST, True).verdict == "better"
    assert verdict(BEST, worse).verdict == "better"
    assert verdict(equal, BEST).verdict == "not told apart"
    assert verdict(BEST, BEST)[:4] == (0.0, (0.0, 0.0), 5, "not told apart")


def test_two_methods_have_students_interval_of_the_paired_differences():
    found = verdict({1: 5.0, 2: 7.0, 3: 10.0, 8: 0.0}, {1: 4.0, 2: 5.0, 3: 6.0, 9: 100.0})
    assert (found.value, found.n) == (pytest.approx(7 / 3), 3)
    assert found.interval == pytest.approx(stats.t.interval(moderated.LEVEL, 2, 7 / 3, stats.sem([1, 2, 4])))


def test_methods_without_common_seeds_are_compared_by_their_means():
    a, b = {1: 5.0, 2: 7.0, 3: 9.0}, {4: 1.0, 5: 2.0, 6: 4.0, 7: 4.0}
    found, one = verdict(a, b), observe(a, b)
    assert (found.value, found.n, one.dof) == (4.25, 3, 2)
    assert one.variance / one.n == pytest.approx(np.var([5, 7, 9], ddof=1) / 3 + np.var([1, 2, 4, 4], ddof=1) / 4)


@pytest.mark.parametrize(("n", "value"), [(0, math.nan), (1, 4.0), (2, 4.0)])
def test_fewer_than_three_seeds_give_no_verdict(n, value):
    found = verdict(dict.fromkeys(range(n), 5.0), dict.fromkeys(range(3), 1.0))
    assert (found.interval, found.n, found.verdict) == (None, n, "too few seeds")
    assert found.value == pytest.approx(value, nan_ok=True)


def test_the_seeds_that_would_decide():
    found = verdict({0: 1.0, 1: 2.0, 2: 3.0}, {0: 0.0, 1: 2.0, 2: 1.0})
    assert found.verdict == "not told apart"
    for n, decided in ((found.seeds, True), (found.seeds - 1, False)):
        half = moderated.half_width(1.0, n - 1, n, moderated.LEVEL)
        assert (half < found.value) == decided, n
    assert moderated.seeds_to_decide(1e-6, 1.0, 0.0, 0.97) is None


def test_variances_are_raised_towards_their_prior_and_never_lowered():
    variances, dof = np.array([0.5, 1.0, 4.0]), np.full(3, 2.0)
    found, total = moderated.moderate(variances, dof, moderated.Prior(np.array([2.0]), np.array([1.0])))
    assert found == pytest.approx([0.75, 1.0, 4.0])
    assert total == pytest.approx([4, 4, 4])


@pytest.mark.parametrize("d0", [1.0, 3.0])
def test_the_prior_is_found_in_variances_that_are_drawn_from_it(d0):
    rng, n = np.random.default_rng(0), 20_000
    variances = 5 * d0 / rng.chisquare(d0, n) * rng.chisquare(2, n) / 2
    prior = moderated.fit_prior(variances, np.full(n, 2.0), 201)
    assert prior.dof == pytest.approx([d0], rel=0.05)
    bias = np.exp(np.log(d0 / 2) - special.digamma(d0 / 2))  # of the geometric mean of the variances
    assert prior.variance == pytest.approx([5 * bias], rel=0.05)


def test_the_prior_weighs_at_most_twice_as_much_as_the_seeds():
    equal = np.full((2, 105), 3.0)
    assert moderated.fit_prior(equal, np.full(105, 2.0), 15).dof == pytest.approx(np.full((2, 1), 4.0))
    assert moderated.fit_prior(equal[:, :3], np.full(3, 2.0), 3).dof == pytest.approx(np.full((2, 1), 2.0))
    assert moderated.fit_prior(np.array([3.0]), np.array([2.0]), 2).dof == [0]
    assert moderated.fit_prior(np.array([3.0, 0.0, 0.0]), np.full(3, 2.0), 3).dof == [0], "variances of 0 say nothing"


def test_a_sweep_of_records_gives_what_the_simulated_arrays_give():
    values = Case(3, 5, 10).draw(1, np.random.default_rng(1))
    level = moderated.joint_level(10)
    half = bench_rankings.half_widths(values, level, 3)[0, :4]
    found = differences_to(0, [dict(enumerate(row)) for row in values[0]], False)[1:]
    assert [one.interval[1] - one.value for one in found] == pytest.approx(half)


def test_equal_methods_are_rarely_told_apart():
    """All cases of ``make bench-rankings`` with three seeds, where the errors are largest, and a few with more."""
    rng, repetitions = np.random.default_rng(0), 400
    few = [
        case
        for k in (2, 5)
        for fold in (1, 10)
        for skewed in (True, False)
        for case in bench_rankings.cases(3, k, fold, skewed)
    ]
    many = [Case(n, 15, fold, shape) for n, fold, shape in ((3, 1, "even"), (3, 10, "one"), (5, 3, "even"), (10, 25, "even"))]
    noise = 3 * math.sqrt(0.06 * 0.94 / repetitions)
    errors = {case: bench_rankings.error(case, repetitions, rng) for case in (*few, *many)}
    assert max(errors.values()) <= 0.06 + noise, max(errors, key=errors.get)


def test_infogan_and_sngan_are_told_apart_at_three_seeds():
    apart, count = bench_rankings.family(1000, np.random.default_rng(0))
    assert apart >= 0.98
    assert count >= 4


def test_the_number_of_pairs_counts_methods_with_enough_seeds():
    assert all_pairs([BEST, BEST, BEST, {0: 1.0}]) == 3
