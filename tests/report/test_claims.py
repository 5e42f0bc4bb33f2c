import numpy as np
import pytest

from gan_cli.errors import UserError
from gan_cli.report.claims.base import Verdict, combine_verdicts
from gan_cli.report.claims.breakdowns import Exceeds, Stalls
from gan_cli.report.claims.comparisons import Ordering, Trend
from gan_cli.report.claims.pairs import Agrees, Beats, Correlation
from gan_cli.report.claims.reversals import Reversals
from gan_cli.report.claims.runs import Falls, Improves, Monotone, Reaches, StaysWithin
from gan_cli.report.records.runs import run_records

UP = list(range(20))


@pytest.fixture
def state(run):
    """Return the state of a claim, given one run with these curves."""

    def assess(claim, curves, name="run"):
        return claim.assess(run_records(run(name, curves))).verdict.state

    return assess


@pytest.mark.parametrize(
    ("y", "limits", "expected"),
    [
        ([value**3 for value in UP], {"at_least": 0.8}, "held"),  # ranks alone count
        ([-value for value in UP], {"at_least": 0.8}, "not held"),
        ([-value for value in UP], {"at_most": 0.3}, "held"),
        (UP, {"at_most": 0.3}, "not held"),
        ([1.0] * 20, {"at_least": 0.8}, "undecided"),
        (UP[:9], {"at_least": 0.8}, "undecided"),
    ],
)
def test_correlation(state, y, limits, expected):
    assert state(Correlation(says="", x="a", y="b", **limits), {"a": UP, "b": y}) == expected


def test_correlation_is_spearmans(run):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 31))
    ranks = (np.argsort(np.argsort(x[1:])) for x in (a, b))  # step 0 is no part of it
    rho = 1 - 6 * (np.subtract(*ranks) ** 2).sum() / (30 * (30**2 - 1))
    found = Correlation(says="", x="a", y="b", at_least=0).assess(run_records(run("r", {"a": a.tolist(), "b": b.tolist()})))
    assert f"Spearman correlation {rho:.2f} over 30 evaluations" == found.verdict.reason


def test_correlation_of_changes_tells_curves_that_only_both_fall_from_curves_that_move_together(state):
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(2, 40))
    falling, other = (np.cumsum(one - 1.0).tolist() for one in steps)
    claim = {"says": "", "x": "a", "y": "b", "at_least": 0.8}
    assert state(Correlation(**claim), {"a": falling, "b": other}) == "held"
    assert state(Correlation(**claim, changes=True), {"a": falling, "b": other}, name="changes") == "not held"
    assert state(Correlation(**claim, changes=True), {"a": falling, "b": [2 * y for y in falling]}, name="same") == "held"
    assert state(Correlation(**claim, changes=True), {"a": UP, "b": falling[:20]}, name="steps") == "undecided"


def test_correlation_begins_after_the_warmup(state):
    curve = [-value for value in range(10)] + UP
    claim = {"says": "", "x": "a", "y": "b", "at_least": 0.9}
    curves = {"a": list(range(30)), "b": curve}
    assert state(Correlation(**claim, warmup=9), curves) == "held"


def test_correlation_takes_the_newest_value_where_the_other_was_logged_more_often(state):
    curves = {"a": UP, "b": {step: step for step in range(0, 20, 2)}}
    assert state(Correlation(says="", x="a", y="b", at_least=0.99), curves) == "undecided"  # nine after step 0
    curves["b"] |= {19: 19}
    assert state(Correlation(says="", x="a", y="b", at_least=0.99, n=10), curves, name="other") == "held"


def test_correlation_of_a_noisy_curve_needs_the_median(state):
    noisy = [value if value % 5 else -100 for value in range(1, 40)]
    claim = {"says": "", "x": "a", "y": "b", "at_least": 0.99}
    curves = {"a": noisy, "b": list(range(39))}
    assert state(Correlation(**claim), curves) == "not held"
    assert state(Correlation(**claim, median=3, warmup=1), curves, name="filtered") == "held"


