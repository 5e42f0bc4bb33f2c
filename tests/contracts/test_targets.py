"""Configs and what they configure agree; nothing but the program's own components can be configured."""

import pickle
import re
import sys
import types

import pytest
import torch
from omegaconf import OmegaConf
from support import configs

from gan_cli.build import build, build_game, refuse_unused
from gan_cli.config.compose import compose, loader
from gan_cli.errors import UserError
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.losses.hinge import Hinge
from gan_cli.models.base import Discriminator, Generator
from gan_cli.solvers.optimizers import build_optimizers
from gan_cli.training.command import train_command

CPU = torch.device("cpu")
NODES = [
    *("dataset", "model.generator", "model.discriminator", "loss", "regularizer.none", "game", "schedule"),
    *("solver", "optimizer", "learning_rate", "metric", "features"),
]


def test_each_players_optimizer_node_overrides_keys_of_the_common_one():
    for option in configs.options("optimizer"):
        node = configs.compose(f"optimizer={option}").optimizer
        for player in (name for name in node if OmegaConf.is_dict(node[name])):
            assert set(node[player]) <= set(node)


class Evil:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return open, (str(self.trace), "w")


@pytest.fixture
def foreign(tmp_path):
    """Three targets that do harm, each with arguments that would make them leave ``trace``."""
    trace, source, poisoned = tmp_path / "trace", tmp_path / "source", tmp_path / "poisoned.pt"
    source.write_text("text")
    poisoned.write_bytes(pickle.dumps(Evil(trace)))
    return trace, [
        {"_target_": "shutil.copyfile", "src": str(source), "dst": str(trace)},
        {"_target_": "torch.load", "f": str(poisoned), "weights_only": False},
        {"_target_": "os.system", "command": f"touch {trace}"},
        {"_target_": "subprocess.Popen", "args": ["touch", str(trace)]},
        {"_target_": "pathlib.Path.touch", "_args_": [str(trace)]},
    ]


@pytest.mark.parametrize("key", NODES)
@pytest.mark.slow
def test_a_foreign_target_is_refused_and_not_called(key, foreign):
    trace, targets = foreign
    for target in targets:
        cfg = configs.config("regularizer=none")
        OmegaConf.update(cfg, key, target, merge=False, force_add=True)
        with pytest.raises(UserError, match=key) as error:
            build(cfg, CPU)
        assert target["_target_"] in str(error.value)
        assert not trace.exists()


@pytest.mark.parametrize(
    "place", ["model.generator.width", "regularizer.none.players", "loss.more", "dataset.size", "solver.inner"]
)
@pytest.mark.parametrize(
    "wrapped",
    [
        pytest.param(lambda x: x, marks=pytest.mark.long),
        pytest.param(lambda x: [x], marks=pytest.mark.long),
        lambda x: {"deep": [{"deeper": x}]},
    ],
)
@pytest.mark.slow
def test_a_foreign_target_inside_a_node_is_refused_too(place, wrapped, foreign):
    trace, targets = foreign
    for target in targets:
        cfg = configs.config("regularizer=none")
        OmegaConf.update(cfg, place, wrapped(target), merge=False, force_add=True)
        with pytest.raises(UserError, match=place.partition(".")[0]):
            build(cfg, CPU)
        assert not trace.exists()


@pytest.mark.parametrize(
    "target", ["no.such.module", "gan_cli.losses.hinge.Hnge", "gan_cli.losses.hinge", "numpy.add", "", 3, "..", "torch.nn"]
)
def test_a_target_that_is_no_component_is_one_sentence(target):
    cfg = configs.config()
    OmegaConf.update(cfg, "loss._target_", target)
    with pytest.raises(UserError, match="loss"):
        build(cfg, CPU)
    OmegaConf.update(cfg, "loss._target_", "gan_cli.losses.hinge.Hinge")
    OmegaConf.update(cfg, "game._target_", target)
    with pytest.raises(UserError, match="game"):
        build(cfg, CPU)


