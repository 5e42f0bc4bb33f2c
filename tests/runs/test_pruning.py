"""Pruned runs: what they leave, and how they go on after an interruption."""

from dataclasses import dataclass, field

import pytest
from omegaconf import OmegaConf
from support import configs
from support.runs import differences, outcome, result, state, train

from gan_cli.metrics.base import Value
from gan_cli.runs import checkpoint
from gan_cli.runs.table import row
from gan_cli.training.command import train_command
from gan_cli.training.loop import End
from gan_cli.training.pruning import Pruning


@dataclass
class At:
    """Prunes at a step; ``asked`` lists the steps at which it was asked."""

    step: int
    pruned_at: int | None = None
    asked: list = field(default_factory=list)

    def prunes(self, step, value, higher_is_better):
        self.asked.append(step)
        if step == self.step:
            self.pruned_at = step
        return step == self.step


def test_the_first_and_the_last_evaluation_are_not_judged():
    pruner, end = At(4), End(4)
    pruning = Pruning(end, 2, pruner, False)
    for step in (2, 3, 4):
        pruning.judge(step, Value(1.0))
    assert (pruner.asked, pruning.has_pruned) == ([3], False)
    pruner.step = 3
    pruning.judge(3, Value(1.0))
    assert (end.last, pruning.has_pruned) == (3, True)
    resumed = End(9)
    assert Pruning(resumed, 0, At(3, pruned_at=3), False).has_pruned
    assert resumed.last == 3


@pytest.mark.slow
def test_a_pruned_run_ends_cleanly_and_can_be_trained_on(tmp_path, capsys):
    cfg = configs.config("dataset=ring", "train.steps=6 eval_every=1 log_every=1 sample_every=2 metric.n_samples=8")

    def played(name, pruner, **values):
        (tmp_path / name).mkdir(exist_ok=True)
        train_command(OmegaConf.merge(cfg, values), tmp_path / name, (), None, pruner)

    played("whole", At(4))
    assert "pruned" in capsys.readouterr().out
    found = result(tmp_path / "whole")
    assert (found["status"], found["step"], state(tmp_path / "whole")["step"]) == ("pruned", 4, 4)
    assert found["metric"]["final"] is not None
    assert row(tmp_path / "whole", 0.0).status == "pruned"

    train(cfg, tmp_path / "parts", "train.steps=2")  # it is interrupted, and its pruner has seen more than its checkpoint
    played("parts", At(4, pruned_at=4), resume=str(tmp_path / "parts"))
    whole, parts = outcome(tmp_path / "whole"), outcome(tmp_path / "parts")
    assert differences(whole, parts) == []

    train(cfg, tmp_path / "parts", resume=True)
    assert (result(tmp_path / "parts")["status"], checkpoint.steps_in(tmp_path / "parts")[-1]) == ("finished", 6)
