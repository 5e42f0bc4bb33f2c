"""Budgets in images, epochs and time: where a run ends, also after an interruption, and what it has cost."""

import json
import time
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf
from support import configs
from support.runs import differences, outcome, result, state, train
from torch.utils.flop_counter import FlopCounterMode

from gan_cli.build import build
from gan_cli.cli.earlier_run import with_budget_added
from gan_cli.config.budget import BUDGETS, settle
from gan_cli.config.compose import compose, loader
from gan_cli.data.stream import Stream
from gan_cli.errors import UserError
from gan_cli.randomness import seed_all
from gan_cli.runs import logger
from gan_cli.runs.progress_line import Rounds, live_line, plain_line
from gan_cli.schedules.length import images_of, last_round
from gan_cli.schedules.turns import AlternatingOrder, FixedOrder
from gan_cli.training.costs import Costs
from gan_cli.training.loop import End, TimeLimit

CPU = torch.device("cpu")
OFF = "log_every=1 eval_every=0 sample_every=0 checkpoint_every=0 metric.n_samples=0 ema=null"


def in_units(**budgets):
    return OmegaConf.create({**dict.fromkeys(BUDGETS), "batch_size": 10, **budgets})


class NoModules(nullcontext):
    """Stands for torch's hooks in every network, which fail where a penalty differentiates."""

    parents = ("Global",)

    def __exit__(self, *error):
        return None


class Data:
    unlimited = False

    def __len__(self):
        return 64


class TestSettle:
    def cfg(self, **budgets):
        return OmegaConf.create({"train": in_units(**budgets)})

    def test_the_command_line_replaces_the_budget_of_an_option(self):
        cfg = self.cfg(steps=3000, images=500)
        settle(cfg, {"train.images", "seed"})
        assert (cfg.train.steps, cfg.train.images) == (None, 500)

    def test_two_are_refused(self):
        for named in ((), ("train.steps", "train.minutes")):
            with pytest.raises(UserError, match=r"train\.steps=30 and train\.minutes=2\.0: a run has one budget"):
                settle(self.cfg(steps=30, minutes=2.0), named)

    def test_none_is_refused(self):
        with pytest.raises(UserError, match=r"the run has no budget: give one of train\.steps, train\.images"):
            settle(self.cfg(), ())

    def test_it_is_done_whenever_a_config_is_composed(self):
        cfg = compose(loader(), "train", ["train.epochs=2", "learning_rate=linear"])
        assert (cfg.train.steps, cfg.train.epochs, cfg.learning_rate.end) == (None, 2.0, None)


class TestLastRound:
    def test_images_are_those_of_the_turn_that_is_played_most_often(self):
        assert images_of(["discriminator"] * 5 + ["generator"], 64) == 320
        assert images_of(["discriminator", "generator"], 64) == 64
        assert images_of([], 64) == 0

    @pytest.mark.parametrize(
        ("budget", "last"),
        [({"steps": 7}, 7), ({"images": 0}, 0), ({"images": 100}, 5), ({"images": 101}, 6), ({"epochs": 1.5}, 5)],
    )
    def test_first_round_after_which_the_budget_is_used_up(self, budget, last):
        assert last_round(in_units(**budget), AlternatingOrder(n_critic=2), Data()) == last

    def test_time_decides(self):
        assert last_round(in_units(minutes=3), AlternatingOrder(), Data()) is None

    def test_rounds_without_turns_never_end(self, monkeypatch):
        monkeypatch.setattr("gan_cli.schedules.length.LONGEST", 50)
        with pytest.raises(UserError, match=r"train\.images=3: 50 rounds of this schedule see 0 images"):
            last_round(in_units(images=3), FixedOrder([]), Data())


def test_further_budget_is_counted_from_what_was_spent(tmp_path):
    rows = [{"step": step, "cost/images": 10 * step, "time/training_seconds": 6.0 * step} for step in (10, 20, 30)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "{")
    assert with_budget_added(["train.images=+50", "seed=1"], tmp_path, 20) == ["train.images=250", "seed=1"]
    assert with_budget_added(["train.minutes=+0.5"], tmp_path, 20) == ["train.minutes=2.5"]
    with pytest.raises(UserError, match="has not recorded cost/epochs: give the whole budget"):
        with_budget_added(["train.epochs=+1"], tmp_path, 20)


def test_a_time_limit_ends_the_run_and_shows_what_is_left():
    end, spent = End(), [0.0]
    limit = TimeLimit(end, lambda: spent[0], 60)
    rounds = Rounds(0, None, dict, left=limit.seconds_left)
    for step, spent[0] in enumerate([15.0, 45.0], start=1):
        limit(step)
        rounds(step, {})
    assert not end.reached(2)
    assert plain_line([rounds]) == "step 2  0:00:15 left"
    assert live_line([rounds], 60, ascii_only=True).plain == "##################------ 2  eta 0:00:15"
    spent[0] = 60.5
    limit(3)
    assert (end.reached(2), end.reached(3)) == (False, True)