def test_a_target_that_cannot_be_imported_says_why(monkeypatch, tmp_path):
    (tmp_path / "mine_broken.py").write_text("from gan_cli.losses import Hnge\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for target, said in {
        "mine_nowhere.Mine": "there is no module mine_nowhere.\nRun the command in the folder that holds it",
        "gan_cli.losses.hinge.Hnge": "gan_cli.losses.hinge has no Hnge.",
        "mine_broken.Mine": "ImportError: cannot import name 'Hnge' from 'gan_cli.losses'",
    }.items():
        cfg = configs.config()
        OmegaConf.update(cfg, "loss._target_", target)
        with pytest.raises(UserError) as error:
            build(cfg, CPU)
        assert str(error.value).startswith(f"loss._target_={target} cannot be imported: {said}")


def test_a_mistyped_key_of_a_game_is_named():
    cfg = configs.config("game=ebgan")
    cfg.game = {"_target_": cfg.game._target_, "pull_awai": 0.1}  # an argument without a default is missing, too
    with pytest.raises(UserError, match=r"no key 'game\.pull_awai'\. Did you mean game\.pull_away\?"):
        build(cfg, CPU)


def test_a_component_of_another_role_is_refused():
    cfg = configs.config()
    cfg.loss = cfg.metric
    with pytest.raises(UserError, match=r"loss\._target_=gan_cli\.metrics\.auto\.Auto is not a Loss"):
        build(cfg, CPU)


