"""Generators without an opponent: GMMN and the sliced Wasserstein generator."""

import json

import pytest
import torch
from support import configs
from support.players import Dirac, alternating
from torch import nn, tensor

from gan_cli.diagnostics.game import GameDiagnostics
from gan_cli.errors import UserError
from gan_cli.games.gmmn import GMMN
from gan_cli.games.sampling import generate
from gan_cli.games.sliced import SlicedWasserstein, sliced_cost
from gan_cli.metrics.points.mmd import mmd2
from gan_cli.models.base import Generator
from gan_cli.models.mlp import MLPGenerator
from gan_cli.runs import checkpoint
from gan_cli.training.command import train_command
from gan_cli.types import Batch

SIGMAS = [0.3, 1.0, 3.0]
GAMES = ["gmmn", "sliced"]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class Shifted(Generator):
    """G(z) = z + theta in the plane."""

    latent_dim = 2

    def __init__(self, *theta: float):
        super().__init__()
        self.theta = nn.Parameter(tensor(theta))

    def forward(self, z, y=None):
        return z + self.theta


def value(game, batch, seed=0):
    torch.manual_seed(seed)
    return game.turns()["generator"].loss(batch)


class TestGMMN:
    def test_the_loss_is_the_root_of_the_biased_mmd2_and_the_estimate_the_unbiased_one(self):
        real = torch.randn(40, 2)
        game = GMMN(Shifted(1.0, 0.0), SIGMAS, scaled=False)
        loss, stats = value(game, Batch(real))
        torch.manual_seed(0)
        fake = game.sample(game.latents(40)).detach()
        unbiased = mmd2(real, fake, SIGMAS)
        torch.testing.assert_close(stats["estimate/mmd2"], unbiased)
        ones = 2 * len(SIGMAS) / 40  # the diagonals, which the biased means count too
        within = (mmd2(real, fake, SIGMAS) + 2 * cross(real, fake)) * 39 / 40
        torch.testing.assert_close(loss.square(), within + ones - 2 * cross(real, fake))

    def test_the_unit_is_the_median_distance(self):
        """Scaled kernels do not depend on the unit of the data."""
        real = torch.randn(30, 2)
        for factor in (0.01, 100.0):
            game = GMMN(Dirac(0.4, 0.2), SIGMAS, scaled=True)
            with torch.no_grad():
                game.generator.theta.mul_(factor)
            plain = GMMN(Dirac(0.4, 0.2), SIGMAS, scaled=True)
            torch.testing.assert_close(value(game, Batch(factor * real))[0], value(plain, Batch(real))[0])

    @pytest.mark.slow
    @pytest.mark.long
    def test_it_finds_the_mean(self):
        game = GMMN(Shifted(3.0, -2.0), SIGMAS, scaled=True)
        solver = alternating(game, torch.optim.Adam, 0.05)
        for _ in range(150):
            solver.round(["generator"], iter([Batch(torch.randn(200, 2) + 5)]))
        torch.testing.assert_close(game.generator.theta.detach(), tensor([5.0, 5.0]), atol=0.3, rtol=0)

    def test_equal_samples_leave_no_gradient_and_no_nan(self):
        game = GMMN(Dirac(1.0, 1.0), SIGMAS, scaled=True)
        loss, _ = value(game, Batch(torch.ones(4, 2)))
        (gradient,) = torch.autograd.grad(loss, game.generator.theta)
        assert loss < 1e-5
        torch.testing.assert_close(gradient, torch.zeros(2))

    @pytest.mark.parametrize("bandwidths", [[], [0.0], [1.0, -1.0], "1", 3.0, [1.0, "a"]])
    def test_bandwidths_are_numbers_above_zero(self, bandwidths):
        with pytest.raises(UserError, match=r"bandwidths"):
            GMMN(Shifted(0.0, 0.0), bandwidths, True)

    def test_a_batch_of_one_has_no_mmd(self):
        with pytest.raises(UserError, match=r"train\.batch_size"):
            value(GMMN(Shifted(0.0, 0.0), SIGMAS, True), Batch(torch.randn(1, 2)))


def cross(x, y):
    squared = (x[:, None] - y).square().sum(2)
    return sum(torch.exp(-squared / (2 * s**2)) for s in SIGMAS).mean()