@pytest.mark.parametrize(
    ("values", "limits", "expected"),
    [
        ({0: 1.0, 50: 1e-2, 100: 1e-3}, {"at_least": 3.0}, "held"),
        ({0: 1.0, 100: 2e-3}, {"at_least": 3.0}, "not held"),
        ({0: 1.0, 100: 0.2}, {"at_most": 1.0}, "held"),
        ({0: 1.0, 100: 5.0}, {"at_most": 1.0}, "held"),  # it rose
        ({0: 1.0, 100: 0.0}, {"at_least": 2.0}, "held"),  # down to nothing
        ({0: 1.0, 100: 0.0}, {"at_most": 1.0}, "not held"),
        ({0: 0.0, 100: 1.0}, {"at_most": 1.0}, "undecided"),
        ({0: 1.0, 50: 1e-2, 100: 1e-3}, {"at_least": 2.0, "end": 50}, "held"),
        ({0: 1.0, 50: 1e-2, 100: 1e-3}, {"at_least": 2.0, "start": 50}, "not held"),
        ({0: 1.0, 50: 1e-3}, {"at_least": 2.0, "end": 100}, "undecided"),  # the run never came so far
    ],
)
def test_falls(state, values, limits, expected):
    assert state(Falls(says="", tag="g", **limits), {"g": values}) == expected


@pytest.mark.parametrize(
    ("claim", "values", "expected"),
    [
        (Reaches(says="", tag="a", below=0.5), [3, 1, 0.4], "held"),
        (Reaches(says="", tag="a", below=0.5), [0.1, 0.6], "not held"),
        (Reaches(says="", tag="a", above=0.5), [0.1, 0.6], "held"),
        (Reaches(says="", tag="a", below=0.5, last=3), [9, 0.1, 0.2, 9], "held"),
        (Reaches(says="", tag="a", below=0.5), [0.1, None], "not held"),
        (Reaches(says="", tag="b", below=0.5), [0.1], "undecided"),
        (StaysWithin(says="", tag="a", low=-1, high=1), [0, 1, -1], "held"),
        (StaysWithin(says="", tag="a", low=-1, high=1), [0, 1.01, 0], "not held"),
        (StaysWithin(says="", tag="a", high=1), [0, None, 0], "not held"),
        (StaysWithin(says="", tag="a", high=1, after=1), [7, 7, 0], "held"),
        (StaysWithin(says="", tag="b", high=1), [0], "undecided"),
        (Improves(says="", tag="a", factor=2), [4, 3, 1.9], "held"),
        (Improves(says="", tag="a", factor=2), [4.0] + [3.0] * 12, "not held"),
        (Improves(says="", tag="a", factor=10), [20 - value for value in range(16)], "undecided"),
        (Monotone(says="", tag="a"), [3, 2, 2, 1], "held"),
        (Monotone(says="", tag="a"), [3, 2, 2.1, 1], "not held"),
        (Monotone(says="", tag="a", tolerance=0.2), [3, 2, 2.1, 1], "held"),
        (Monotone(says="", tag="a", falling=False), [1, 2, 3], "held"),
    ],
)
def test_one_curve(state, claim, values, expected):
    assert state(claim, {"a": values}) == expected


@pytest.mark.parametrize(("tolerance", "expected"), [({"absolute": 0.11}, "held"), ({"absolute": 0.09}, "not held")])
def test_agrees_with_a_closed_form(state, tolerance, expected):
    curves = {"a": [1.0, 2.1], "b": [1.0, 2.0]}
    assert state(Agrees(says="", tag="a", reference="b", **tolerance), curves) == expected


