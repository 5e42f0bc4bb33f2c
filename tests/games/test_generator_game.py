"""Games whose generator takes z ~ N(0, I): the same latents, truncated in the same way."""

import pytest
import torch

from gan_cli.games.gmmn import GMMN
from gan_cli.games.linear_dual import LinearDual, LinearPrimal
from gan_cli.games.sampling import truncate
from gan_cli.games.sliced import SlicedWasserstein
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
