"""First-order diagnostics agree with closed forms."""

import math

import pytest
import torch
from support.players import Bilinear, Dirac, Linear, images_gan, points_gan
from support.quadratic import DUMMY_BATCH, CyclicGame, Quadratic, diagonal, random_quadratic

from gan_cli.diagnostics.field import game_vector, own_gradient, tensors_to_vector, vector_to_tensors
from gan_cli.diagnostics.gradients import critic_slopes, gradient_norms
from gan_cli.games.base import Turn
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.types import Batch


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class TestField:
    def test_vector_to_tensors_inverts_tensors_to_vector(self):
        tensors = [torch.randn(2, 3), torch.randn(4), torch.randn(())]
        for a, b in zip(tensors, vector_to_tensors(tensors_to_vector(tensors), tensors), strict=True):
            assert torch.equal(a, b)

    def test_game_vector_of_a_quadratic_game(self):
        game = random_quadratic(3, 2)
        found = tensors_to_vector(game_vector(game, DUMMY_BATCH, 0).vectors)
        torch.testing.assert_close(found, game.jacobian() @ torch.cat([game.phi, game.theta]).detach())

    def test_three_players(self):
        assert tensors_to_vector(game_vector(CyclicGame(2.0, 3.0, 5.0), DUMMY_BATCH, 0).vectors).tolist() == [3.0, 5.0, 2.0]

    def test_a_shared_parameter_has_the_sum_of_its_gradients(self):
        class Shared(Bilinear):
            def turns(self):
                one, two = super().turns().values()
                return {"theta": one, "both": Turn({"both": [self.phi, self.theta]}, two.loss)}

        found = game_vector(Shared(2.0, 3.0), DUMMY_BATCH, 0)
        assert [vector.tolist() for vector in found.vectors] == [[3.0 - 3.0], [-2.0]]

    def test_all_players_see_the_same_latents(self):
        """In the Wasserstein game the critic's loss has the opposite gradient in G of G's own loss, given equal latents."""
        game, batch = points_gan(Wasserstein()), Batch(torch.randn(5, 2))
        theta = list(game.generator.parameters())
        own = own_gradient(game, "generator", batch, 3)
        game.turns = lambda: {"critic": Turn({"critic": theta}, lambda b: (GAN.discriminator_loss(game, b)[0], {}))}
        opposite = game_vector(game, batch, 3)
        torch.testing.assert_close(tensors_to_vector(own.vectors), -tensors_to_vector(opposite.vectors))

    def test_the_seed_determines_the_result(self):
        game, batch = points_gan(), Batch(torch.randn(5, 2))
        one, same, other = (gradient_norms(game, batch, seed) for seed in (1, 1, 2))
        assert one == same
        assert one["generator"] != other["generator"]


def test_gradient_norms():
    assert gradient_norms(Bilinear(3.0, -4.0), DUMMY_BATCH) == {"theta": 4.0, "phi": 3.0}
    game = Quadratic(diagonal(2.0, 0.0), diagonal(0.0, 0.0), diagonal(6.0, 8.0))
    assert gradient_norms(game, DUMMY_BATCH) == {"phi": 10.0, "theta": 2.0}


class TestCriticSlopes:
    def test_of_a_linear_critic(self):
        for psi, share in (((0.6, 0.0), 0.0), ((3.0, 4.0), 1.0)):
            slope = critic_slopes(GAN(Dirac(1.0, 1.0), Linear(*psi), Objective(Wasserstein())), Batch(torch.randn(7, 2)))
            assert slope == (pytest.approx(math.hypot(*psi)), pytest.approx(0, abs=1e-6), share, 7)

    def test_between_data_and_fakes(self):
        """D(x) = x² has slope 2|x|: for uniform x in [0, 1] its mean is 1 and half of the slopes are above 1."""

        class Square(Linear):
            def forward(self, x, y=None):
                return x.square().sum(1)

        slope = critic_slopes(GAN(Dirac(1.0), Square(0.0), Objective(Wasserstein())), Batch(torch.zeros(20_000, 1)))
        assert slope.mean == pytest.approx(1, abs=0.02)
        assert slope.std == pytest.approx(2 / 12**0.5, abs=0.01)
        assert slope.share_above_1 == pytest.approx(0.5, abs=0.02)

    def test_the_slope_of_a_sample_is_independent_of_the_others(self):
        game = images_gan()
        batch = Batch(torch.zeros(1, 1, 16, 16).expand(8, -1, -1, -1))
        game.generator.forward = lambda z, y=None: torch.zeros(len(z), 1, 16, 16)
        assert critic_slopes(game, batch).std == pytest.approx(0, abs=1e-7)

    def test_without_a_critic(self):
        assert critic_slopes(Bilinear(1.0, 1.0), DUMMY_BATCH) is None