def test_agreement_skips_what_the_closed_form_has_no_number_for_but_not_what_went_wrong(state):
    claim = Agrees(says="", tag="a", reference="b", relative=0.1)
    assert state(claim, {"a": [5.0, 2.1], "b": [None, 2.0]}) == "held"
    assert state(claim, {"a": [None, 2.1], "b": [1.0, 2.0]}, name="nan") == "not held"
    assert state(claim, {"a": [1.0]}, name="alone") == "undecided"


@pytest.mark.parametrize(("status", "why"), [(None, "unfinished"), ("failed", "no room")])
def test_a_run_that_did_not_finish_decides_nothing(run, status, why):
    found = Reaches(says="", tag="a", below=1.0).assess(run_records(run("r", {"a": [0.5]}, status=status)))
    assert found.verdict.state == "undecided"
    assert why in found.verdict.reason


@pytest.mark.parametrize(
    ("requires", "why"),
    [
        ({"tag": "b", "below": 2.0}, None),
        ({"tag": "b", "below": 1.0}, "b ends at 1.500, at most 1 is required"),
        ({"tag": "b", "above": 1.0, "below": 2.0}, None),
        ({"tag": "c", "above": 1.0}, "c was not logged"),
    ],
)
def test_a_claim_is_decided_only_on_runs_that_reach_what_it_requires(run, requires, why):
    claim = Reaches(says="", tag="a", below=100.0, requires=requires)
    found = claim.assess(run_records(run("r", {"a": [5.0], "b": [9.0] * 6 + [1.0, 2.0]})))
    assert found.verdict.state == ("held" if why is None else "undecided")
    assert (why or "ends at") in found.verdict.reason
    assert f"; undecided unless {requires['tag']} (median of its last quarter) is at" in found.rule


@pytest.mark.parametrize(
    ("states", "share", "expected"),
    [
        ("hhh", 1.0, "held"),
        ("hhn", 1.0, "not held"),
        ("hhu", 1.0, "undecided"),
        ("nuu", 1.0, "not held"),  # whatever the others become
        ("hhn", 0.6, "held"),
        ("hnn", 0.6, "not held"),
        ("hun", 0.6, "undecided"),
    ],
)
def test_verdicts_of_several_runs(states, share, expected):
    names = {"h": "held", "n": "not held", "u": "undecided"}
    assert combine_verdicts([Verdict(names[letter], "") for letter in states], share).state == expected


@pytest.fixture
def sweep(run):
    """``sweep({"wgan": [values by seed], ...}, "a")``: the records of a sweep over losses and seeds."""

    def write(values, key="loss"):
        folder = None
        for option, by_seed in values.items():
            for seed, value in enumerate(by_seed):
                folder = run(f"sweep/{option}{seed}", {"a": [value]}, seed, overrides=[f"{key}={option}"], w1=value)
        return run_records(folder.parent)

    return write


@pytest.mark.parametrize(
    ("wgan", "hinge", "expected"),
    [
        ([1.0, 1.1, 1.2], [2.0, 2.11, 2.19], "held"),
        ([2.0, 2.11, 2.19], [1.0, 1.1, 1.2], "not held"),
        ([1.0, 1.1, 1.2], [1.1, 1.0, 1.21], "undecided"),
        ([1.0, 1.1], [2.0, 2.1], "undecided"),  # two seeds are too few
    ],
)
@pytest.mark.parametrize("number", ["w1", "a"])
def test_ordering(sweep, wgan, hinge, expected, number):
    if number == "a":
        number, wgan, hinge = "w1", [-value for value in wgan], [-value for value in hinge]
        claim = Ordering(says="", number=number, better={"loss": "wgan"}, worse={"loss": "hinge"}, higher_is_better=True)
    else:
        claim = Ordering(says="", number=number, better={"loss": "wgan"}, worse={"loss": "hinge"})
    assert claim.assess(sweep({"wgan": wgan, "hinge": hinge})).verdict.state == expected


