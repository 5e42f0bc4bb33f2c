"""Every loss with every regularizer, and several regularizers at once."""

import pytest
from omegaconf import DictConfig
from support import configs
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from gan_cli.build import build_data, build_game, make
from gan_cli.data.stream import Stream
from gan_cli.solvers.base import Problem, Solver
from gan_cli.solvers.optimizers import build_optimizers

pytestmark = pytest.mark.slow

LOSSES, REGULARIZERS = configs.options("loss"), configs.options("regularizer")
NARROW = "model.generator.width=4 model.discriminator.width=4"


def config(overrides: str) -> DictConfig:
    return configs.config(overrides, NARROW)


@pytest.fixture(scope="module")
def images():
    """Sixteen images, read once for all pairs."""
    return build_data(config("")).train


@pytest.mark.parametrize(
    ("loss", "regularizer"),
    configs.pairs(LOSSES, REGULARIZERS, ["gradient_penalty"], ["relativistic"]),
)
def test_every_loss_with_every_regularizer(loss, regularizer, images):
    # what loss=... regularizer=... compose, see test_precedence, without composing each pair
    cfg = config(f"loss={loss}")
    cfg.regularizer = config(f"regularizer={regularizer}").regularizer
    game = build_game(cfg, images.shape, images.classes)
    turns = game.turns()
    solver = make(cfg, "solver", Solver, Problem(turns, build_optimizers(cfg, game, turns)))
    stats = solver.round(["discriminator", "discriminator", "generator"], Stream(images, cfg.train.batch_size, cfg.seed))
    assert all(value.isfinite() for value in stats.values()), stats
    assert all(parameter.isfinite().all() for parameter in game.parameters())
    penalties = {name for name in stats if name.startswith("penalty_")}
    assert penalties == {
        f"penalty_{name}/{player}"
        for name, regularizer in game.objective.regularizers.items()
        if regularizer.penalizes
        for player in regularizer.players
    }


def test_all_regularizers_at_once():
    cfg = configs.config(f"regularizer=[{','.join(REGULARIZERS)}]")
    parts, stats = configs.play(cfg, rounds=2)
    nodes = {name for option in REGULARIZERS for name in configs.config(f"regularizer={option}").regularizer}
    assert set(cfg.regularizer) == nodes
    assert len(parts.game.objective.regularizers) == len(nodes)
    assert all(value.isfinite() for value in stats.values()), stats


def test_two_regularizers_and_a_field_of_one():
    cfg = configs.config("loss=wgan_gp regularizer=[gradient_penalty,spectral_norm] regularizer.gradient_penalty.weight=1")
    parts, stats = configs.play(cfg)
    penalty, norm = parts.game.objective.regularizers.values()
    assert (type(penalty).__name__, penalty.weight, type(norm).__name__) == ("GradientPenalty", 1.0, "SpectralNorm")
    critic = list(parts.game.discriminator.modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in critic)
    assert all(is_parametrized(module) for module in critic if isinstance(module, nn.Conv2d))
    assert "penalty_gradient_penalty/discriminator" in stats


def test_two_of_a_kind_both_count():
    one = {"_target_": "gan_cli.regularizers.gradient_penalty.GradientPenalty", "weight": 1000.0}
    cfg = configs.config("regularizer=gradient_penalty")
    cfg.regularizer = {**cfg.regularizer, "second": one}
    _, stats = configs.play(cfg)
    assert stats["penalty_second/discriminator"] > stats["penalty_gradient_penalty/discriminator"]
    assert stats["loss/discriminator"] > stats["penalty_second/discriminator"]
