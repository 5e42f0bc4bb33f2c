"""Parts of the package that remember something between rounds have a state that checkpoints hold."""

from itertools import chain

import pytest
import torch
from support import configs, layouts

from gan_cli.build import build, build_metric
from gan_cli.data.stream import Stream
from gan_cli.errors import UserError
from gan_cli.evaluation.measurement import Measurement
from gan_cli.training import forgotten
from gan_cli.training.forgotten import ROUNDS, WarnOfForgottenState, changes, snapshot

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
OF_ONE_ROUND = {"linear_dual", "linear_primal"}
"""Games that keep their last batch for a picture; a round computes it anew before anything looks at it."""
GROUPS = ("loss", "regularizer", "augmentation", "learning_rate", "game")


@pytest.fixture(autouse=True)
def every_part_is_looked_at(monkeypatch):
    monkeypatch.setattr(forgotten, "is_own", lambda part: True)


@pytest.mark.parametrize(("group", "option"), configs.all_options(*GROUPS))
def test_what_changes_in_training_is_saved(group, option, tmp_path, monkeypatch):
    layouts.trust_checksums(monkeypatch)
    cfg = configs.config(configs.overrides_for(group, option), root=tmp_path)
    parts = build(cfg, CPU)
    modules = {name or "game": module for name, module in parts.game.named_modules() if name or option not in OF_ONE_ROUND}
    others = {"schedule": parts.schedule.schedule, "learning_rate": parts.learning_rate, "dataset": parts.data.train}
    warnings: list[str] = []
    look = WarnOfForgottenState({**modules, **parts.game.objective.parts(), **others}, warnings.append)
    batches = Stream(parts.data.train, cfg.train.batch_size, cfg.seed)
    for step in range(1, ROUNDS + 1):
        parts.game.begin_round(step)
        parts.solver.round(parts.schedule(step), batches)
        parts.learning_rate(step)
        look(step)
    batches.close()
    assert len(look.before) > 3
    assert warnings == []


@pytest.mark.parametrize("option", [name for name in configs.options("metric") if name not in ("none", "several")])
def test_a_metric_does_not_remember_what_it_has_measured(option):
    for kind in chain(*configs.KINDS):
        parts = configs.parts_of(kind)
        try:
            measurement = Measurement(build_metric(configs.measured(kind, option)), parts.data, CPU)
            measurement(parts.game, 0)
        except UserError:
            continue
        before = snapshot(measurement.metric)
        measurement(parts.game, 1)
        assert changes(before, snapshot(measurement.metric)) == []
        return
    raise AssertionError(f"metric={option} fits no kind of data")