@pytest.mark.parametrize(
    ("overrides", "key", "said"),
    [
        ("regularizer=r1", "regularizer.r1.wieght", "regularizer.r1.weight"),
        ("", "loss.margin", None),
        ("", "optimizer.betaz", "optimizer.betas"),
        ("", "optimizer.generator.wd", None),
        ("", "model.generator.latent_dims", "model.generator.latent_dim"),
        ("", "dataset.sise", "dataset.size"),
        ("", "schedule.n_critics", "schedule.n_critic"),
        ("", "learning_rate.start", None),
        ("", "metric.n_sample", "metric.n_samples"),
        ("", "game.objektive", None),
    ],
)
def test_a_misspelt_field_is_one_clear_sentence(overrides, key, said):
    cfg = configs.config(overrides)
    OmegaConf.update(cfg, key, 1, force_add=True)
    with pytest.raises(UserError) as error:
        build(cfg, CPU)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(f"no key '{key.replace('optimizer.generator', 'optimizer')}'.")
    assert said is None or message.endswith(f"Did you mean {said}?")


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        ("", "model.generator.width"),
        ("", "dataset.size"),
        ("regularizer=gradient_penalty", "regularizer.gradient_penalty.weight"),
        ("augmentation=instance_noise", "augmentation.std"),
        ("model/denoiser=unet_small game=ddpm", "model.denoiser.multiples"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_place(overrides, key):
    cfg = configs.config(overrides)
    OmegaConf.update(cfg, key, [-1] if key.endswith("s") else -1)
    with pytest.raises(UserError, match=rf"^{re.escape(key)}(\[0\])?=-1: it must be "):
        build(cfg, CPU)


def test_a_misspelt_field_of_a_function_that_passes_fields_on(tmp_path):
    cfg = configs.config("dataset=mnist", root=tmp_path)
    OmegaConf.update(cfg, "dataset.skip_corupt", True, force_add=True)
    with pytest.raises(UserError, match=r"dataset: .*'skip_corupt'"):
        build(cfg, CPU)


def test_an_optimizer_that_cannot_be_made_says_why():
    cfg = configs.config("", "optimizer.lr=-1")
    with pytest.raises(UserError, match=r"optimizer: .*learning rate"):
        build(cfg, CPU)


class Lossless(GAN):
    """A game that brings its own loss and takes no regularizers."""

    def __init__(self, generator: Generator, discriminator: Discriminator) -> None:
        super().__init__(generator, discriminator, Objective(Hinge()))


class Alone(GAN):
    """A game that takes a generator only."""

    def __init__(self, generator: Generator) -> None:
        raise AssertionError("never built")


@pytest.fixture
def mine(monkeypatch):
    """A module of the user's own."""
    module = types.ModuleType("mine")
    module.Lossless, module.Alone = Lossless, Alone
    monkeypatch.setitem(sys.modules, "mine", module)


def test_what_a_game_has_no_use_for_is_refused_when_it_is_named(mine, tmp_path):
    cfg = configs.config("", "game._target_=mine.Lossless")
    parts, stats = configs.play(cfg)
    assert isinstance(parts.game.objective.loss, Hinge)
    assert stats["loss/generator"].isfinite()
    refuse_unused(cfg, set())
    refuse_unused(cfg, {"model", "model/generator", "dataset", "optimizer", "game"})
    for key in ("loss", "regularizer"):
        with pytest.raises(UserError, match=f"{key} is named, but the game Lossless does not use it"):
            refuse_unused(cfg, {"dataset", key})
    with pytest.raises(UserError, match="loss is named"):
        train_command(cfg, tmp_path / "run", {"loss"})
    assert not (tmp_path / "run").exists()
    cfg = configs.config("", "game._target_=mine.Alone")
    for key in ("model/discriminator", "model.discriminator.width"):
        with pytest.raises(UserError, match="model/discriminator is named"):
            refuse_unused(cfg, {key, "model.generator.width"})
    refuse_unused(configs.config(), {"loss", "regularizer", "model/generator", "model/discriminator"})


def test_each_player_gets_its_own_optimizer_settings():
    cfg = configs.config("optimizer=rmsprop", "optimizer.discriminator.lr=0.5")
    OmegaConf.update(cfg, "optimizer.generator.momentum", 0.3, force_add=True)
    game = build(cfg, CPU).game
    made = build_optimizers(cfg, game, game.turns())
    assert (made["discriminator"].defaults["lr"], made["discriminator"].defaults["momentum"]) == (0.5, 0.0)
    assert (made["generator"].defaults["lr"], made["generator"].defaults["momentum"]) == (5e-5, 0.3)


def test_a_player_that_the_game_lacks_cannot_have_a_rate_of_its_own():
    cfg = configs.config("dataset=ring").copy()
    cfg.optimizer = {**cfg.optimizer, "discriminater": {"lr": 5.0}}
    with pytest.raises(UserError, match=r"optimizer\.discriminater: this game has no such player"):
        build(cfg, torch.device("cpu"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "advice"),
    [
        (
            "model=dcgan_small",
            r"Set dataset\.size=64, .*\. Models that fit: model=mlp_small, model=mlp, model=cgan_mlp\.",
        ),
        ("game=ddpm", r"Set dataset\.size=64, for instance\."),
        *(
            pytest.param(game, r"Set dataset\.size=64, for instance\.", marks=pytest.mark.long)
            for game in ("game=acgan", "game=pix2pix")
        ),
        ("model=dcgan_small dataset=sines", r"Models that fit: model=mlp_small, model=mlp, model=recurrent\."),
        ("game=ebgan dataset=ring model/generator=dcgan", r"Choose another data set or another game\."),
    ],
)
def test_a_network_that_does_not_support_the_samples_names_only_models_that_fit(overrides, advice):
    cfg = configs.config(overrides)
    if "size" in cfg.dataset:
        cfg.dataset.size = 12
    with pytest.raises(UserError, match=rf"\n{advice}$"):
        build(cfg, CPU)


@pytest.mark.parametrize(
    ("overrides", "key", "values"),
    [
        ("dataset=ring optimizer.betas=[0,0.9]", "optimizer.betas", None),
        ("dataset=ring optimizer.betas=[0,0]", "optimizer.betas", None),
        ("game=earth_mover game.p=[.5,.5,0,0] game.q=[0,0,1,0]", "game.p", [0.5, 0.5, 0.0, 0.0]),
        ("dataset=ring game=gmmn game.bandwidths=[1,2]", "game.bandwidths", [1.0, 2.0]),
    ],
)
@pytest.mark.slow
def test_whole_numbers_and_others_are_alike_where_numbers_are_meant(overrides, key, values):
    cfg = compose(loader(), "train", overrides.split())
    game = build_game(cfg, (2,), 0)
    if values is not None:
        assert (game.p.tolist() if key == "game.p" else game.bandwidths) == values
    else:
        [group] = build_optimizers(cfg, game, {"generator": game.turns()["generator"]})["generator"].param_groups
        assert all(type(beta) is float for beta in group["betas"])


def test_a_list_of_another_length_is_refused():
    cfg = configs.config("dataset=ring")
    cfg.optimizer.betas = [0.5]
    game = build_game(cfg, (2,), 0)
    with pytest.raises(UserError, match=r"^optimizer\.betas=\[0\.5\]: it needs 2 values\.$"):
        build_optimizers(cfg, game, game.turns())