@pytest.mark.slow
def test_a_run_by_images_is_the_run_by_its_rounds_whether_interrupted_or_not(tmp_path):
    cfg = configs.config("dataset=ring loss=wgan_gp learning_rate=linear learning_rate.end=100", f"{OFF} sample_every=3")
    cfg.train.n_critic = 2
    train(cfg, tmp_path / "steps", "train.steps=5")
    train(cfg, tmp_path / "whole", "train.steps=null train.images=37")
    train(cfg, tmp_path / "parts", "train.steps=null train.images=20")
    assert result(tmp_path / "parts")["step"] == 3
    train(cfg, tmp_path / "parts", "train.steps=null train.images=37", resume=True)
    whole, parts, steps = (outcome(tmp_path / name) for name in ("whole", "parts", "steps"))
    assert differences(whole, parts) == []
    assert differences(whole["game"], steps["game"]) == []
    assert whole["numbers"][-2]["cost/images"] == result(tmp_path / "whole")["costs"]["cost/images"] == 40


@pytest.mark.slow
def test_a_rate_that_falls_to_the_end_of_the_run_fixes_its_length(tmp_path, capsys):
    cfg = configs.config("dataset=ring learning_rate=linear", OFF)
    cfg.learning_rate.end = None  # as it is composed under another budget than steps
    train(cfg, tmp_path / "images", "train.steps=null train.images=20")
    train(cfg, tmp_path / "steps", "train.steps=5 learning_rate.end=5")
    assert differences(state(tmp_path / "images")["solver"], state(tmp_path / "steps")["solver"]) == []
    with pytest.raises(UserError, match=r"falls to 0 at the end of train\.images=20, so that its length cannot change"):
        train(cfg, tmp_path / "images", "train.steps=null train.images=40", resume=True)
    with pytest.raises(UserError, match=r"learning_rate\.end: the last round of a run with train\.minutes=1"):
        train(cfg, tmp_path / "minutes", "train.steps=null train.minutes=1")


@pytest.mark.slow
@pytest.mark.parametrize("budget", ["minutes", pytest.param("processor_minutes", marks=pytest.mark.long)])
def test_time_is_counted_across_an_interruption(budget, tmp_path, monkeypatch, capsys):
    """Each reading of the clock finds it a second later, so that a round takes 3 seconds: one, one for its log, one more."""
    clock = {"minutes": "perf_counter", "processor_minutes": "process_time"}[budget]
    now = iter(range(100_000))
    others = {name: getattr(time, name) for name in ("perf_counter", "process_time")}
    monkeypatch.setattr("gan_cli.training.clock.time", SimpleNamespace(**{**others, clock: lambda: next(now)}))
    cfg = configs.config("dataset=ring", OFF)
    cfg.train.steps = None
    tag = {"minutes": "time/training_seconds", "processor_minutes": "time/processor_seconds"}[budget]
    ends = []
    for name, budgets in (("whole", [0.5]), ("parts", [0.2, 0.5])):
        for index, minutes in enumerate(budgets):
            train(cfg, tmp_path / name, f"train.{budget}={minutes}", resume=index > 0)
        ends.append(result(tmp_path / name)["step"])
        seconds = [row[tag] for row in logger.read(tmp_path / name) if tag in row]
        assert seconds == sorted(seconds)
        assert 30 <= seconds[-1] <= 36
    assert ends[0] == ends[1] > 4
    capsys.readouterr()
    train(cfg, tmp_path / "parts", f"train.{budget}=0.5", resume=True)
    assert f"is finished already, at step {ends[0]}." in capsys.readouterr().out
    with pytest.raises(UserError, match=rf"at step {ends[0]} already: train\.{budget}=0\.3 leaves nothing to do"):
        train(cfg, tmp_path / "parts", f"train.{budget}=0.3", resume=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    ["features=identity loss=wgan_gp", "dataset=sines", pytest.param("game=ddpm features=identity", marks=pytest.mark.long)],
)
def test_a_round_whose_flops_are_counted_is_equal_to_the_bit(overrides):
    cfg = configs.config(overrides)
    ends, counted = [], []
    for count in ("house", "torch", "none"):
        seed_all(0)
        parts = build(cfg, CPU)
        order, batches = parts.schedule(1), Stream(parts.data.train, cfg.train.batch_size, 0)
        if count == "house":
            costs = Costs(parts.schedule, cfg.train.batch_size, None)
            for _ in range(2):
                costs.round(order, partial(parts.solver.round, order, batches))
            counted.append(costs.flops / 2)
        elif count == "torch":
            flops = FlopCounterMode(display=False)
            flops.mod_tracker = NoModules()
            with flops:
                parts.solver.round(order, batches)
            counted.append(flops.get_total_flops())
            parts.solver.round(order, batches)
        else:
            for _ in range(2):
                parts.solver.round(order, batches)
        ends.append({"game": parts.game.state_dict(), "solver": parts.solver.state_dict(), "random": torch.get_rng_state()})
    assert differences(ends[0], ends[2]) == []
    assert counted[0] == counted[1] > 0


def test_flops_of_a_linear_layer():
    costs = Costs(AlternatingOrder(), 4, 10)
    layer = torch.nn.Linear(3, 5)
    for _ in range(3):
        costs.round(["discriminator"], lambda: layer(torch.ones(2, 3)).sum().backward())
    # forward 2 x 2 x 3 x 5, and as much for the gradient of the weights; the input needs none
    assert costs.numbers() == {"cost/images": 12, "cost/epochs": 1.2, "cost/flops": 3 * 2 * 60}
    again = Costs(AlternatingOrder(), 4, 10)
    again.load_state_dict(costs.state_dict(), 3)
    assert again.numbers() == costs.numbers()
