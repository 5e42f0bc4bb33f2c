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
from gan_cli.errors import UserError
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.regularizers.base import Judged, Regularizer
from gan_cli.types import Critic

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
