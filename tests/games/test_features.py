"""Games on learnt features: EBGAN with its pull-away term, MMD-GAN, and the sliced Wasserstein generator on features."""

import pytest
import torch
from support import configs
from support.players import Dirac, Linear
from torch import tensor

from gan_cli.errors import UserError
from gan_cli.games.base import differentiable_in_all_players
from gan_cli.games.ebgan import EBGAN, pull_away_term
from gan_cli.games.mmd_gan import MMDGAN, LearnedMMD
from gan_cli.games.objective import Objective
from gan_cli.games.sliced import SlicedGAN, sliced_cost
from gan_cli.losses.ebgan import EBGAN as EBGANLoss
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.metrics.points.mmd import mmd2_of_kernel, rational_quadratic, squared_distances
from gan_cli.models.autoencoder import ConvAutoEncoder, MLPAutoEncoder
from gan_cli.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_cli.models.mlp import MLPDiscriminator, MLPGenerator
from gan_cli.regularizers.base import Judged
from gan_cli.regularizers.gradient_penalty import GradientPenalty
from gan_cli.training.command import train_command
from gan_cli.types import Batch

SHAPE = (1, 8, 8)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def images(n=6):
    return Batch(torch.rand(n, *SHAPE) * 2 - 1)


def loss_of(game, player, batch, seed=1):
    torch.manual_seed(seed)
    return game.turns()[player].loss(batch)


class TestPullAway:
    def test_closed_forms(self):
        assert pull_away_term(torch.eye(4)) == 0
        assert pull_away_term(torch.ones(5, 3)) == pytest.approx(1)
        angle = tensor(0.7)
        pair = torch.stack([tensor([1.0, 0.0]), 3 * torch.stack([angle.cos(), angle.sin()])])
        torch.testing.assert_close(pull_away_term(pair), angle.cos().square())

    def test_it_is_the_mean_over_pairs(self):
        s = torch.randn(6, 4, dtype=torch.float64)
        pairs = [(s[i] @ s[j] / s[i].norm() / s[j].norm()) ** 2 for i in range(6) for j in range(6) if i != j]
        torch.testing.assert_close(pull_away_term(s), torch.stack(pairs).mean())

    def test_length_is_free_and_nothing_is_no_trouble(self):
        s = torch.randn(5, 3)
        torch.testing.assert_close(pull_away_term(s * torch.rand(5, 1)), pull_away_term(s))
        assert pull_away_term(torch.zeros(3, 2)) == 0
        assert pull_away_term(torch.randn(1, 2)) == pytest.approx(0, abs=1e-6)

    def test_descending_it_spreads_the_codes(self):
        s = torch.rand(4, 8, requires_grad=True)
        for _ in range(200):
            (gradient,) = torch.autograd.grad(pull_away_term(s), s)
            s = (s - gradient).detach().requires_grad_()
        assert pull_away_term(s) < 0.01


def ebgan(pull_away):
    torch.manual_seed(0)
    return EBGAN(DCGANGenerator(SHAPE, 0, 3, 4), ConvAutoEncoder(SHAPE, 0, 4), Objective(EBGANLoss(), {}), pull_away)


class TestEBGAN:
    def test_the_term_is_in_the_generators_loss_alone(self):
        with_term, without = ebgan(0.5), ebgan(0.0)
        loss, stats = loss_of(with_term, "generator", images())
        torch.testing.assert_close(loss, loss_of(without, "generator", images())[0] + 0.5 * stats["pull_away"])
        assert 0 < stats["pull_away"] < 1
        assert "pull_away" not in loss_of(with_term, "discriminator", images())[1]

    def test_energies_are_the_reconstruction_error(self):
        for network, x in (
            (ConvAutoEncoder((3, 16, 16), 0, 4), torch.rand(5, 3, 16, 16)),
            (MLPAutoEncoder((2,), 0, 8, 2, 3), torch.randn(5, 2)),
            (MLPAutoEncoder(SHAPE, 0, 8, 2, 3), torch.rand(5, *SHAPE)),
        ):
            network.eval()
            again = network.decode(network.encode(x))
            assert again.shape == x.shape
            torch.testing.assert_close(network(x), -(again - x).square().flatten(1).sum(1).sqrt())
            logits, code = network.logits_and_code(x)
            assert (logits <= 0).all()
            assert code.shape[0] == 5
            torch.testing.assert_close(code, network.encode(x).flatten(1))

    def test_the_papers_code_at_64_pixels(self):
        network = ConvAutoEncoder((3, 64, 64), 0, 64).to("meta")
        assert network.encode(torch.empty(2, 3, 64, 64, device="meta")).shape == (2, 256, 8, 8)

    def test_what_it_refuses(self):
        with pytest.raises(UserError, match="must be an auto-encoder"):
            EBGAN(MLPGenerator((2,), 0, 3, 8, 2), MLPDiscriminator((2,), 0, 8, 2), Objective(EBGANLoss(), {}), 0.1)
        with pytest.raises(UserError, match="pull_away"):
            ebgan(-1.0)
        with pytest.raises(UserError, match="autoencoder_mlp"):
            ConvAutoEncoder((2,), 0, 8)

    def test_points_by_the_command_line(self):
        _, stats = configs.play(configs.config("game=ebgan dataset=ring model/discriminator=autoencoder_mlp"), rounds=2)
        assert stats["pull_away/generator"].isfinite()


