"""Best responses agree with closed forms."""

import math
from functools import partial
from itertools import count, repeat

import pytest
import torch
from support.players import Bilinear, Dirac, Linear
from support.quadratic import DUMMY_BATCH, DUMMY_BATCHES, CyclicGame, random_quadratic
from torch import tensor
from torch.optim import SGD

from gan_cli.diagnostics.duality import best_response, duality_gap, estimate_gain
from gan_cli.errors import UserError
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.regularizers.weight_clipping import WeightClipping
from gan_cli.types import Batch


def responses(game, steps=400, lr=0.05, batches=DUMMY_BATCHES):
    return {player: best_response(game, player, batches, partial(SGD, lr=lr), steps).game for player in game.turns()}


class TestDualityGap:
    @pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
    @pytest.mark.slow
    def test_quadratic_games(self, seed):
        game = random_quadratic(3, 2, seed)
        gap = duality_gap(game, responses(game), [DUMMY_BATCH] * 3)
        assert gap.total == pytest.approx((game.gap(), 0), abs=1e-8)
        assert sum(gain.value for gain in gap.gains.values()) == pytest.approx(game.gap())
        theta, phi = game.theta.detach(), game.phi.detach()
        best = theta + torch.linalg.inv(game.A) @ game.B @ phi
        assert gap.gains["theta"].value == pytest.approx(float(best @ game.A @ best / 2))

    @pytest.mark.slow
    def test_is_0_at_the_equilibrium(self):
        game = random_quadratic(3, 2)
        torch.nn.init.zeros_(game.theta)
        torch.nn.init.zeros_(game.phi)
        assert duality_gap(game, responses(game), [DUMMY_BATCH]).total.value == 0

    def test_grows_with_the_steps_in_the_bilinear_game(self):
        """The players have no best response; k steps with learning rate η gain kη(θ² + φ²)."""
        gap = duality_gap(Bilinear(2.0, 3.0), responses(Bilinear(2.0, 3.0), steps=7, lr=0.1), [DUMMY_BATCH])
        assert gap.total.value == pytest.approx(7 * 0.1 * (4 + 9))

    def test_three_players(self):
        gap = duality_gap(CyclicGame(1.0, 2.0, 3.0), responses(CyclicGame(1.0, 2.0, 3.0), steps=2, lr=0.5), [DUMMY_BATCH])
        assert {player: gain.value for player, gain in gap.gains.items()} == pytest.approx({"a": 4, "b": 9, "c": 1})

    def test_the_error_is_that_of_the_difference(self):
        """L_D = ψ(θ − x̄): the gain of D differs between batches only by their means x̄."""
        game = GAN(Dirac(1.0), Linear(0.0), Objective(Wasserstein()))
        response = GAN(Dirac(1.0), Linear(-0.5), Objective(Wasserstein()))
        heldout = [Batch(torch.full((4, 1), x)) for x in (0.0, 0.5, -0.25)]
        gains = tensor([0.5 * (1 - x) for x in (0.0, 0.5, -0.25)])
        gap = duality_gap(game, {"discriminator": response}, heldout)
        assert gap.total == pytest.approx((float(gains.mean()), float(gains.std() / 3**0.5)))
        assert math.isnan(duality_gap(game, {"discriminator": response}, heldout[:1]).total.error)


class TestBestResponse:
    def test_moves_one_player_of_a_copy(self):
        game = random_quadratic(3, 2)
        before = {name: value.clone() for name, value in game.state_dict().items()}
        copy = best_response(game, "phi", DUMMY_BATCHES, partial(SGD, lr=0.05), 400).game
        assert all(torch.equal(before[name], value) for name, value in game.state_dict().items())
        assert torch.equal(copy.theta, game.theta)
        torch.testing.assert_close(copy.phi.detach(), torch.linalg.inv(game.C) @ game.B.T @ game.theta.detach())

    def test_every_step_uses_its_own_batch_and_applies_constraints(self):
        game = Bilinear(1.0, 1.0)
        batches = (Batch(tensor([[float(i)]])) for i in count())
        copy = best_response(game, "phi", batches, partial(SGD, lr=0.1), 5).game
        assert [float(x) for x in copy.batches] == [0, 1, 2, 3, 4]
        assert copy.moves == ["phi"] * 5
        assert not game.batches
        assert float(next(batches).x) == 5

    def test_a_player_whose_parameters_are_frozen(self):
        game = Bilinear(1.0, 1.0).requires_grad_(False)
        assert best_response(game, "phi", DUMMY_BATCHES, partial(SGD, lr=0.5), 1).game.phi.item() == 1.5

    def test_an_unknown_player_is_named(self):
        with pytest.raises(UserError, match=r"no player named 'critic'\. Its players are: theta, phi"):
            best_response(Bilinear(1.0, 1.0), "critic", DUMMY_BATCHES, SGD, 1)


class TestEstimateGain:
    def probe(self, psi):
        """Return the gain for data at (1, 0) and fakes at (0, 2); with |ψ| ≤ 0.1 the best critic estimates 0.1·(1 + 2)."""
        game = GAN(Dirac(0.0, 2.0), Linear(*psi), Objective(Wasserstein(), {"clip": WeightClipping(bound=0.1)}))
        data = Batch(tensor([[1.0, 0.0]]).expand(4, 2))
        response = best_response(game, "discriminator", repeat(data), partial(SGD, lr=0.05), 10).game
        return estimate_gain(game, response, [data, data])["wasserstein"]

    def test_of_an_untrained_critic(self):
        before, gain = self.probe((0.0, 0.0))
        assert before == pytest.approx((0, 0))
        assert gain == pytest.approx((0.3, 0))

    def test_of_an_optimal_critic(self):
        before, gain = self.probe((0.1, -0.1))
        assert before == pytest.approx((0.3, 0))
        assert gain == (0, 0)

    def test_a_game_that_estimates_nothing(self):
        assert estimate_gain(Bilinear(1.0, 1.0), Bilinear(1.0, 1.0), [DUMMY_BATCH]) == {}