def test_an_ordering_waits_for_every_run_that_it_compares(sweep, run):
    runs = sweep({"wgan": [1.0, 1.1, 1.2], "hinge": [2.0, 2.11, 2.19]})
    late = run("sweep/wgan3", {"a": [1.0]}, 3, overrides=["loss=wgan"], status=None)
    claim = Ordering(says="", number="w1", better={"loss": "wgan"}, worse={"loss": "hinge"})
    assert claim.assess(runs).verdict.state == "held"
    assert "not finished" in claim.assess(run_records(late.parent)).verdict.reason


def test_a_trend_over_a_swept_number(sweep):
    runs = sweep({"0.01": [1.0], "0.1": [2.0], "1.0": [5.0]}, key="clip")
    assert Trend(says="", number="w1", key="clip", at_least=0.9).assess(runs).verdict.state == "held"
    assert Trend(says="", number="w1", key="clip", at_most=0.0).assess(runs).verdict.state == "not held"
    assert Trend(says="", number="w1", key="loss", at_most=0.0).assess(runs).verdict.state == "undecided"


def test_a_claim_about_some_runs_is_judged_by_these(sweep):
    runs = sweep({"wgan": [1.0, 1.1], "hinge": [9.0, 9.0]})
    found = Reaches(says="", tag="a/b", below=2.0, where={"loss": "wgan"}).assess(runs)
    assert set(found.runs) == {"loss=wgan, seed 0", "loss=wgan, seed 1"}
    assert Reaches(says="", tag="a", below=2.0, where={"loss": "wgan"}).assess(runs).verdict.state == "held"
    assert Reaches(says="", tag="a", below=2.0).assess(runs).verdict.state == "not held"
    assert (
        "no run here has loss=lsgan"
        in Reaches(says="", tag="a", below=2.0, where={"loss": "lsgan"}).assess(runs).verdict.reason
    )


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Correlation(says="", x="a", y="b"),
        lambda: Correlation(says="", x="a", y="b", at_least=0.5, median=4),
        lambda: Reaches(says="", tag="a"),
        lambda: Reaches(says="", tag="a", below=1.0, share=1.5),
        lambda: Reaches(says="", tag="a", below=1.0, requires={"tag": "a"}),
        lambda: Reaches(says="", tag="a", below=1.0, requires={"tag": "a", "above": "much"}),
        lambda: Reaches(says="", tag="a", below=1.0, requires={"tag": "a", "above": 1.0, "median": 3}),
        lambda: Falls(says="", tag="a", at_least="two"),
    ],
)
def test_a_claim_that_nothing_could_contradict_is_refused(wrong):
    with pytest.raises(UserError):
        wrong()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([10.0] * 12, "held"),
        ([10.0, 30.0, *[20.0] * 10], "held"),
        ([10.0, *[8.0] * 10, 20.0], "not held"),  # it was better for a while
        ([10.0, *[30.0 - 1.7 * i for i in range(12)]], "undecided"),  # still falling
        ([10.0], "undecided"),
    ],
)
def test_stalls(state, values, expected):
    assert state(Stalls(says="", tag="a", factor=1.2), {"a": values}) == expected


def test_stalls_after_a_start(state):
    curves = {"a": {0: 1.0, 10: 10.0, **dict.fromkeys(range(20, 100, 10), 9.5)}}
    assert state(Stalls(says="", tag="a", factor=1.2, start=15), curves) == "held"
    assert state(Stalls(says="", tag="a", factor=1.01, start=10), curves, name="other") == "not held"


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"below": 0.0}, "held"),
        ({"below": -2.0}, "not held"),
        ({"below": 0.0, "part": 0.5}, "not held"),
        ({"below": 0.0, "part": 0.25}, "held"),
        ({"below": 0.0, "after": 2}, "not held"),
        ({"above": 0.5, "after": 2}, "held"),
        ({"above": 0.5, "after": 9}, "undecided"),
    ],
)
def test_exceeds(state, limits, expected):
    assert state(Exceeds(says="", tag="a", **limits), {"a": [1.0, 1.0, -1.0, 1.0]}) == expected


