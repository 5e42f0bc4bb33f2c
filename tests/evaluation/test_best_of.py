"""Comparison at equal tuning: the estimate against closed forms and enumeration, and the trials of a sweep."""

import itertools
import json
import math

import numpy as np
import pytest

from gan_cli.errors import UserError
from gan_cli.evaluation.best_of import expected_best, tuned_methods
from gan_cli.evaluation.sweeps import SweepRun


def test_the_expected_minimum_of_uniform_values():
    """The i-th of n ordered uniform values has mean i/(n + 1); the minimum of k uniform values has mean 1/(k + 1)."""
    values = [i / 41 for i in range(1, 41)]
    for k in (1, 2, 7, 40):
        assert expected_best(values, k, False)[0] == pytest.approx(1 / (k + 1))
        assert expected_best(values, k, True)[0] == pytest.approx(k / (k + 1))


def test_it_is_the_mean_over_all_subsets():
    values = [0.3, 1.7, 1.7, -2.0, 0.9, 4.0]
    for k in range(1, 7):
        subsets = list(itertools.combinations(values, k))
        assert expected_best(values, k, False)[0] == pytest.approx(np.mean([min(subset) for subset in subsets]))
        assert expected_best(values, k, True)[0] == pytest.approx(np.mean([max(subset) for subset in subsets]))


def test_the_interval_of_one_trial_is_that_of_the_mean():
    values = np.random.default_rng(0).normal(size=50)
    value, (low, high) = expected_best(values, 1, False)
    error = values.std() / math.sqrt(50)
    assert value == pytest.approx(values.mean())
    assert (low, high) == pytest.approx((value - 1.96 * error, value + 1.96 * error), abs=0.1 * error)


@pytest.fixture
def trial(tmp_path):
    def written(loss, lr, seed, final, status="finished"):
        name = f"{loss}-{lr}-{seed}"
        (tmp_path / name).mkdir()
        metric = {"name": "w1", "final": final, "higher_is_better": False}
        (tmp_path / name / "result.json").write_text(json.dumps({"status": status, "metric": metric}))
        problem = None if status == "finished" else status
        words = [f"loss={loss}", f"optimizer.lr={lr}", f"seed={seed}"]
        config = {"seed": seed, "loss": loss, "optimizer": {"lr": lr}}
        return SweepRun(name, config, words, problem, {"game": "gan", "loss": loss})

    return written


def test_trials_fresh_seeds_and_methods_are_told_apart(trial, tmp_path):
    runs = [
        trial("hinge", 1, 0, 0.5),
        trial("hinge", 2, 0, 0.3),
        trial("hinge", 2, 7, 0.9),
        trial("hinge", 3, 0, 0.1, "pruned"),
        trial("wgan", 1, 0, 0.2),
        trial("wgan", 2, 0, 0.4),
    ]
    wgan, hinge = tuned_methods(tmp_path, runs, 2)
    assert (hinge.method, sorted(hinge.values), hinge.missing) == ("hinge", [0.3, 0.5, 0.5], 1)
    assert (hinge.chosen, hinge.fresh, hinge.measured) == (runs[1], [runs[2]], [runs[2]])
    assert (wgan.chosen, wgan.fresh, wgan.measured) == (runs[4], [], [runs[4]])
    with pytest.raises(UserError, match="best_of=3: wgan has 2 trials"):
        tuned_methods(tmp_path, runs, 3)


@pytest.mark.slow
def test_gan_eval_compares_at_equal_tuning(call, sweep):
    code, out, err = call("sweep", "best_of=1")
    assert (code, err.count("metric: w1")) == (0, 1)
    assert "w1 ↓, equal tuning" in out
    assert "best of 1" in out
    assert "(heldout" in out
    assert call("sweep", "best_of=9")[0] == 2
