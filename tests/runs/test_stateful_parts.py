"""Parts of a game's objective that keep a state or follow the rounds, and optimizers of several players."""

import sys
import types

import pytest
import torch
from omegaconf import OmegaConf, open_dict
from support import configs
from support.runs import differences, outcome, set_trained_config, state, train
from torch import Tensor, nn

from gan_cli.build import build
from gan_cli.data.base import Data, Dataset
from gan_cli.errors import UserError
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.metrics.base import Metric, Value
from gan_cli.regularizers.base import Judged, Regularizer
from gan_cli.runs import logger
from gan_cli.schedules.learning_rates import LearningRateSchedule
from gan_cli.schedules.turns import Schedule
from gan_cli.training.forgotten import WarnOfForgottenState
from gan_cli.types import Batch, Critic

CPU = torch.device("cpu")
STEPS = "checkpoint_every=0 sample_every=0 eval_every=0 log_every=1"


class LeCam(Regularizer):
    """weight / step E (D(x) - a)^2, where a is the moving average of D(x) (Tseng et al., 2021, simplified)."""

    def __init__(self, weight: float, players: list[str]) -> None:
        super().__init__(players)
        self.weight, self.average, self.step = weight, torch.zeros(()), 0

    def begin_round(self, step: int) -> None:
        assert step == self.step + 1 or self.step == 0
        self.step = step

    def penalty(self, network: nn.Module, critic: Critic, judged: Judged) -> Tensor:
        penalty = (judged.real_logits - self.average).square().mean()
        self.average = 0.9 * self.average + 0.1 * judged.real_logits.detach().mean()
        return self.weight / self.step * penalty

    def state_dict(self) -> dict[str, Tensor]:
        return {"average": self.average}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.average = state["average"]


class Annealed(NonSaturating):
    """A loss that counts how often it was called."""

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "calls", [0])

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        self.calls[0] += 1
        return super().discriminator_loss(real, fake) / self.calls[0]

    def state_dict(self) -> dict[str, int]:
        return {"calls": self.calls[0]}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.calls[0] = state["calls"]


class Counting:
    """A part that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def state_dict(self) -> dict[str, int]:
        return {"calls": self.calls}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.calls = state["calls"]


class Decaying(Counting, LearningRateSchedule):
    def __call__(self, step: int) -> float:
        self.calls += 1
        return 1 / self.calls


class Now(Counting, Schedule):
    """Plays the generator's turn every third time that it is asked."""

    def __call__(self, step: int) -> list[str]:
        self.calls += 1
        return ["discriminator", "generator"] if self.calls % 3 == 0 else ["discriminator"]

    def orders(self, steps: int) -> set[tuple[str, ...]]:
        return {("discriminator",), ("discriminator", "generator")}


class Drifting(Counting, Dataset):
    """Points that move a little with every batch, less than the tolerance of a data set's signature."""

    shape, classes = (2,), 0

    def __len__(self) -> int:
        return 40

    def batch(self, indices: Tensor) -> Batch:
        self.calls += 1
        return Batch(torch.full((len(indices), 2), 1e-5 * self.calls))


def drifting() -> Data:
    return Data(Drifting(), Drifting())


class Weary(Metric):
    """A metric that counts how often it has measured."""

    name = "weary"
    calls = 0

    def state_dict(self):
        return {"calls": self.calls}

    def load_state_dict(self, state):
        object.__setattr__(self, "calls", state["calls"])

    def measure(self, real, fake):
        object.__setattr__(self, "calls", self.calls + 1)
        return {"weary": Value(float(self.calls))}


@pytest.fixture
def cfg(monkeypatch):
    module = types.ModuleType("my_parts")
    module.LeCam, module.Annealed = LeCam, Annealed
    monkeypatch.setitem(sys.modules, "my_parts", module)
    cfg = configs.config("dataset=ring metric=none").copy()
    with open_dict(cfg):
        cfg.loss = {"_target_": "my_parts.Annealed"}
        cfg.regularizer = {"lecam": {"_target_": "my_parts.LeCam", "weight": 1.0, "players": ["discriminator"]}}
    return cfg