@pytest.mark.parametrize(
    ("ours", "theirs", "options", "expected"),
    [
        ([9, 1], [2, 2], {}, "held"),
        ([1, 2], [2, 2], {}, "not held"),
        ([9, 1], [2, 2], {"factor": 2.0}, "not held"),
        ([9, 0.9], [2, 2], {"factor": 2.0}, "held"),
        ([1, 1, 5], [2, 2, 2], {"last": 3}, "held"),
        ([1, 1], [], {}, "undecided"),
        ([1, 1], [2, 2], {"last": 3}, "undecided"),
        ([1, float("nan")], [2, 2], {}, "not held"),
    ],
)
def test_beats(state, ours, theirs, options, expected):
    assert state(Beats(says="", tag="a", reference="b", **options), {"a": ours, "b": theirs}) == expected


BOUNDED = [
    (Reaches, {"tag": "a", "below": 1.0}, 1.0, 1.1),
    (StaysWithin, {"tag": "a", "low": 0.0, "high": 1.0}, 0.5, -0.1),
    (Improves, {"tag": "a", "factor": 2.0}, 2.0, 1.9),
    (Falls, {"tag": "a", "at_least": 1.0}, 1.0, 0.9),
    (Monotone, {"tag": "a", "tolerance": 0.1}, 0.1, 0.2),
    (Stalls, {"tag": "a", "factor": 1.1}, 1.0, 1.1),
    (Exceeds, {"tag": "a", "below": 0.0}, 0.1, 0.0),
    (Exceeds, {"tag": "a", "below": 0.0, "part": 0.5}, 0.5, 0.4),
    (Reversals, {"tag": "a", "at_least": 3}, 3, 2),
    (Correlation, {"x": "a", "y": "b", "at_most": 0.3}, 0.0, 1.0),
    (Agrees, {"tag": "a", "reference": "b", "absolute": 0.1}, 0.1, 0.2),
    (Beats, {"tag": "a", "reference": "b", "factor": 1.5}, 1.6, 1.5),
    (Trend, {"number": "a", "key": "b", "at_least": 0.9}, 1.0, 0.0),
]


@pytest.mark.parametrize(("kind", "fields", "passes", "fails"), BOUNDED)
def test_a_claim_that_its_baseline_satisfies_is_refused(kind, fields, passes, fails):
    """The claim could not fail, or the training need not come into it; one that the baseline fails shows its number."""
    with pytest.raises(UserError, match=r'"It works\." holds for its baseline, too: nothing at all, .*\n.*report\.identities'):
        kind(says="It works.", **fields, baseline={"says": "nothing at all", "value": passes})
    claim = kind(says="It works.", **fields, baseline={"says": "nothing at all", "value": fails})
    assert claim.assess([]).rule == f"{claim.rule()}; the baseline fails it: nothing at all, {fails:.4g}"


@pytest.mark.parametrize("baseline", [3.0, {"says": "x"}, {"says": "x", "value": None}, {"says": 1, "value": 2}])
def test_a_baseline_needs_words_and_a_number(baseline):
    with pytest.raises(UserError, match="baseline"):
        Reaches(says="", tag="a", below=1.0, baseline=baseline)


def test_an_ordering_requires_something_of_the_better_method_alone(sweep):
    runs = sweep({"wgan": [1.0, 1.1, 1.2], "hinge": [2.0, 2.11, 2.19]})
    claim = {"says": "", "number": "w1", "better": {"loss": "wgan"}, "worse": {"loss": "hinge"}}
    assert Ordering(**claim, requires={"tag": "a", "below": 1.5}).assess(runs).verdict.state == "held"
    found = Ordering(**claim, requires={"tag": "a", "below": 1.15}).assess(runs).verdict
    assert found == ("undecided", "loss=wgan, seed 2: a ends at 1.200, at most 1.15 is required")
