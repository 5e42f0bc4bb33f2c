"""Published settings: the values of papers and of their authors' codes, in composed configs and in what is built of them."""

from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from support import configs
from torch import nn

from gan_cli.build import build_averaging, build_data, build_game, build_objective
from gan_cli.games.infogan import JointInfoGAN
from gan_cli.models.layers import ClassBatchNorm2d
from gan_cli.regularizers.gradient_penalty import GradientPenalty
from gan_cli.schedules.following import laws_in, with_numbers
from gan_cli.schedules.laws import Progress
from gan_cli.solvers.optimizers import build_optimizers

FID = {"metric.n_samples": 50_000, "metric.n_fake": None, "metric.split": "train"}
PUBLISHED: dict[str, dict[str, Any]] = {
    "sngan_cifar10": {
        "train.steps": 50_000,
        "train.batch_size": 64,
        "train.generator_batches": 2,
        "train.n_critic": 5,
        "optimizer.lr": 2e-4,
        "optimizer.betas": [0.0, 0.9],
        "learning_rate.start": 0,
        "learning_rate.end": 50_000,
        "metric.n_samples": 10_000,
        "metric.n_fake": 5000,
        "metric.split": "heldout",
        "dataset.dequantize": True,
        "model.generator.width": 256,
        "model.discriminator.width": 128,
        "ema": None,
    },
    "wgan_gp_cifar10": {
        "train.steps": 100_000,
        "train.batch_size": 64,
        "train.generator_batches": 2,
        "train.n_critic": 5,
        "optimizer.lr": 2e-4,
        "optimizer.betas": [0.0, 0.9],
        "learning_rate.start": 0,
        "learning_rate.end": 100_000,
        "regularizer.gradient_penalty.weight": 10.0,
        "metric.n_samples": 50_000,
        "dataset.dequantize": True,
        "ema": None,
    },
    "mmd_gan_cifar10": {
        "game.alphas": [0.1, 1.0, 10.0],
        "game.linear": 1.0,
        "latent": "uniform",
        "model.generator.latent_dim": 100,
        "train.steps": 150_000,
        "train.batch_size": 64,
        "train.n_critic": 5,
        "model.discriminator.outputs": 16,
        "optimizer.lr": 1e-4,
        "optimizer.betas": [0.5, 0.9],
        "regularizer.gradient_penalty.weight": 1.0,
        "ema": None,
    },
    "rcgan": {
        "dataset.n": 8400,
        "dataset.n_heldout": 2800,
        "dataset.window": 30,
        "dataset.features": 1,
        "dataset.law": "rcgan",
        "train.steps": 5900,
        "train.batch_size": 28,
        "train.n_critic": 5,
        "model.generator.latent_dim": 5,
        "optimizer.lr": 1e-3,
        "optimizer.discriminator._target_": "torch.optim.SGD",
        "optimizer.discriminator.lr": 0.1,
    },
    "c_rnn_gan": {
        "game.feature_matching": False,
        "game.freezing": 0.7,
        "model.generator.cell_dropout": 0.5,
        "model.discriminator.dropout": 0.5,
        "model.discriminator.cell_dropout": 0.5,
        "optimizer.max_norm": 5.0,
        "optimizer.lr": 0.1,
        "optimizer.discriminator.lr": 0.05,
        "optimizer.weight_decay": 0.1,
        "train.batch_size": 20,
    },
    "biggan_cifar10": {
        "train.steps": 125_000,
        "train.batch_size": 50,
        "train.n_critic": 4,
        "optimizer.lr": 2e-4,
        "optimizer.betas": [0.0, 0.999],
        "model.generator.embedding_dim": None,
        "model.generator.initialisation": "normal",
        "model.discriminator.initialisation": "normal",
        "ema": 0.9999,
        "averaging.start": 1000,
        "averaging.warm_up": False,
        **FID,
    },
    "biggan_128": {
        "optimizer.lr": 2e-4,
        "optimizer.generator.lr": 5e-5,
        "train.n_critic": 2,
        "ema": 0.9999,
        **FID,
        "model.generator.embedding_dim": 128,
        "model.generator.initialisation": "orthogonal",
    },
    "r3gan": {
        "dataset.mirror": True,
        "train.batch_size": 512,
        "model.generator.embedding_dim": 64,
        "model.generator.latent_dim": 64,
        **FID,
    },
    "infogan_paper": {
        "train.steps": 5000,
        "train.batch_size": 128,
        "game.weight": 1.0,
        "game.continuous_weight": 1.0,
        "game.fixed_deviation": True,
        "optimizer.lr": 2e-4,
        "optimizer.generator.lr": 1e-3,
        "optimizer.betas": [0.5, 0.999],
    },
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_composed_config_has_the_published_values(name):
    cfg = configs.compose(f"experiment={name}")
    found = {key: OmegaConf.select(cfg, key, throw_on_missing=True) for key in PUBLISHED[name]}
    assert {key: list(value) if OmegaConf.is_list(value) else value for key, value in found.items()} == PUBLISHED[name]


def test_rcgan_plays_on_the_sines_of_its_code():
    data = build_data(configs.compose("experiment=rcgan"))
    x = 2 * data.train.batch(torch.arange(8400)).x - 1
    assert (data.shape, len(data.train), len(data.heldout)) == ((30, 1), 8400, 2800)
    assert 0.85 < float(x.max()) <= 0.9


def test_biggan_starts_normal_with_values_of_the_classes_in_every_norm():
    cfg = configs.compose("experiment=biggan_cifar10 model.generator.width=8 model.discriminator.width=8")
    game = build_game(cfg, (3, 32, 32), 10)
    norms = [module for module in game.generator.modules() if isinstance(module, ClassBatchNorm2d)]
    assert len(norms) == 6
    assert all(isinstance(norm.gain, nn.Embedding) and not hasattr(norm.gain, "parametrizations") for norm in norms)


def test_infogan_moves_q_with_the_discriminator_at_its_rate():
    cfg = configs.compose("experiment=infogan_paper model.generator.width=4 model.discriminator.width=4")
    game = build_game(cfg, (1, 32, 32), 10)
    made = build_optimizers(cfg, game, game.turns())
    assert isinstance(game, JointInfoGAN)
    assert [[group["lr"] for group in made[name].param_groups] for name in ("discriminator", "generator")] == [
        [2e-4, 2e-4],
        [1e-3],
    ]


def test_mmd_gan_adds_a_linear_kernel():
    cfg = configs.compose("experiment=mmd_gan_cifar10 model.generator.width=4 model.discriminator.width=4")
    game = build_game(cfg, (3, 32, 32), 0)
    x = torch.randn(3, 16)
    assert torch.allclose(game.kernel(x, x).diagonal(), 3 + x.square().sum(1), atol=1e-4)
    assert -1 <= float(game.latents(50).min()) < -0.9


def test_wgan_gp_penalizes_both_sides():
    penalty = build_objective(configs.compose("experiment=wgan_gp_cifar10")).regularizers["gradient_penalty"]
    assert penalty == GradientPenalty(weight=10.0, one_sided=False)


def test_r3gan_follows_one_cosine_law_over_20_million_images():
    laws = laws_in(configs.compose("experiment=r3gan"))
    values = {key: (law.values(), law(Progress(0, 10_000_000))) for key, law in laws.items() if key != "optimizer.lr"}
    rate, gamma = ((2e-4, 5e-5), pytest.approx(1.25e-4)), ((0.05, 0.005), pytest.approx(0.0275))
    assert values == {
        "optimizer.generator.lr": rate,
        "optimizer.discriminator.lr": rate,
        "optimizer.betas.1": ((0.9, 0.99), pytest.approx(0.945)),
        "regularizer.r1.weight": gamma,
        "regularizer.r2.weight": gamma,
        "augmentation.probability": ((0.0, 0.55), pytest.approx(0.275)),
        "averaging.images": ((0.0, 5e6), pytest.approx(2.5e6)),
    }
    average = build_averaging(with_numbers(configs.compose("experiment=r3gan"), laws, index=1))
    assert average(Progress(50_000, 25_600_000), 512) == 0.5 ** (512 / 5e6)


def test_r3gan_plays_with_labels():
    cfg = configs.compose("experiment=r3gan model.generator.inner.width=8 model.discriminator.inner.width=8")
    game = build_game(cfg, (3, 32, 32), 10)
    assert game.conditional
    assert game.augmentation.current_p() == 0
