"""A group brings others along, and the command line wins over all of them: seen in the objects, not in the config alone."""

import re
from collections.abc import Iterator

import pytest
import torch
from omegaconf import OmegaConf
from support import configs

from gan_cli.build import Parts, build
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.points.wasserstein import WassersteinDistance
from gan_cli.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_cli.models.mlp import MLPDiscriminator, MLPGenerator
from gan_cli.regularizers.gradient_penalty import GradientPenalty
from gan_cli.regularizers.none import NoRegularizer
from gan_cli.regularizers.weight_clipping import WeightClipping

pytestmark = pytest.mark.slow


def built(overrides: str) -> Parts:
    """The parts at the sizes that the configs name, but of few samples."""
    cfg = configs.compose(overrides)
    cfg.dataset.max_samples = 8
    return build(cfg, torch.device("cpu"))


def rates(parts: Parts) -> dict[str, float]:
    return {player: optimizer.param_groups[0]["lr"] for player, optimizer in parts.solver.optimizers.items()}


def both(rate: float) -> dict[str, float]:
    return {"discriminator": rate, "generator": rate}


def critic_turns(parts: Parts) -> int:
    return list(parts.schedule(1)).count("discriminator")


def test_wgan_gp_brings_its_penalty_optimizer_and_critic_steps():
    parts = built("loss=wgan_gp dataset=ring")
    assert [(type(r), r.weight, r.players) for r in parts.game.objective.regularizers.values()] == [
        (GradientPenalty, 10.0, ["discriminator"])
    ]
    for optimizer in parts.solver.optimizers.values():
        assert type(optimizer) is torch.optim.Adam
        assert list(optimizer.defaults["betas"]) == [0.0, 0.9]
    assert rates(parts) == both(1e-4)
    assert critic_turns(parts) == 5


def test_wgan_brings_clipping_rmsprop_and_critic_steps():
    parts = built("loss=wgan dataset=ring")
    assert [(type(r), r.bound) for r in parts.game.objective.regularizers.values()] == [(WeightClipping, 0.01)]
    assert {type(optimizer) for optimizer in parts.solver.optimizers.values()} == {torch.optim.RMSprop}
    assert rates(parts) == both(5e-5)
    assert critic_turns(parts) == 5


def test_what_a_loss_brings_gives_way_to_the_command_line():
    parts = built("loss=wgan_gp regularizer=none train.n_critic=1 optimizer=rmsprop")
    assert [type(regularizer) for regularizer in parts.game.objective.regularizers.values()] == [NoRegularizer]
    assert {type(optimizer) for optimizer in parts.solver.optimizers.values()} == {torch.optim.RMSprop}
    assert rates(parts) == both(5e-5)
    assert parts.schedule(1) == ["discriminator", "generator"]
    assert type(parts.game.objective.loss).__name__ == "Wasserstein"


def test_ring_brings_small_players_and_its_own_metric():
    parts = built("dataset=ring")
    assert type(parts.game.generator) is MLPGenerator
    assert [m.out_features for m in parts.game.generator.modules() if isinstance(m, torch.nn.Linear)] == [128, 128, 128, 2]
    assert type(parts.metric) is WassersteinDistance
    assert type(parts.metric.features) is Identity
    parts = built("dataset=ring model=mlp metric=none")
    assert [m.out_features for m in parts.game.generator.modules() if isinstance(m, torch.nn.Linear)] == [512, 512, 512, 2]
    assert parts.metric.n_samples == 0


def test_a_data_set_and_a_loss_bring_both_their_own():
    parts = built("dataset=ring loss=wgan")
    assert type(parts.game.discriminator) is MLPDiscriminator
    assert [type(regularizer) for regularizer in parts.game.objective.regularizers.values()] == [WeightClipping]
    assert critic_turns(parts) == 5
    assert configs.compose("dataset=ring loss=wgan").train.batch_size == 256


def test_players_mix():
    parts = built("model=mlp model/discriminator=dcgan")
    assert type(parts.game.generator) is MLPGenerator
    assert type(parts.game.discriminator) is DCGANDiscriminator
    parts = built("model/generator=dcgan model/discriminator=mlp")
    assert type(parts.game.generator) is DCGANGenerator
    assert type(parts.game.discriminator) is MLPDiscriminator