@pytest.mark.slow
@pytest.mark.long
def test_a_resumed_run_equals_the_uninterrupted_one(cfg, tmp_path):
    train(cfg, tmp_path / "whole", f"{STEPS} train.steps=10")
    train(cfg, tmp_path / "parts", f"{STEPS} train.steps=6")
    saved = state(tmp_path / "parts")["objective"]
    assert saved["loss"] == {"calls": 6}
    assert saved["regularizer.lecam"]["average"] != 0
    train(cfg, tmp_path / "parts", f"{STEPS} train.steps=10", resume=True)
    whole, parts = (outcome(tmp_path / name) for name in ("whole", "parts"))
    assert parts["pictures"].pop("step_00000006.png"), "the last round is drawn, whichever it is"
    assert differences(whole, parts) == []


@pytest.mark.slow
def test_every_part_with_a_state_is_resumed(cfg, tmp_path):
    module = sys.modules["my_parts"]
    module.Decaying, module.Now, module.drifting = Decaying, Now, drifting
    with open_dict(cfg):
        cfg.learning_rate = {"_target_": "my_parts.Decaying"}
        cfg.schedule = {"_target_": "my_parts.Now"}
        cfg.dataset = {"_target_": "my_parts.drifting"}
    train(cfg, tmp_path / "whole", f"{STEPS} train.steps=10")
    train(cfg, tmp_path / "parts", f"{STEPS} train.steps=6")
    saved = state(tmp_path / "parts")
    assert set(saved["parts"]) == {"schedule", "learning_rate"}
    assert saved["batches"]["dataset"]["calls"] > 6
    train(cfg, tmp_path / "parts", f"{STEPS} train.steps=10", resume=True)
    whole, parts = (outcome(tmp_path / name) for name in ("whole", "parts"))
    kept = ("game", "ema", "objective", "solver", "batches", "parts", "random")
    assert differences({key: whole[key] for key in kept}, {key: parts[key] for key in kept}) == []


@pytest.mark.slow
def test_the_state_of_a_metric_is_saved(cfg, tmp_path):
    sys.modules["my_parts"].Weary = Weary
    with open_dict(cfg):
        cfg.metric = {"_target_": "my_parts.Weary", "n_samples": 8}
    values = "checkpoint_every=0 sample_every=0 eval_every=2 log_every=0"
    train(cfg, tmp_path, f"{values} train.steps=4")
    train(cfg, tmp_path, f"{values} train.steps=6", resume=True)
    curve = {row["step"]: row["metric/weary"] for row in logger.read(tmp_path) if "metric/weary" in row}
    calls = [curve[step] for step in (0, 2, 4, 6)]
    assert calls == sorted(set(calls)), "it goes on where it was"


