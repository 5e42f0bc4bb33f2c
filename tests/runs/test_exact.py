"""A run is a function of its config: not of interruptions, of what is watched, nor of what ran before it."""

import math
import random

import numpy as np
import pytest
import torch
from support import configs
from support.runs import differences, outcome, result, state, train

import gan_cli
from gan_cli.games.gan import GAN
from gan_cli.randomness import random_state

pytestmark = pytest.mark.slow

GAMES = {
    "points": ("dataset=ring loss=wgan_gp", "train.steps=20 train.n_critic=2"),
    "batch norm": ("features=identity learning_rate=linear", "train.steps=20 train.n_critic=2 learning_rate.end=20"),
    "spectral norm": ("features=identity loss=sngan", "train.steps=20 train.n_critic=2"),
    "gradient penalty": ("features=identity loss=wgan_gp optimizer=rmsprop", "train.steps=20 train.n_critic=2 ema=null"),
    "all regularizers": (
        f"features=identity loss=relativistic regularizer=[{','.join(configs.options('regularizer'))}]",
        "train.steps=5 dataset.size=16 train.batch_size=3 train.generator_batches=2",
    ),
    "diffusion": (
        "features=identity game=ddpm",
        "train.steps=10 model.denoiser.dropout=0.1 model.denoiser.conditional=true game.eta=1.0 game.guidance=1.0",
    ),
    "a wrapped optimizer": ("dataset=ring solver=optimistic learning_rate=linear", "train.steps=10 learning_rate.end=10"),
    "remembered gradients": ("dataset=ring solver=past_extragradient", "train.steps=10"),
    "a translator with noise of its own": (
        "game=pix2pix features=identity metric=reconstruction",
        "train.steps=5 train.batch_size=3",
    ),
    "in the last of three phases": (
        "game=timegan",
        "train.steps=5 train.batch_size=3 schedule.phases.autoencoder.rounds=1 schedule.phases.supervised.rounds=1",
    ),
    "two translators and pools": ("game=cyclegan features=pixels", "train.steps=5 game.pool=5 train.batch_size=3"),
    "float16 with images in channels last": (
        "features=identity loss=wgan_gp",
        "train.steps=5 train.n_critic=2 precision=fp16 memory_format=channels_last",
    ),
    "bfloat16 with images in channels last": (
        "features=identity",
        "train.steps=10 precision=bf16 memory_format=channels_last",
    ),
    "slow weights": (
        "dataset=ring solver=lookahead solver@solver.inner=optimistic loss=sngan",
        "train.steps=10 train.n_critic=1",
    ),
}


SUITE = ("two translators and pools", "float16 with images in channels last")
"""Games that differ in what a checkpoint must hold. `make test-long` plays the others."""


def disturb() -> None:
    """Moves every stream that belongs to the whole process."""
    torch.rand(3)
    random.random()
    np.random.rand(5)


@pytest.mark.parametrize("name", [*SUITE, *(pytest.param(name, marks=pytest.mark.long) for name in GAMES if name not in SUITE)])
def test_stopping_and_going_on_changes_nothing(name, tmp_path):
    overrides, values = GAMES[name]
    cfg = configs.config(overrides, f"ema=0.9 {values}")
    cfg.sample_every = cfg.eval_every = cfg.checkpoint_every = stop = cfg.train.steps * 3 // 5  # done there in both runs
    cfg.log_every = math.gcd(stop, 10)
    disturb()
    train(cfg, tmp_path / "whole")
    train(cfg, tmp_path / "parts", f"train.steps={stop}")
    disturb()
    train(cfg, tmp_path / "parts", resume=True)
    whole, parts = outcome(tmp_path / "whole"), outcome(tmp_path / "parts")
    assert differences(whole, parts) == []
    assert len(whole["numbers"]) >= cfg.train.steps // cfg.log_every + 3, "logged, and evaluated three times"
    assert differences(whole["random"], state(tmp_path / "whole", stop)["random"]), "training draws from the default streams"


@pytest.fixture(scope="module")
def images():
    """Batch norm in both players and spectral norm too: whatever moves in a forward pass."""
    return configs.config(
        "features=identity regularizer=spectral_norm",
        "regularizer.spectral_norm.remove_norm=false train.steps=4 log_every=1 eval_every=2 sample_every=2 ema=0.9",
    )


def test_a_seed_is_a_run(images, tmp_path):
    for folder, values in (("a", "seed=1"), ("b", "seed=1"), ("c", "seed=2")):
        train(images, tmp_path / folder, values)
        disturb()
    a, b, c = (outcome(tmp_path / folder) for folder in "abc")
    assert differences(a, b) == []
    different = {".game.generator.body.0.weight", ".numbers[0].metric/fd", ".result.players", ".batches.position"}
    assert different - set(differences(a, c)) == {".batches.position"}