ALPHAS = (0.2, 0.5, 1.0, 2.0, 5.0)


class TestKernels:
    def test_rational_quadratic(self):
        squared = tensor([0.0, 1.0, 9.0], dtype=torch.float64)
        expected = sum((1 + squared / (2 * a)) ** -a for a in ALPHAS)
        torch.testing.assert_close(rational_quadratic(squared, ALPHAS), expected)
        assert rational_quadratic(squared, ALPHAS)[0] == len(ALPHAS)
        gaussian = torch.exp(-squared / 2)  # its limit for large alpha
        torch.testing.assert_close(rational_quadratic(squared, [1e6]), gaussian, rtol=1e-4, atol=0)

    def test_biased_and_unbiased(self):
        x, y = torch.randn(7, 2, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64) + 1
        xx, yy, xy = (rational_quadratic(squared_distances(a, b), ALPHAS) for a, b in ((x, x), (y, y), (x, y)))
        off = [(k.sum() - k.diagonal().sum()) / (len(k) * (len(k) - 1)) for k in (xx, yy)]
        torch.testing.assert_close(mmd2_of_kernel(xx, yy, xy), off[0] + off[1] - 2 * xy.mean())
        difference = mmd2_of_kernel(xx, yy, xy, biased=True) - mmd2_of_kernel(xx, yy, xy)
        torch.testing.assert_close(difference, (5 - off[0]) / 7 + (5 - off[1]) / 5)
        assert mmd2_of_kernel(xx, xx, xx, biased=True) == pytest.approx(0, abs=1e-12)


def mmd_gan(regularizers=None, outputs=3, width=8):
    torch.manual_seed(0)
    players = MLPGenerator((2,), 0, 3, width, 3), MLPDiscriminator((2,), 0, width, 3, outputs)
    return MMDGAN(*players, Objective(regularizers=regularizers or {}), ALPHAS)


