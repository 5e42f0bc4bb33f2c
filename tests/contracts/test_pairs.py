"""Every loss with every regularizer, and several regularizers at once."""

import pytest
import small
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

LOSSES, REGULARIZERS = small.options("loss"), small.options("regularizer")


@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_with_every_regularizer(loss, regularizer):
    cfg = small.config(f"loss={loss}", "train.n_critic=2 model.generator.width=4 model.discriminator.width=4")
    # as loss=... regularizer=... compose, see test_precedence, but without composing each pair
    cfg.regularizer = small.config(f"regularizer={regularizer}").regularizer
    parts, stats = small.play(cfg)
    assert all(value.isfinite() for value in stats.values()), stats
    assert all(parameter.isfinite().all() for parameter in parts.game.parameters())
    penalties = {name for name in stats if name.startswith("penalty_")}
    expected = {
        f"penalty_{type(regularizer).__name__}/{player}"
        for regularizer in parts.game.regularizers
        if regularizer.penalizes
        for player in regularizer.players
    }
    assert penalties == expected


def test_all_regularizers_at_once():
    cfg = small.config(f"regularizer=[{','.join(REGULARIZERS)}]")
    parts, stats = small.play(cfg, rounds=2)
    nodes = {name for option in REGULARIZERS for name in small.config(f"regularizer={option}").regularizer}
    assert set(cfg.regularizer) == nodes
    assert len(parts.game.regularizers) == len(nodes)
    assert all(value.isfinite() for value in stats.values()), stats


def test_two_regularizers_and_a_field_of_one():
    cfg = small.config("loss=wgan_gp regularizer=[gradient_penalty,spectral_norm] regularizer.gradient_penalty.weight=1")
    parts, stats = small.play(cfg)
    penalty, norm = parts.game.regularizers
    assert (type(penalty).__name__, penalty.weight, type(norm).__name__) == ("GradientPenalty", 1.0, "SpectralNorm")
    critic = list(parts.game.discriminator.modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in critic)
    assert all(is_parametrized(module) for module in critic if isinstance(module, nn.Conv2d))
    assert "penalty_GradientPenalty/discriminator" in stats