@pytest.mark.parametrize("loss", [pytest.param("sngan", marks=pytest.mark.long), "wgan_gp"])
def test_watching_changes_nothing(images, tmp_path, loss):
    all_the_time = "log_every=1 eval_every=1 sample_every=1 checkpoint_every=1"
    never = "log_every=0 eval_every=0 sample_every=0 checkpoint_every=0 metric.n_samples=0"
    cfg = images.copy()
    cfg.loss = configs.config(f"loss={loss}").loss
    train(cfg, tmp_path / "watched", all_the_time)
    train(cfg, tmp_path / "alone", never)
    watched, alone = outcome(tmp_path / "watched"), outcome(tmp_path / "alone")
    for part in ("game", "ema", "solver", "batches", "random", "step"):
        assert differences(watched[part], alone[part], part) == []
    assert watched["result"]["players"] == alone["result"]["players"]
    assert len(watched["numbers"]) == 5 + 4 + 4, "evaluated from step 0 on, logged and held out from step 1 on"


@pytest.mark.parametrize(
    "parts", [pytest.param("metric=all features=classifier", marks=pytest.mark.long), "metric=memorisation features=identity"]
)
def test_a_metric_that_learns_and_searches_changes_nothing(parts, tmp_path, monkeypatch):
    """The network that judges is trained at the start of the run, as nothing lies in the cache yet."""
    values = "train.steps=4 log_every=0 sample_every=0 checkpoint_every=0"
    cfg = configs.config(parts, f"{values} dataset.max_samples=40")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cold"))
    train(cfg, tmp_path / "watched", "eval_every=1 metric.n_samples=20")  # for the Inception Score
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cold too"))
    cfg.metric = configs.config("metric=none").metric
    train(cfg, tmp_path / "alone", "eval_every=0")
    watched, alone = outcome(tmp_path / "watched"), outcome(tmp_path / "alone")
    for part in ("game", "ema", "solver", "batches", "random", "step"):
        assert differences(watched[part], alone[part], part) == []
    assert watched["result"]["players"] == alone["result"]["players"]
    measured = [row["step"] for row in watched["numbers"] if any(key.startswith("metric/") for key in row)]
    assert measured == [0, 1, 2, 3, 4]
    assert not any(key.startswith("metric/") for row in alone["numbers"] for key in row)


@pytest.mark.parametrize("data", ["dataset=ring", pytest.param("features=identity", marks=pytest.mark.long)])
def test_diagnostics_change_nothing(data, tmp_path):
    """Spectra, best responses and gradients of the players at play; images have batch norm and spectral norm in them."""
    cheap = "train.steps=1 log_every=0 sample_every=0 checkpoint_every=0 metric.n_samples=0 eval_every=1 ema=0.9"
    cheap += " regularizer.spectral_norm.remove_norm=false"
    quick = "batch_size=8", "steps=2", "batches=2", "eigenvalues=2", "restarts=1"
    diagnosed = configs.config(
        f"{data} regularizer=spectral_norm diagnostics=game", " ".join([cheap, *(f"diagnostics.{value}" for value in quick)])
    )
    train(diagnosed, tmp_path / "watched")
    train(configs.config(f"{data} regularizer=spectral_norm", cheap), tmp_path / "alone")
    watched, alone = outcome(tmp_path / "watched"), outcome(tmp_path / "alone")
    for part in ("game", "ema", "solver", "batches", "random", "step"):
        assert differences(watched[part], alone[part], part) == []
    rows = [row for row in watched["numbers"] if "game/grad_norm/generator" in row]
    assert [row["step"] for row in rows] == [0, 1]
    assert {"game/hessian_min/generator", "game/jacobian_im_max", "game/duality_gap_at_least", "game/critic_slope"} <= set(
        rows[0]
    )


def test_watching_a_game_that_draws_while_it_samples_changes_nothing(images, tmp_path, monkeypatch):
    sample = GAN.sample
    monkeypatch.setattr(GAN, "sample", lambda game, z, y=None: sample(game, z, y) + 0.1 * torch.rand(len(z), 1, 1, 1))
    train(images, tmp_path / "watched", "train.steps=4 log_every=1 eval_every=1 sample_every=1 checkpoint_every=1")
    train(images, tmp_path / "alone", "train.steps=4 log_every=0 eval_every=0 sample_every=0 checkpoint_every=0")
    watched, alone = outcome(tmp_path / "watched"), outcome(tmp_path / "alone")
    assert watched["result"] | {"config": None} == alone["result"] | {"config": None}
    assert differences(watched["random"], alone["random"]) == []
    before, run = random_state(torch.device("cpu")), gan_cli.load(tmp_path / "alone")
    assert torch.equal(run.sample(3), run.sample(3))
    assert torch.equal(run.interpolate(2, 3), run.interpolate(2, 3))
    assert differences(before, random_state(torch.device("cpu"))) == []


def test_nothing_leaks_from_job_to_job(images, tmp_path):
    train(images, tmp_path / "before")
    other = configs.config("dataset=ring loss=wgan", "train.steps=3 precision=bf16 deterministic=false seed=7")
    other.learning_rate = configs.config("learning_rate=linear").learning_rate
    train(other, tmp_path / "other")
    disturb()
    train(images, tmp_path / "after")
    assert differences(outcome(tmp_path / "before"), outcome(tmp_path / "after")) == []
    assert torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)


@pytest.mark.long
def test_the_fingerprint_is_of_the_players(images, tmp_path):
    train(images, tmp_path / "a", "train.steps=1")
    train(images, tmp_path / "b", "train.steps=1 optimizer.generator.lr=2.0001e-4")
    assert result(tmp_path / "a")["players"] != result(tmp_path / "b")["players"]
