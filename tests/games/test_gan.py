"""The game: who is moved by what, and its geometry where that is known."""

import cmath
from itertools import repeat

import pytest
import torch
from support import configs
from support.players import Dirac, Linear, alternating, images_gan, points_gan
from torch import nn, tensor

from gan_cli.build import build
from gan_cli.errors import UserError
from gan_cli.games.base import Turn, differentiable_in_all_players, frozen
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.losses.hinge import Hinge
from gan_cli.losses.minimax import Minimax
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.losses.relativistic import Relativistic
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.models.base import Discriminator, Generator
from gan_cli.regularizers.base import Judged, Regularizer
from gan_cli.regularizers.gradient_penalty import GradientPenalty
from gan_cli.regularizers.orthogonal import Orthogonal
from gan_cli.regularizers.r1 import R1, R2
from gan_cli.types import Batch


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def plane(n=6):
    return Batch(torch.randn(n, 2))


def loss_of(game, player, batch, seed=1):
    torch.manual_seed(seed)
    return game.turns()[player].loss(batch)[0]


def jacobian(game, batch):
    """Of the simultaneous field (-grad_psi L_D, -grad_theta L_G), built from the game's own turns."""
    players = (game.discriminator.psi, game.generator.theta)
    with differentiable_in_all_players():
        losses = [loss_of(game, player, batch) for player in ("discriminator", "generator")]
        field = [-torch.autograd.grad(loss, own, create_graph=True)[0] for loss, own in zip(losses, players, strict=True)]
        rows = [torch.autograd.grad(component, players, materialize_grads=True) for component in field]
    return torch.stack([torch.cat(row) for row in rows])


class TestDiracGAN:
    """Data at 0, fakes at theta, D(x) = psi x; at psi = theta = 0 the field turns with |f'(0)| and R1 or R2 damp it by gamma.

    The eigenvalues are -gamma/2 +- sqrt(gamma^2/4 - f'(0)^2): Mescheder et al., 2018, lemma 4.1, f'(0) being 1/2 for the
    logistic losses and 1 for the linear ones.
    """

    data = Batch(torch.zeros(4, 1))

    @pytest.mark.parametrize("gamma", [0.0, 0.3, 0.8, 3.0])
    @pytest.mark.parametrize("penalty", [R1, R2])
    @pytest.mark.parametrize(
        ("loss", "slope"),
        [(Minimax(), 0.5), (NonSaturating(), 0.5), (Relativistic(), 0.5), (Wasserstein(), 1.0), (Hinge(), 1.0)],
    )
    def test_eigenvalues(self, loss, slope, penalty, gamma):
        game = GAN(Dirac(0.0), Linear(0.0), Objective(loss, {"penalty": penalty(weight=gamma)}))
        matrix = jacobian(game, self.data)
        torch.testing.assert_close(matrix, tensor([[-gamma, -slope], [slope, 0.0]]))
        root = cmath.sqrt(gamma**2 / 4 - slope**2)
        expected = sorted([-gamma / 2 + root, -gamma / 2 - root], key=lambda z: (z.real, z.imag))
        found = sorted(torch.linalg.eigvals(matrix).tolist(), key=lambda z: (round(z.real, 4), z.imag))
        assert found == pytest.approx(expected, abs=1e-5)

    def test_penalties_add_up(self):
        game = GAN(Dirac(0.0), Linear(0.0), Objective(NonSaturating(), {"r1": R1(weight=0.5), "r2": R2(weight=0.25)}))
        torch.testing.assert_close(jacobian(game, self.data)[0, 0], tensor(-0.75))

    def test_away_from_the_equilibrium(self):
        """d/dtheta of -s(psi theta) theta: the fake inside the discriminator's loss is differentiated, both ways."""
        psi, theta = 0.7, -1.2
        s = tensor(psi * theta).sigmoid()
        game = GAN(Dirac(theta), Linear(psi), Objective(Minimax()))
        cross = s + psi * theta * s * (1 - s)
        expected = tensor([[-(theta**2) * s * (1 - s), -cross], [cross, psi**2 * s * (1 - s)]])
        torch.testing.assert_close(jacobian(game, self.data), expected)

    @pytest.mark.slow
    def test_r1_converges_where_the_bare_game_circles(self):
        radius = {}
        for gamma in (0.0, 1.0):
            game = GAN(Dirac(1.0), Linear(1.0), Objective(Minimax(), {"r1": R1(weight=gamma)}))
            solver = alternating(game, lr=0.2)
            for _ in range(150):
                solver.round(["discriminator", "generator"], repeat(self.data))
            radius[gamma] = torch.cat([p.detach() for p in game.parameters()]).norm().item()
        assert radius[1.0] < 1e-4
        assert radius[0.0] == pytest.approx(2**0.5, rel=0.2)