class TestForgottenState:
    """A part of the user's own that remembers something without a state is named, once."""

    def look(self, part, rounds=6, act=lambda part, step: None):
        warnings = []
        watch = WarnOfForgottenState({"loss": part}, warnings.append)
        for step in range(1, rounds + 1):
            act(part, step)
            watch(step)
        watch.compare(rounds)
        return warnings

    def test_a_counter_a_list_a_tensor_and_a_generator_are_named(self):
        class Forgetful:
            def __init__(self):
                self.calls, self.seen, self.average, self.draws = 0, [], torch.zeros(()), torch.Generator()
                self.margin, self.model, self.cached = 1.0, nn.Linear(1, 1), None

        def act(part, step):
            part.calls += 1
            part.seen.append(step)
            part.average = 0.9 * part.average + 1
            torch.rand((), generator=part.draws)
            part.cached = part.cached or 3
            part.model(torch.zeros(1))

        [line] = self.look(Forgetful(), act=act)
        assert line.startswith("warning: loss (")
        assert "Forgetful) changes calls, seen, average, draws in training" in line
        assert self.look(Forgetful(), rounds=1, act=act) == []
        assert len(self.look(Forgetful(), rounds=3, act=act)) == 1, "at the checkpoint at the latest"

    def test_what_follows_a_law_is_not(self):
        class Weighted:
            weight = 1.0

        part, warnings = Weighted(), []
        watch = WarnOfForgottenState({"loss": part}, warnings.append, lambda one, name: (one, name) == (part, "weight"))
        for step in range(1, 6):
            part.weight = 1 / step
            watch(step)
        assert warnings == []

    def test_what_follows_the_round_or_is_saved_is_not(self):
        class Follows:
            def begin_round(self, step):
                self.weight = 1 / step

        assert self.look(Follows(), act=lambda part, step: part.begin_round(step)) == []
        assert self.look(Annealed(), act=lambda part, step: part.calls.append(1)) == []
        assert self.look(NonSaturating(), act=lambda part, step: object.__setattr__(part, "calls", step)) == [], "not own"

    @pytest.mark.slow
    def test_a_run_says_so(self, cfg, tmp_path, capsys):
        class Forgetful(NonSaturating):
            calls = 0

            def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
                object.__setattr__(self, "calls", self.calls + 1)
                return super().discriminator_loss(real, fake) / self.calls

        sys.modules["my_parts"].Forgetful = Forgetful
        with open_dict(cfg):
            cfg.loss = {"_target_": "my_parts.Forgetful"}
            del cfg.regularizer["lecam"]
        train(cfg, tmp_path, f"{STEPS} train.steps=5")
        assert " ".join(capsys.readouterr().out.split()).count("Forgetful) changes calls in training") == 1


def test_a_penalty_on_logits_needs_no_further_pass_of_the_critic(cfg):
    parts = build(cfg, CPU)
    calls = []
    parts.game.discriminator.register_forward_hook(lambda *_: calls.append(1))
    parts.game.begin_round(1)
    parts.game.turns()["discriminator"].loss(parts.data.train.batch(torch.arange(4)))
    assert len(calls) == 2


@pytest.mark.slow
def test_a_checkpoint_without_the_state_of_a_part_is_refused(cfg, tmp_path):
    plain = configs.config("dataset=ring metric=none")
    train(plain, tmp_path, f"{STEPS} train.steps=2")
    set_trained_config(tmp_path, OmegaConf.merge(cfg, OmegaConf.from_dotlist(STEPS.split())))
    with pytest.raises(UserError, match="does not fit its players"):
        train(cfg, tmp_path, f"{STEPS} train.steps=4", resume=True)


class TestOptimizers:
    """One parameter group for each player of a turn."""

    def test_each_player_of_a_turn_has_its_own_learning_rate(self):
        cfg = configs.config("game=timegan")
        OmegaConf.update(cfg, "optimizer.supervisor", {"lr": 0.25}, force_add=True)
        parts = build(cfg, CPU)
        rates = {name: [group["lr"] for group in one.param_groups] for name, one in parts.solver.optimizers.items()}
        common = cfg.optimizer.lr
        assert (rates["generator"], rates["supervisor"], rates["embedder"]) == ([common, 0.25], [0.25], [common, common])
        for name, turn in parts.solver.turns.items():
            groups = parts.solver.optimizers[name].param_groups
            assert [group["params"] for group in groups] == [list(own) for own in turn.players.values()]

    @pytest.mark.slow
    def test_the_way_back_of_a_cyclegan_follows_the_way_there_unless_it_is_named(self):
        cfg = configs.config("game=cyclegan optimizer=ttur")
        OmegaConf.update(cfg, "optimizer.generator_back", {"lr": 0.25}, force_add=True)
        optimizers = build(cfg, CPU).solver.optimizers
        rates = {name: [group["lr"] for group in one.param_groups] for name, one in optimizers.items()}
        assert rates == {"discriminator": [4e-4, 4e-4], "generator": [1e-4, 0.25]}

    def test_players_of_one_turn_share_the_kind_of_optimizer(self):
        cfg = configs.config("game=timegan")
        OmegaConf.update(cfg, "optimizer.supervisor", {"_target_": "torch.optim.AdamW"}, force_add=True)
        with pytest.raises(UserError, match=r"optimizer\.supervisor\._target_=torch\.optim\.AdamW: latent_generator moves"):
            build(cfg, CPU)
