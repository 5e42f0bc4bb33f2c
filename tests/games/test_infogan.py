"""InfoGAN: the bound in closed form, and who moves what."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from gan_cli.errors import UserError
from gan_cli.games.base import differentiable_in_all_players
from gan_cli.games.gan import GAN
from gan_cli.games.infogan import Codes, InfoGAN, JointInfoGAN
from gan_cli.games.objective import Objective
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.losses.relativistic import Relativistic
from gan_cli.models.base import Discriminator
from gan_cli.models.mlp import MLPDiscriminator, MLPGenerator
from gan_cli.types import Batch

K, M = 4, 2


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def game(loss=None, latent_dim=3 + K + M, kind=InfoGAN, **settings):
    players = MLPGenerator((2,), 0, latent_dim, 16, 3), MLPDiscriminator((2,), 0, 16, 3)
    return kind(*players, Objective(loss or NonSaturating()), categorical=K, continuous=M, q_width=8, **settings)


def plane(n=32):
    return Batch(torch.randn(n, 2))


def loss_of(game, player, batch):
    torch.manual_seed(1)
    return game.turns()[player].loss(batch)[0]


def test_latents_are_noise_a_one_hot_code_and_numbers_in_a_box():
    one = game()
    z, c, u = one.latents(4000).split([3, K, M], 1)
    assert abs(float(z.mean())) < 0.05
    assert float(z.std()) == pytest.approx(1, abs=0.05)
    assert set(c.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(c.sum(1), torch.ones(4000))
    torch.testing.assert_close(c.mean(0), torch.full((K,), 1 / K), atol=0.03, rtol=0)
    assert -1 <= float(u.min()) < -0.99
    assert 0.99 < float(u.max()) <= 1
    assert float(u.var()) == pytest.approx(1 / 3, abs=0.02)


class TestBound:
    def codes(self, c, sharpness, mean, std):
        return Codes(sharpness * c, mean, torch.full_like(mean, math.log(std)))

    def test_a_q_that_knows_the_code_comes_to_log_K_and_no_further(self):
        one = game()
        latents = one.latents(64)
        _, c, u = latents.split([3, K, M], 1)
        values = [float(one.information(self.codes(c, s, u, 1.0), latents)[0]) for s in (0.0, 1.0, 3.0, 100.0)]
        assert values == sorted(values)
        assert values[0] == pytest.approx(0, abs=1e-6), "a Q that says 1 / K"
        assert values[-1] == pytest.approx(math.log(K), rel=1e-6)

    def test_on_a_table_it_is_the_mutual_information_at_the_posterior_and_below_it_elsewhere(self):
        """x has K values and P(x|c) is a table; I(c; x) = sum P(c) P(x|c) log P(c|x) / P(c), reached at Q = P(c|x)."""
        one = game()
        table = torch.rand(K, K).double().softmax(1)  # P(x|c)
        joint = table / K
        posterior = joint / joint.sum(0)  # P(c|x), [c, x]
        exact = float((joint * (posterior * K).log()).sum())
        c, x = (index.flatten() for index in torch.meshgrid(torch.arange(K), torch.arange(K), indexing="ij"))

        def bound(q):  # E over the joint law, from the game's own formula at single samples
            total = 0.0
            for each_c, each_x in zip(c.tolist(), x.tolist(), strict=True):
                latents = torch.cat([torch.zeros(3), torch.eye(K)[each_c], torch.zeros(M)])[None]
                codes = Codes(q[:, each_x].log()[None].float(), torch.zeros(1, M), torch.zeros(1, M))
                total += float(joint[each_c, each_x]) * float(one.information(codes, latents)[0])
            return total

        assert bound(posterior) == pytest.approx(exact, abs=1e-6)
        for _ in range(5):
            assert bound(torch.rand(K, K).double().softmax(0)) < exact
        assert exact < math.log(K)

    def test_never_above_log_K_whatever_the_players_are(self):
        for _ in range(20):
            one = game()
            one.q[-1].weight.data.mul_(30)
            latents = one.latents(8)
            with torch.no_grad():
                codes = one.read(one.discriminator.features(one.sample(latents)))
            assert float(one.information(codes, latents)[0]) <= math.log(K)

    def test_the_continuous_part_is_a_gaussians_and_has_no_such_limit(self):
        one = game()
        latents = one.latents(200)
        u = latents[:, -M:]
        mean = u + 0.1 * torch.randn_like(u)
        expected = Normal(mean, 0.3).log_prob(u).sum(1).mean() + M * math.log(2)
        found = one.information(self.codes(latents[:, 3 : 3 + K], 1.0, mean, 0.3), latents)[1]
        torch.testing.assert_close(found, expected)
        assert float(one.information(self.codes(latents[:, 3 : 3 + K], 1.0, u, 0.01), latents)[1]) > 3 * M * math.log(2)


class TestTurns:
    def test_the_trunk_moves_in_the_discriminators_turn_and_q_in_the_generators(self):
        one = game()
        turns = one.turns()
        owned = {player: {id(p) for p in turn.parameters} for player, turn in turns.items()}
        assert owned["discriminator"] == {id(p) for p in one.discriminator.parameters()}
        assert owned["generator"] == {id(p) for part in (one.generator, one.q) for p in part.parameters()}

    def test_q_has_no_say_in_the_discriminators_turn(self):
        one, batch = game(), plane()
        with differentiable_in_all_players():
            found = torch.autograd.grad(loss_of(one, "discriminator", batch), list(one.q.parameters()), allow_unused=True)
        assert all(gradient is None for gradient in found)
        torch.testing.assert_close(loss_of(one, "discriminator", batch), loss_of(game_as_gan(one), "discriminator", batch))

    @pytest.mark.parametrize("loss", [NonSaturating(), Relativistic()])
    def test_the_generators_loss_is_the_gans_less_the_weighted_bounds(self, loss):
        one, batch = game(loss, weight=0.5, continuous_weight=0.25), plane()
        torch.manual_seed(1)
        value, stats = one.turns()["generator"].loss(batch)
        bounds = 0.5 * stats["infogan/categorical"] + 0.25 * stats["infogan/continuous"]
        torch.testing.assert_close(value + bounds, loss_of(game_as_gan(one), "generator", batch))

    def test_both_q_and_the_generator_learn_from_the_bound(self):
        one = game()
        torch.manual_seed(1)
        _, stats = one.turns()["generator"].loss(plane())
        for name in ("infogan/categorical", "infogan/continuous"):
            found = torch.autograd.grad(stats[name], one.turns()["generator"].parameters, retain_graph=True, allow_unused=True)
            assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in found[:-1])


class TestJoint:
    def test_q_moves_with_the_discriminator(self):
        one = game(kind=JointInfoGAN)
        owned = {name: {id(p) for p in turn.parameters} for name, turn in one.turns().items()}
        assert owned["discriminator"] == {id(p) for part in (one.discriminator, one.q) for p in part.parameters()}
        assert owned["generator"] == {id(p) for p in one.generator.parameters()}
        assert one.follows == {"q": "discriminator"}

    def test_the_bound_is_in_both_losses(self):
        one, batch = game(kind=JointInfoGAN, weight=0.5, continuous_weight=0.25), plane()
        for name in ("discriminator", "generator"):
            torch.manual_seed(1)
            value, stats = one.turns()[name].loss(batch)
            bounds = 0.5 * stats["infogan/categorical"] + 0.25 * stats["infogan/continuous"]
            torch.testing.assert_close(value + bounds, loss_of(game_as_gan(one), name, batch))

    def test_a_fixed_deviation_leaves_the_mean_alone(self):
        one = game(fixed_deviation=True)
        codes = one.read(torch.randn(8, one.discriminator.feature_dim))
        assert not codes.log_std.any()
        assert codes.mean.any()


def game_as_gan(one: InfoGAN) -> GAN:
    """The same players in a GAN that draws the same latents."""
    gan = GAN(one.generator, one.discriminator, one.objective)
    gan.latents = one.latents
    return gan


def test_the_code_is_the_likeliest():
    one = game().eval()
    x = torch.randn(9, 2)
    logits = one.q(one.discriminator.features(x))[:, :K]
    assert torch.equal(one.code(x), logits.argmax(1))


def test_traversals_move_one_code_and_nothing_else():
    found = game().traversals(20)
    assert [one.title for one in found] == ["categorical code", "continuous code 1", "continuous code 2"]
    for index, one in enumerate(found):
        rows, columns = len(one.rows), len(one.columns)
        assert len(one.latents) == rows * columns == 20
        laid = one.latents.unflatten(0, (rows, columns))
        moving = (laid[:, 1:] != laid[:, :1]).any(0).any(0).nonzero().flatten().tolist()
        assert moving == (list(range(3, 3 + K)) if index == 0 else [3 + K + index - 1])
    z, c, u = found[1].latents.split([3, K, M], 1)
    assert torch.equal(z, z[:1].expand_as(z))
    assert torch.equal(c, torch.eye(K).repeat_interleave(5, 0))
    assert u[:5, 0].tolist() == [-2, -1, 0, 1, 2]
    assert found[1].columns == ["-2.0", "-1.0", "0.0", "1.0", "2.0"]
    assert torch.equal(found[0].latents[:K, 3 : 3 + K], torch.eye(K))


def test_no_continuous_codes():
    one = InfoGAN(MLPGenerator((2,), 0, 7, 8, 2), MLPDiscriminator((2,), 0, 8, 2), Objective(NonSaturating()), K, 0)
    _, stats = one.turns()["generator"].loss(plane())
    assert stats["infogan/continuous"].item() == 0
    assert len(one.traversals(8)) == 1


@pytest.mark.slow
def test_it_learns_a_code_for_each_cluster_of_nothing_but_noise_and_code():
    """Against a trunk that shows the samples themselves, G and Q alone bring the bound to log K."""
    one = game(weight=1.0, continuous_weight=0.0)
    one.discriminator.body = nn.Sequential(nn.Identity(), nn.Linear(2, 1))
    one.discriminator.feature_dim = 2
    one.q = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, K + 2 * M))
    optimizer = torch.optim.Adam(one.turns()["generator"].parameters, lr=0.01)
    values = []
    for _ in range(150):
        _, stats = one.turns()["generator"].loss(plane())
        optimizer.zero_grad()
        (-stats["infogan/categorical"]).backward()
        optimizer.step()
        values.append(float(stats["infogan/categorical"].detach()))
    assert max(values) <= math.log(K)
    assert sum(values[:5]) / 5 < 0.2 * math.log(K)
    assert sum(values[-5:]) / 5 > 0.95 * math.log(K)


class WithoutTrunk(Discriminator):
    def forward(self, x, y=None):
        return x.sum(1)


def test_what_it_cannot_be_built_of():
    with pytest.raises(UserError, match=r"latent_dim=6 has no room for z beside 6 codes") as caught:
        game(latent_dim=6)
    assert str(caught.value).count("\n") == 1
    with pytest.raises(UserError, match=r"categorical=1"):
        InfoGAN(MLPGenerator((2,), 0, 9, 8, 2), MLPDiscriminator((2,), 0, 8, 2), Objective(NonSaturating()), categorical=1)
    with pytest.raises(UserError, match="game=infogan adds a head to"):
        InfoGAN(MLPGenerator((2,), 0, 20, 8, 2), WithoutTrunk(), Objective(NonSaturating()))