class TestOpponents:
    def test_frozen_in_the_discriminators_turn(self):
        game = points_gan()
        gradients = torch.autograd.grad(
            loss_of(game, "discriminator", plane()), list(game.generator.parameters()), allow_unused=True
        )
        assert all(gradient is None for gradient in gradients)

    @pytest.mark.parametrize("make", [points_gan, images_gan])
    def test_differentiable_when_asked(self, make):
        """In the zero-sum game L_G = -L_D up to what the generator has no part in: the gradients are opposite."""
        game = make(Minimax())
        batch = plane() if make is points_gan else Batch(torch.randn(4, 1, 16, 16))
        theta = list(game.generator.parameters())
        with differentiable_in_all_players():
            ascent = torch.autograd.grad(loss_of(game, "discriminator", batch), theta)
        descent = torch.autograd.grad(loss_of(game, "generator", batch), theta)
        for up, down in zip(ascent, descent, strict=True):
            torch.testing.assert_close(up, -down)
        assert any(gradient.abs().sum() > 0 for gradient in ascent)

    def test_the_generators_loss_always_sees_the_discriminator(self):
        game = points_gan()
        assert all(
            gradient is not None
            for gradient in torch.autograd.grad(
                loss_of(game, "generator", plane()), [p for n, p in game.discriminator.named_parameters() if "weight" in n]
            )
        )

    def test_consensus_through_a_penalty(self):
        """R2 at fakes theta is gamma/2 psi^2, R1's and R2's derivative in theta 0; a gradient penalty on a curved D is not."""
        game = points_gan(Wasserstein(), [GradientPenalty()])
        torch.nn.init.normal_(game.discriminator.body[0].weight)
        game.discriminator.body[1] = nn.Tanh()
        with differentiable_in_all_players():
            torch.manual_seed(1)
            _, stats = game.turns()["discriminator"].loss(plane())
            theta = list(game.generator.parameters())
            moved = torch.autograd.grad(stats["penalty_gradientpenalty"], theta)
        assert any(gradient.abs().sum() > 0 for gradient in moved)

    def test_ends_with_the_context_whatever_happens_in_it(self):
        with differentiable_in_all_players(), frozen():
            assert torch.is_grad_enabled()
        with pytest.raises(ZeroDivisionError), differentiable_in_all_players():
            raise ZeroDivisionError
        with frozen():
            assert not torch.is_grad_enabled()


class TestLosses:
    def test_discriminators_loss_is_the_sum_of_its_parts(self):
        game = points_gan(Wasserstein(), [GradientPenalty(), R1(weight=3.0)])
        torch.manual_seed(1)
        loss, stats = game.turns()["discriminator"].loss(plane())
        penalties = stats["penalty_gradientpenalty"] + stats["penalty_r1"]
        named = {"adversarial", "penalty_gradientpenalty", "penalty_r1", "estimate/wasserstein", "logit/real", "logit/fake"}
        assert set(stats) == named
        torch.testing.assert_close(loss, penalties + stats["adversarial"])
        torch.testing.assert_close(loss, penalties - stats["estimate/wasserstein"])
        assert penalties > 0

    def test_generators_penalty_is_its_own(self):
        orthogonal = Orthogonal(weight=1.0, players=["generator"])
        plain, game = points_gan(), points_gan(regularizers=[orthogonal])
        plain.load_state_dict(game.state_dict())
        batch = plane()
        difference = loss_of(game, "generator", batch) - loss_of(plain, "generator", batch)
        torch.testing.assert_close(difference, orthogonal.penalty(game.generator, None, Judged(*[batch.x] * 4)))
        torch.testing.assert_close(loss_of(game, "discriminator", batch), loss_of(plain, "discriminator", batch))

    def test_estimate_has_no_penalty_in_it(self):
        plain, game = points_gan(Wasserstein()), points_gan(Wasserstein(), [R1()])
        plain.load_state_dict(game.state_dict())
        batch, values = plane(), []
        for one in (plain, game):
            torch.manual_seed(1)
            values.append(one.estimate(batch))
        assert values[0].keys() == {"wasserstein"}
        torch.testing.assert_close(values[0], values[1])

    def test_estimate_of_the_turn_is_the_games(self):
        game, batch = points_gan(), plane()
        torch.manual_seed(1)
        _, stats = game.turns()["discriminator"].loss(batch)
        torch.manual_seed(1)
        torch.testing.assert_close(stats["estimate/js"], game.estimate(batch)["js"])

    def test_relativistic_loss_pairs_with_the_batch(self):
        game, batch = points_gan(Relativistic()), plane()
        torch.manual_seed(1)
        critic = game.critic()
        expected = nn.functional.softplus(critic(batch.x) - critic(game.sample(game.latents(6)))).mean()
        torch.testing.assert_close(loss_of(game, "generator", batch), expected)

    def test_losses_may_be_asked_for_again(self):
        game, batch = points_gan(regularizers=[GradientPenalty()]), plane()
        torch.testing.assert_close(loss_of(game, "discriminator", batch), loss_of(game, "discriminator", batch))


