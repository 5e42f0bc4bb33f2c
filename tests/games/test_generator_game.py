"""Games whose generator takes independent latents: their law, and their truncation."""

import pytest
import torch
from support import configs
from support.runs import differences, outcome, train

from gan_cli.build import build_data, build_game
from gan_cli.errors import UserError
from gan_cli.games.gmmn import GMMN
from gan_cli.games.linear_dual import LinearDual, LinearPrimal
from gan_cli.games.sampling import truncate
from gan_cli.games.sliced import SlicedWasserstein
from gan_cli.inference.load import load
from gan_cli.models.log_linear import LogLinear
from gan_cli.models.mlp import MLPGenerator

GAMES = {
    "gmmn": lambda g: GMMN(g, [1.0], scaled=False),
    "sliced": lambda g: SlicedWasserstein(g, 5),
    "linear_primal": lambda g: LinearPrimal(g, LogLinear((2,), 0), 1.0),
    "linear_dual": lambda g: LinearDual(g, LogLinear((2,), 0), 1.0),
}


@pytest.mark.parametrize("name", GAMES)
def test_truncated(name):
    game = GAMES[name](MLPGenerator((2,), 0, 3, 8, 2))
    torch.manual_seed(0)
    assert game.latents(1000).abs().max() > 2
    truncate(game, 0.5)
    z = game.latents(1000)
    assert z.shape == (1000, 3)
    assert 0.45 < z.abs().max() <= 0.5
    assert game.sample(z).shape == (1000, 2)


@pytest.mark.parametrize("name", GAMES)
def test_uniform_latents(name):
    game = GAMES[name](MLPGenerator((2,), 0, 3, 8, 2))
    game.set_latent("uniform")
    torch.manual_seed(0)
    z = game.latents(2000)
    assert z.shape == (2000, 3)
    assert z.abs().max() <= 1
    assert float(z.var()) == pytest.approx(1 / 3, rel=0.05)
    a, b = z[:2]
    halfway = game.interpolate(a, b, torch.tensor([[0.5]]))
    torch.testing.assert_close(halfway[0], (a + b) / 2)
    with pytest.raises(UserError, match="this run's are uniform"):
        truncate(game, 0.5)


def test_the_fixed_latents_of_a_game_follow_the_law():
    game = LinearPrimal(MLPGenerator((2,), 0, 3, 8, 2), LogLinear((2,), 0), 1.0, fixed=100)
    game.set_latent("uniform")
    assert 0.9 < game.fixed.abs().max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("words", ["game=infogan", "game=pix2pix", "game=cyclegan", "game=ddpm", "game=gaussian_gan"])
def test_games_with_a_law_of_their_own_refuse_another(words):
    cfg = configs.config(words, "latent=uniform")
    data = build_data(cfg)
    with pytest.raises(UserError, match=r"latent=uniform: .* Leave it out\.$"):
        build_game(cfg, data.shape, data.classes, data.source)


@pytest.mark.slow
def test_a_run_with_uniform_latents_is_sampled_measured_and_resumed_with_them(tmp_path):
    cfg = configs.config("dataset=ring", "latent=uniform log_every=1 eval_every=2 metric.n_samples=16")
    train(cfg, tmp_path / "whole", "train.steps=4")
    train(cfg, tmp_path / "parts", "train.steps=2")
    train(cfg, tmp_path / "parts", "train.steps=4", resume=True)
    found = differences(outcome(tmp_path / "whole"), outcome(tmp_path / "parts"))
    assert not [where for where in found if "pictures" not in where]
    loaded = load(tmp_path / "whole")
    assert loaded.latents(500, 0).abs().max() <= 1
