"""Games of two numbers."""

import math

import numpy as np
import pytest
import torch
from support import configs
from support.players import alternating, make_solver

from gan_cli.build import refuse_unused
from gan_cli.errors import UserError
from gan_cli.games.analytic.two_parameter import NARROW_GAUSSIANS, Bilinear, DiracGAN, Saddle, TwoParameterGame
from gan_cli.losses.minimax import Minimax
from gan_cli.solvers.simultaneous import Simultaneous
from gan_cli.types import Batch

NOTHING = Batch(torch.zeros(2, 1))
GAMES = [Bilinear, Saddle, DiracGAN]


def endless():
    while True:
        yield NOTHING


@torch.no_grad()
def distance(game: TwoParameterGame) -> float:
    return game.measure(0)["distance/equilibrium"]


def gradient(game: TwoParameterGame) -> tuple[float, float]:
    """Each player's derivative of its own loss."""
    found = []
    for turn in game.turns().values():
        loss, _ = turn.loss(NOTHING)
        found.append(float(torch.autograd.grad(loss, turn.parameters)[0]))
    return tuple(found)


def test_values_by_hand():
    assert float(Bilinear(3.0, -2.0).value(*map(torch.tensor, (3.0, -2.0)))) == -6
    assert gradient(Bilinear(3.0, -2.0)) == (-2, -3)
    assert gradient(Saddle(3.0, -2.0)) == (6, -4)
    s = 1 / (1 + math.exp(6))  # s(-theta phi) at theta phi = 6
    assert gradient(DiracGAN(3.0, 2.0)) == pytest.approx((2 * s, -3 * s))


def test_dirac_gan_is_the_zero_sum_loss_with_its_sign_turned():
    """Data at 0, fake at theta, logit phi x; phi -> -phi makes of log s(-theta phi) what stands here."""
    theta, phi = torch.tensor(0.7, dtype=torch.float64), torch.tensor(-1.3, dtype=torch.float64)
    real, fake = torch.zeros(1, dtype=torch.float64), (-phi * theta)[None]
    torch.testing.assert_close(DiracGAN(0.0, 0.0).value(theta, phi), -Minimax().discriminator_loss(real, fake))


@pytest.mark.parametrize("game", GAMES)
def test_zero_sum_with_its_equilibrium_at_the_origin(game):
    theta, phi = (turn.loss(NOTHING)[0] for turn in game(0.3, -0.4).turns().values())
    assert torch.equal(theta, -phi)
    assert gradient(game(0.0, 0.0)) == (0, 0)


def test_distance_by_round():
    """sqrt(1 + eta^2) a round when simultaneous, exactly; bounded when alternating; a contraction on the saddle."""
    for kind, game, factor in ((Simultaneous, Bilinear, math.sqrt(1.01)), (Simultaneous, Saddle, 0.8)):
        played = game(1.0, 2.0)
        solver = make_solver(kind, played)
        for step in range(1, 4):
            solver.round(["theta", "phi"], endless())
            assert distance(played) == pytest.approx(math.sqrt(5) * factor**step)
    played = Bilinear(1.0, 2.0)
    solver = alternating(played)
    distances = []
    for _ in range(300):
        solver.round(["theta", "phi"], endless())
        distances.append(distance(played))
    assert 1.5 < min(distances) < max(distances) < 3.0


@pytest.mark.parametrize("game", GAMES)
def test_the_field_in_the_picture_is_the_players_descent(game):
    value, descent = game(1.0, 2.0)._field(2.0, 5)
    theta, phi = 1.0, -2.0  # column 3, row 0
    played = game(theta, phi)
    assert tuple(descent[:, 0, 3]) == pytest.approx(tuple(-g for g in gradient(played)))
    assert value[0, 3] == pytest.approx(float(played.turns()["theta"].loss(NOTHING)[0].detach()))


@pytest.mark.parametrize("rows", [pytest.param(1, marks=pytest.mark.long), 3])
@pytest.mark.slow
def test_a_picture_of_any_path(rows):
    path = [{"step": 0, "loss/theta": 1.0}]
    path += [{"step": i, "point/theta": 30.0**i, "point/phi": 0.0, "distance/equilibrium": float(i)} for i in range(rows)]
    picture = Bilinear(1.0, 2.0).picture(lambda: path)
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3


def test_a_start_that_is_no_number():
    with pytest.raises(UserError, match=r"phi='x'"):
        Saddle(1.0, "x")


@pytest.mark.slow
@pytest.mark.parametrize("named", ["loss=hinge", "regularizer=r1"])
def test_the_refusal_of_a_loss_names_words_that_play_with_it(named):
    with pytest.raises(UserError, match=r"any (loss|regularizer): game=gaussian_gan") as caught:
        refuse_unused(configs.config("game=dirac_gan"), {named.partition("=")[0]})
    assert NARROW_GAUSSIANS in str(caught.value)
    words = [word for word in NARROW_GAUSSIANS.split() if not word.startswith(("game.", "model.generator."))]
    values = " ".join(word for word in NARROW_GAUSSIANS.split() if word not in words)
    parts, stats = configs.play(configs.config(f"{' '.join(words)} {named}", values))
    assert all(value.isfinite() for value in stats.values())
    assert 0.5 < float(parts.game.generator.mean.detach()) < 1.5