class TestSliced:
    def test_a_shift_costs_its_square_over_the_dimension(self):
        x = torch.randn(50, 3)
        t = tensor([1.0, -2.0, 2.0])
        torch.testing.assert_close(sliced_cost(x, x + t, 40_000), tensor(9 / 3), atol=0.05, rtol=0)

    def test_the_loss_is_the_squared_distance_and_the_estimate_its_root(self):
        loss, stats = value(SlicedWasserstein(Shifted(2.0, 0.0), 100), Batch(torch.randn(30, 2)))
        torch.testing.assert_close(stats["estimate/sw2"].square(), loss.detach())

    def test_its_gradient_points_to_the_mean(self):
        """Of a shifted copy, SW_2^2 = |t|^2 / d, so that the gradient in t is 2 t / d."""
        game = SlicedWasserstein(Shifted(3.0, -1.0), 20_000)
        torch.manual_seed(0)
        real = torch.randn(64, 2)
        loss, _ = value(game, Batch(real))  # the same z: the fakes are the data, shifted
        (gradient,) = torch.autograd.grad(loss, game.generator.theta)
        torch.testing.assert_close(gradient, tensor([3.0, -1.0]), atol=0.1, rtol=0)

    def test_directions_are_new_at_every_step(self):
        game, batch = SlicedWasserstein(Shifted(1.0, 0.0), 3), Batch(torch.randn(8, 2))
        latents = game.latents(8)
        game.latents = lambda n: latents
        assert value(game, batch, 1)[0] != value(game, batch, 2)[0]
        assert value(game, batch, 1)[0] == value(game, batch, 1)[0]


@pytest.mark.parametrize("game", [GMMN(Shifted(1.0, 0.0), SIGMAS, True), SlicedWasserstein(Shifted(1.0, 0.0), 10)])
def test_autocast_leaves_the_distance_in_full_precision(game):
    batch = Batch(torch.randn(16, 2))
    loss, _ = value(game, batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert value(game, batch)[0] == loss


@pytest.mark.parametrize("name", ["gmmn", *(pytest.param(name, marks=pytest.mark.long) for name in GAMES if name != "gmmn")])
class TestOnePlayer:
    @pytest.mark.slow
    def test_diagnostics_say_what_there_is_to_say_of_one_player(self, name):
        parts, _ = configs.play(configs.config(f"game={name} dataset=ring", "train.batch_size=16"))
        diagnostics = GameDiagnostics(batch_size=16, eigenvalues=2, steps=1, batches=2, restarts=5)
        report = diagnostics.diagnose(parts.game, parts.data, 0)
        assert {"game/grad_norm/generator", "game/hessian_max/generator"} <= set(report.values)
        assert {"critic_slope", "jacobian", "duality_gap"} <= set(report.details["skipped"])

    @pytest.mark.slow
    def test_a_run_resumes_exactly(self, name, tmp_path):
        def config(**changes):
            values = "train.steps=4 checkpoint_every=2 train.batch_size=8 eval_every=0 metric.n_samples=8 sample_every=0"
            cfg = configs.config(f"game={name} dataset=ring", values)
            for key, change in changes.items():
                cfg[key] = change
            return cfg

        train_command(config(), tmp_path / "whole")
        train_command(config(), tmp_path / "half")
        (tmp_path / "half" / "result.json").unlink()
        for path in (tmp_path / "half" / "checkpoints").glob("*4*"):
            path.unlink()
        train_command(config(resume=str(tmp_path / "half")), tmp_path / "half")
        results = [json.loads((tmp_path / part / "result.json").read_text()) for part in ("whole", "half")]
        assert results[0]["players"] == results[1]["players"]
        assert checkpoint.steps_in(tmp_path / "half") == [2, 4]
        assert list((tmp_path / "half" / "samples").glob("*.png"))


def test_an_image_generator_matches_too():
    game = SlicedWasserstein(MLPGenerator((1, 8, 8), 0, 3, 8, 2), 5)
    loss, _ = value(game, Batch(torch.rand(6, 1, 8, 8) * 2 - 1))
    assert loss.shape == ()
    assert generate(game, 3, seed=0).shape == (3, 1, 8, 8)
