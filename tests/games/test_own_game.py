"""A user's own game with three players: its module and its config are all that it needs."""

import sys
import types
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf, open_dict
from support import configs
from support.runs import differences, state, train
from torch import Tensor
from torch.nn.functional import mse_loss

from gan_cli.build import build
from gan_cli.errors import UserError
from gan_cli.games.base import Turn, frozen
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.models.base import Discriminator, Generator
from gan_cli.regularizers.base import Judged
from gan_cli.runs.progress_line import Rounds
from gan_cli.types import Batch, Stats

CPU = torch.device("cpu")
STEPS = "train.steps=2 checkpoint_every=0 sample_every=0 eval_every=0 log_every=1"


class ThreePlayers(GAN):
    """A GAN and a third player that learns to read the norm of z from G(z); the generator helps it."""

    def __init__(self, generator: Generator, discriminator: Discriminator, third: Discriminator, objective: Objective) -> None:
        super().__init__(generator, discriminator, objective)
        self.add_players(third=third)

    def turns(self) -> dict[str, Turn]:
        return {**super().turns(), "third": self.turn("third", loss=self.third_loss)}

    def reading_error(self, batch: Batch) -> tuple[Tensor, Tensor]:
        z = self.latents(len(batch.x))
        with frozen():
            fake = self.sample(z)
        return mse_loss(self.third(fake), z.norm(dim=1)), fake

    def third_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        error, fake = self.reading_error(batch)
        penalties = self.penalties("third", self.third, Judged(batch.x, fake, self.third(batch.x), self.third(fake)))
        return error + sum(penalties.values()), {"error": error, **penalties}


@pytest.fixture
def cfg(monkeypatch) -> DictConfig:
    module = types.ModuleType("my_game")
    module.ThreePlayers = ThreePlayers
    monkeypatch.setitem(sys.modules, "my_game", module)
    cfg = configs.config("dataset=ring metric=none").copy()
    with open_dict(cfg):
        cfg.model.third = cfg.model.discriminator.copy()
        cfg.game = {"_target_": "my_game.ThreePlayers"}
        cfg.schedule = {
            "_target_": "gan_cli.schedules.turns.FixedOrder",
            "players": ["discriminator", "generator", "third"],
        }
        cfg.optimizer.third = {"lr": 0.5}
        cfg.regularizer = {
            "r1": {"_target_": "gan_cli.regularizers.r1.R1", "weight": 1.0, "players": ["third"]},
            "clip": {"_target_": "gan_cli.regularizers.weight_clipping.WeightClipping", "bound": 0.01, "players": ["third"]},
        }
    return cfg


def largest(network: torch.nn.Module) -> float:
    return max(float(parameter.detach().abs().max()) for parameter in network.parameters())


def test_it_has_a_penalty_a_constraint_and_a_learning_rate_of_its_own(cfg):
    parts, stats = configs.play(cfg)
    assert stats["penalty_r1/third"] > 0
    assert not any(name.startswith("penalty") and not name.endswith("/third") for name in stats)
    assert largest(parts.game.third) <= 0.01 < largest(parts.game.discriminator)
    assert {name: one.param_groups[0]["lr"] for name, one in parts.solver.optimizers.items()} == {
        "discriminator": cfg.optimizer.lr,
        "generator": cfg.optimizer.lr,
        "third": 0.5,
    }


@pytest.mark.slow
def test_it_is_initialized_from_another_run_and_frozen(cfg, tmp_path):
    train(cfg, tmp_path / "source", STEPS)
    train(cfg, tmp_path / "new", f"{STEPS} seed=3 init_from={tmp_path / 'source'} init_players=[third] frozen=[third]")
    before, after = (weights(tmp_path / name) for name in ("source", "new"))
    assert differences(before["third"], after["third"]) == []
    assert differences(before["generator"], after["generator"]) != []


def weights(folder: Path) -> dict[str, dict[str, Tensor]]:
    """The weights of each player in the newest checkpoint."""
    game = state(folder)["game"]
    players = dict.fromkeys(key.partition(".")[0] for key in game)
    return {name: {key: value for key, value in game.items() if key.startswith(f"{name}.")} for name in players}


def test_the_progress_line_shows_the_loss_of_every_turn(cfg):
    _, stats = configs.play(cfg)
    numbers = {name: float(value) for name, value in stats.items()}
    losses, estimate = shown(numbers)
    assert [part.split(" ")[-2:][0] for part in losses.split(", ")] == ["discriminator", "generator", "third"]
    assert losses.startswith("loss discriminator ")
    assert estimate.startswith("estimate js ")


def test_the_progress_line_says_that_losses_are_losses():
    """In a game of two numbers a turn has the name of its parameter."""
    numbers = {"loss/theta": 0.0, "loss/phi": -0.0, "grad_norm/phi": 3.0, "metric/w1": 250.4, "time/samples_per_second": 12.3}
    assert shown(numbers) == ["loss theta 0, phi 0", "metric w1 250", "12 samples/s"]


def shown(numbers):
    """The texts that the progress line shows of the numbers."""
    rounds = Rounds(0, 10, lambda: numbers)
    rounds(1, {})
    return rounds.long()


@pytest.mark.parametrize(
    ("key", "value"), [("frozen", ["forth"]), ("regularizer.r1.players", ["forth"]), ("optimizer.forth", {"lr": 1.0})]
)
def test_an_unknown_player_is_refused_with_the_names_of_the_players(cfg, key, value):
    OmegaConf.update(cfg, key, value, force_add=True)
    with pytest.raises(UserError, match=r"no such player\. Its players are: generator, discriminator, third\.") as error:
        build(cfg, CPU)
    assert str(error.value).startswith(key)