class TestLabels:
    class Player(Generator, Discriminator):
        """Adds its label to what it is given, and keeps it."""

        latent_dim = 2

        def __init__(self):
            super().__init__()
            self.scale, self.seen = nn.Parameter(torch.ones(())), []

        def forward(self, x, y=None):
            self.seen.append(y)
            return x * self.scale + y[:, None]

    class Judge(Player):
        def forward(self, x, y=None):
            return super().forward(x, y).sum(1)

    def test_fakes_carry_the_labels_of_the_batch(self):
        game = GAN(self.Player(), self.Judge(), Objective(NonSaturating(), {"gradient_penalty": GradientPenalty()}))
        y = tensor([2, 0, 1])
        batch = Batch(torch.randn(3, 2), y)
        for player in ("discriminator", "generator"):
            game.turns()[player].loss(batch)
        game.estimate(batch)
        seen = game.generator.seen + game.discriminator.seen
        assert len(seen) == 3 + 3 + 1 + 2, "one fake each; D on data, fakes and interpolates; on fakes; on both"
        assert all(labels is y for labels in seen)
        assert torch.equal(game.critic(y)(batch.x), game.discriminator(batch.x, y))
        assert torch.equal(game.sample(batch.x, y), batch.x + y[:, None])


def test_turns_are_the_players():
    game = points_gan()
    turns = game.turns()
    assert list(turns) == ["discriminator", "generator"]
    for name, turn in turns.items():
        assert isinstance(turn, Turn)
        assert [id(p) for p in turn.parameters] == [id(p) for p in getattr(game, name).parameters()]
        assert turn.should_step(tensor(0.0), {})


def test_latents_come_from_the_default_stream():
    game = points_gan()
    torch.manual_seed(3)
    z = game.latents(1000)
    assert z.shape == (1000, 3)
    assert z.mean().abs() < 0.1
    assert z.std() == pytest.approx(1, abs=0.05)
    torch.manual_seed(3)
    assert torch.equal(z, game.latents(1000))


@pytest.mark.parametrize("make", [points_gan, images_gan])
def test_samples_and_logits_keep_the_precision_of_what_is_given(make):
    game = make()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        fake = game.sample(game.latents(3))
        assert game.generator(game.latents(3)).dtype == torch.bfloat16
        assert fake.dtype == torch.float32
        assert game.critic()(fake).dtype == torch.float32
    if make is points_gan:
        game.double()
        assert game.critic()(game.sample(torch.randn(3, 3, dtype=torch.float64))).dtype == torch.float64


def test_a_regularizer_of_a_player_that_the_game_lacks():
    cfg = configs.config("dataset=ring regularizer=r1", "regularizer.r1.players=[critic]")
    message = r"regularizer\.r1\.players=\[critic\]: this game has no such player\. Its players are: generator, discriminator\."
    with pytest.raises(UserError, match=message):
        build(cfg, torch.device("cpu"))


def test_transforms_happen_in_order_and_once():
    seen = []

    class Wrap(Regularizer):
        def transform(self, network):
            seen.append(network)
            return nn.Sequential(network)

    game = points_gan(regularizers=[Wrap(), Wrap()])
    assert seen == [game.discriminator[0][0], game.discriminator[0]]
    assert not isinstance(game.generator, nn.Sequential)