class TestMMDGAN:
    def test_zero_sum(self):
        game, batch = mmd_gan(), Batch(torch.randn(20, 2))
        loss = loss_of(game, "discriminator", batch)[0]
        torch.testing.assert_close(loss, -loss_of(game, "generator", batch)[0])

    def test_the_penalty_is_that_of_the_witness(self):
        """Of one linear feature, the witness's slope is known: a sum of the kernel's slopes."""
        penalty = GradientPenalty(weight=1.0)
        game = MMDGAN(Dirac(1.5), Linear(2.0), Objective(regularizers={"gp": penalty}), ALPHAS)
        real = tensor([[-1.0], [0.5], [2.0]])
        fake = tensor([[1.5]]).expand(3, -1)
        critic = game.critic()
        witness, judged = game.regularized_critic(critic, Judged(real, fake, critic(real), critic(fake)))
        torch.testing.assert_close(judged, Judged(real, fake, witness(real), witness(fake)))
        x = torch.linspace(-3, 3, 5)[:, None]
        k = lambda a, b: sum((1 + (2 * (a - b)) ** 2 / (2 * alpha)) ** -alpha for alpha in ALPHAS)  # noqa: E731
        torch.testing.assert_close(witness(x), torch.stack([k(t, real).mean() - k(t, fake).mean() for t in x]))
        loss, stats = loss_of(game, "discriminator", Batch(real), seed=3)
        torch.manual_seed(3)
        game.latents(3)
        torch.testing.assert_close(stats["penalty_gp"], penalty.penalty(game.discriminator, witness, judged))
        torch.testing.assert_close(loss, stats["penalty_gp"] - stats["estimate/mmd2"])

    def test_mmd2_is_the_difference_of_the_witness_means(self):
        """E f(x) - E f(G(z)), up to the diagonals that the unbiased estimate leaves out."""
        loss = LearnedMMD(ALPHAS)
        a, b = torch.randn(2, 9, 4, dtype=torch.float64)
        k = loss.kernel
        f = [k(t, a).mean(1) - k(t, b).mean(1) for t in (a, b)]
        biased = mmd2_of_kernel(k(a, a), k(b, b), k(a, b), biased=True)
        torch.testing.assert_close(f[0].mean() - f[1].mean(), biased)

    def test_a_linear_kernel_adds_the_squared_distance_of_the_means(self):
        """E <a, a'> + E <b, b'> - 2 E <a, b>, without the diagonals."""
        a, b = torch.randn(2, 9, 4, dtype=torch.float64)
        added = LearnedMMD(ALPHAS, linear=0.5).mmd2(a, b) - LearnedMMD(ALPHAS).mmd2(a, b)
        within = [(x.sum(0).square().sum() - x.square().sum()) / 72 for x in (a, b)]
        torch.testing.assert_close(added, 0.5 * (within[0] + within[1] - 2 * a.mean(0) @ b.mean(0)))

    def test_codes_of_one_number_need_no_second_dimension(self):
        loss = LearnedMMD(ALPHAS)
        one = torch.randn(6)
        torch.testing.assert_close(loss.mmd2(one, one + 1), loss.mmd2(one[:, None], one[:, None] + 1))

    @pytest.mark.slow
    def test_the_critic_learns_to_see_a_difference(self):
        game = mmd_gan({"gp": GradientPenalty(weight=1.0)})
        adam = torch.optim.Adam(game.discriminator.parameters(), 1e-2)
        values = []
        for _ in range(60):
            loss, stats = game.discriminator_loss(Batch(torch.randn(64, 2) + 3))
            adam.zero_grad()
            loss.backward(inputs=list(game.discriminator.parameters()))
            adam.step()
            values.append(float(stats["estimate/mmd2"].detach()))
        assert values[-1] > 2 * values[0]

    @pytest.mark.slow
    @pytest.mark.long
    def test_points_by_the_command_line_with_a_picture(self, tmp_path):
        train_command(configs.config("game=mmd_gan dataset=ring", "train.steps=2 train.n_critic=2"), tmp_path / "run")
        assert len(list((tmp_path / "run" / "samples").glob("*.png"))) == 2


def sliced_gan():
    torch.manual_seed(0)
    return SlicedGAN(DCGANGenerator(SHAPE, 0, 3, 4), DCGANDiscriminator(SHAPE, 0, 4), Objective(NonSaturating(), {}), 50)


class TestSlicedGAN:
    def test_the_generator_sees_features_alone(self):
        game, batch = sliced_gan(), images()
        game.discriminator.eval()
        loss, stats = loss_of(game, "generator", batch)
        torch.manual_seed(1)
        fake = game.sample(game.latents(6))
        features = [game.discriminator.body[:-1](x).flatten(1) for x in (batch.x, fake)]
        torch.testing.assert_close(loss, sliced_cost(*features, 50))
        torch.testing.assert_close(stats["features_sw2"], loss.detach().sqrt())
        head = list(game.discriminator.body[-1].parameters())
        assert torch.autograd.grad(loss, head, allow_unused=True) == (None,) * len(head)

    def test_features_lead_to_the_logit(self):
        for network, x in (
            (DCGANDiscriminator(SHAPE, 0, 4), images().x),
            (MLPDiscriminator((2,), 0, 8, 3), torch.randn(4, 2)),
        ):
            network.eval()
            features = network.features(x)
            last = network.body[-1]
            logits = torch.nn.functional.linear(features, last.weight.flatten(1), last.bias).squeeze(1)
            torch.testing.assert_close(network(x), logits)
            assert features.shape[1] == network.feature_dim

    def test_the_data_side_is_differentiable_where_all_players_are(self):
        game, batch = sliced_gan(), images()
        parameter = next(game.discriminator.parameters())
        frozen = torch.autograd.grad(loss_of(game, "generator", batch)[0], parameter)[0]
        with differentiable_in_all_players():
            free = torch.autograd.grad(loss_of(game, "generator", batch)[0], parameter)[0]
        assert not torch.allclose(frozen, free)

    def test_a_discriminator_without_features_is_refused(self):
        with pytest.raises(UserError, match="MLPAutoEncoder does not expose any"):
            SlicedGAN(MLPGenerator((2,), 0, 3, 8, 2), MLPAutoEncoder((2,), 0, 8, 2, 1), Objective(NonSaturating(), {}), 5)
