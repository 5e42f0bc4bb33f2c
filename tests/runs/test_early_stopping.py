"""Early stopping: when a run ends, what it leaves, and how it goes on after an interruption."""

import pytest
from support import configs
from support.runs import differences, outcome, result, train

from gan_cli.errors import UserError
from gan_cli.evaluation.measurement import Measurement
from gan_cli.metrics.base import Value
from gan_cli.runs import checkpoint
from gan_cli.training.early_stopping import EarlyStopping
from gan_cli.training.loop import End

VALUES = [9.0, 5.0, 4.8, 4.0, 3.9, 3.95, 1.0, 0.5]
"""With an error of 0.5 the gains at the evaluations 1 and 3 count; the patience of two is used up at evaluation 5."""


def judged(values, patience, higher=False, error=0.5):
    end = End(1000)
    early = EarlyStopping(end, patience, higher)
    for step, value in enumerate(values):
        early.judge(step, Value(value, error))
        if end.reached(step):
            break
    return end.last, early


def test_a_gain_counts_if_it_is_above_the_error():
    last, early = judged(VALUES, 2)
    assert (last, early.best, early.best_step, early.since) == (5, 4.0, 3, 2)
    assert early.in_words(5) == "stopped early at step 5: no improvement in 2 evaluations since step 3"
    assert judged([-value for value in VALUES], 2, higher=True)[0] == 5
    assert judged(VALUES, 2, error=None)[0] == 1000
    assert judged(VALUES, 3)[0] == 1000
    assert judged(VALUES * 20, None)[0] == 1000


def test_values_that_are_not_finite_are_no_gain():
    last, early = judged([float("nan"), 3.0, float("nan"), float("-inf")], 2)
    assert (last, early.best) == (3, 3.0)


@pytest.fixture
def begin(monkeypatch):
    """Begin the values anew."""

    def arrange():
        values = iter(VALUES)
        monkeypatch.setattr(
            Measurement, "__call__", lambda self, game, seed, with_errors: {self.metric.name: Value(next(values), 0.5)}
        )

    return arrange


@pytest.mark.slow
def test_a_run_ends_where_it_would_have_ended_without_an_interruption(begin, tmp_path, capsys):
    cfg = configs.config("dataset=ring", "train.steps=7 eval_every=1 log_every=1 sample_every=4 early_stopping=2")
    cfg.checkpoint_every, cfg.keep_checkpoints = 4, 2
    begin()
    train(cfg, tmp_path / "whole")
    assert "stopped early at step 5: no improvement in 2 evaluations since step 3" in capsys.readouterr().out
    found = result(tmp_path / "whole")
    assert found["step"] == 5
    assert found["early_stopping"] == {"best": 4.0, "best_step": 3, "evaluations": 2}
    assert found["metric"]["final"] == VALUES[5]
    assert {4, 5} <= {*checkpoint.steps_in(tmp_path / "whole")}, "the best value is that of 4, and the last one stays"
    begin()
    train(cfg, tmp_path / "parts", "train.steps=4")
    train(cfg, tmp_path / "parts", resume=True)
    whole, parts = outcome(tmp_path / "whole"), outcome(tmp_path / "parts")
    assert differences(whole, parts) == []
    capsys.readouterr()
    train(cfg, tmp_path / "parts", resume=True)
    said = capsys.readouterr().out
    assert "is finished already, at step 5. It has stopped early." in said
    assert said.rstrip().endswith("early_stopping=null")
    train(cfg, tmp_path / "parts", "early_stopping=null", resume=True)
    assert result(tmp_path / "parts")["step"] == 7
    assert "early_stopping" not in result(tmp_path / "parts")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("early_stopping=2 eval_every=0", "early_stopping=2 needs evaluations in the course of the run: eval_every=N"),
        ("early_stopping=2 metric.n_samples=0", "early_stopping=2: this run has no metric that ranks checkpoints"),
    ],
)
def test_without_evaluations_it_is_refused(values, said, tmp_path):
    with pytest.raises(UserError, match=said):
        train(configs.config("dataset=ring"), tmp_path, values)