def test_two_time_scales():
    assert rates(built("dataset=ring optimizer.discriminator.lr=4e-4")) == {"discriminator": 4e-4, "generator": 2e-4}
    assert rates(built("dataset=ring optimizer.lr=0.001")) == both(0.001)
    assert rates(built("dataset=ring optimizer=ttur")) == {"discriminator": 4e-4, "generator": 1e-4}
    assert rates(built("dataset=ring loss=wgan optimizer.generator.lr=1")) == {"discriminator": 5e-5, "generator": 1.0}


# The other options that an option names in its yaml.

BRINGING = [
    (group, option)
    for group, option in configs.all_options()
    if "@package _global_" in (configs.CONF / group / f"{option}.yaml").read_text()
]


def brought(group: str, option: str) -> tuple[dict[str, str], dict[str, object]]:
    """Group -> option, and key -> value, for all that an option says outside its own node."""
    yaml = OmegaConf.load(configs.CONF / group / f"{option}.yaml")
    defaults = [entry for entry in yaml.pop("defaults", []) if OmegaConf.is_dict(entry)]
    choices = {key.removeprefix("override /"): value for entry in defaults for key, value in entry.items() if "override" in key}
    values = OmegaConf.to_container(yaml, resolve=False)
    outside = {
        f"{node}.{key}": value
        for node, content in values.items()
        if node not in ("hydra", "report") and isinstance(content, dict) and "_target_" not in content
        for key, value in leaves(content)
    }
    return choices, outside


def leaves(node: dict) -> Iterator[tuple[str, object]]:
    """Dotted key -> value of all that lies in a node; an object, such as a law that a number follows, is one value."""
    for key, value in node.items():
        if isinstance(value, dict) and "_target_" not in value:
            yield from ((f"{key}.{inner}", deep) for inner, deep in leaves(value))
        else:
            yield key, value


def few_that_bring_everything() -> list[tuple[str, str]]:
    """Options that together override every group and set every node that any option of their group does."""
    seen: set[tuple[str, str]] = set()
    few = []
    for group, option in BRINGING:
        text = configs.option_text(group, option)
        names = re.findall(r"override /(\S+):", text) + re.findall(r"^(\w+):", text, re.MULTILINE)
        if not {(group, name) for name in names} <= seen:
            seen |= {(group, name) for name in names}
            few.append((group, option))
    return few


@pytest.mark.parametrize(("group", "option"), BRINGING)
def test_what_an_option_brings_arrives(group, option):
    choices, values = brought(group, option)
    cfg = configs.compose(f"{group}={option}")
    for key, value in choices.items():
        assert cfg.hydra.runtime.choices.get(key, value) == value  # Hydra keeps no note of several options at once
    for key, value in values.items():
        assert OmegaConf.select(cfg, key) == value


@pytest.mark.parametrize(("group", "option"), few_that_bring_everything())
def test_what_an_option_brings_gives_way(group, option):
    choices, values = brought(group, option)
    others = {
        key: next(name for name in configs.options(key) if name != value)
        for key, value in choices.items()
        if not key.startswith("hydra/")
        and key.rpartition("/")[0] not in choices
        and not configs.games_that_bring(key)  # what another model or game lacks
    }
    if any(configs.games_that_bring(key) for key in choices):
        others.pop("game", None)  # without its game there is no such group
    words = [f"{key}={name}" for key, name in others.items()]
    words += [f"{key}={value + 1}" for key, value in values.items() if isinstance(value, int)]
    cfg = configs.compose(" ".join([*words, f"{group}={option}"]))
    for key, name in others.items():
        assert cfg.hydra.runtime.choices[key] == name
        has_values = any(value.startswith(f"{key}.") for value in values)  # they are laid over any choice
        if "/" not in key and key not in ("model", "experiment") and not has_values:
            assert cfg[key] == configs.compose(f"{key}={name}")[key]
    for key, value in values.items():
        if isinstance(value, int):
            assert OmegaConf.select(cfg, key) == value + 1


@pytest.mark.parametrize("loss", configs.options("loss"))
def test_a_regularizer_on_the_command_line_is_the_only_one(loss):
    """The pairs of test_pairs are what the command line composes."""
    alone = configs.compose("regularizer=orthogonal").regularizer
    assert configs.compose(f"loss={loss} regularizer=orthogonal").regularizer == alone
