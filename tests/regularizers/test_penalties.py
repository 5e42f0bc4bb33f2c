"""Penalties where their value is known: linear and quadratic critics, parallel lines, finite differences."""

from itertools import repeat

import pytest
import torch
from support.players import Dirac, Linear, alternating
from torch import nn, tensor

from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.regularizers.base import Judged, gradients, slopes, squared_slopes
from gan_cli.regularizers.dragan import Dragan
from gan_cli.regularizers.gradient_penalty import GradientPenalty
from gan_cli.regularizers.none import NoRegularizer
from gan_cli.regularizers.orthogonal import Orthogonal
from gan_cli.regularizers.r1 import R1, R2
from gan_cli.types import Batch

POINTS, IMAGES = (5, 2), (3, 1, 4, 4)
GRADIENT_PENALTIES = [GradientPenalty(), GradientPenalty(one_sided=True), Dragan(), R1(), R2()]
UNSEEN = tensor(float("nan"))


def penalty(regularizer, critic, real, fake=UNSEEN, network=None):
    return regularizer.penalty(network or nn.Identity(), critic, Judged(real, fake, UNSEEN, UNSEEN))


def linear(norm, shape):
    """A critic w . x + 3 with ||w|| = norm."""
    w = torch.randn(shape[1:])
    w *= norm / w.norm()
    return lambda x: (x * w).flatten(1).sum(1) + 3


def half_square(x):
    """A critic whose gradient at x is x itself."""
    return x.flatten(1).square().sum(1) / 2


class Recorder:
    """A linear critic that keeps where it was asked."""

    def __call__(self, x):
        self.x = x.detach()
        return x.flatten(1).sum(1)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_neutral():
    real = torch.randn(POINTS)
    assert penalty(NoRegularizer(), half_square, real) == 0
    assert not NoRegularizer().penalizes
    assert all(regularizer.penalizes for regularizer in [*GRADIENT_PENALTIES, Orthogonal()])
    network = nn.Linear(2, 1)
    assert NoRegularizer().transform(network) is network


@pytest.mark.parametrize("shape", [POINTS, IMAGES])
@pytest.mark.parametrize("norm", [0.3, 1.0, 2.5])
class TestLinearCritic:
    def test_gradient_penalty(self, shape, norm):
        critic, real, fake = linear(norm, shape), torch.randn(shape), torch.randn(shape)
        torch.testing.assert_close(penalty(GradientPenalty(), critic, real, fake), tensor(10 * (norm - 1) ** 2))
        torch.testing.assert_close(penalty(GradientPenalty(weight=0.5), critic, real, fake), tensor(0.5 * (norm - 1) ** 2))

    def test_one_sided(self, shape, norm):
        critic, real, fake = linear(norm, shape), torch.randn(shape), torch.randn(shape)
        expected = tensor(10 * max(norm - 1, 0.0) ** 2)
        torch.testing.assert_close(penalty(GradientPenalty(one_sided=True), critic, real, fake), expected)

    def test_dragan(self, shape, norm):
        torch.testing.assert_close(penalty(Dragan(), linear(norm, shape), torch.randn(shape)), tensor(10 * (norm - 1) ** 2))

    def test_r1_and_r2(self, shape, norm):
        critic, x = linear(norm, shape), torch.randn(shape)
        torch.testing.assert_close(penalty(R1(weight=3.0), critic, x, UNSEEN), tensor(1.5 * norm**2))
        torch.testing.assert_close(penalty(R2(weight=3.0), critic, UNSEEN, x), tensor(1.5 * norm**2))


class TestOneNormASample:
    """At real = fake = x the interpolates are x and the slopes of |x|^2 / 2 are |x_i|: (1 - 1)^2 and (3 - 1)^2."""

    x = tensor([[1.0], [-3.0]])

    def test_gradient_penalty(self):
        assert penalty(GradientPenalty(), half_square, self.x, self.x).item() == pytest.approx(10 * (0 + 4) / 2)
        # one norm of the whole batch would give another number
        assert 10 * (self.x.norm() - 1) ** 2 == pytest.approx(46.75, abs=0.01)

    def test_one_sided_before_the_mean(self):
        x = tensor([[0.5], [1.5]])  # mean slope 1, and yet the second one costs
        assert penalty(GradientPenalty(one_sided=True), half_square, x, x).item() == pytest.approx(10 * 0.25 / 2)

    def test_r1_and_r2(self):
        assert penalty(R1(weight=2.0), half_square, self.x).item() == pytest.approx((1 + 9) / 2)
        assert penalty(R2(weight=2.0), half_square, UNSEEN, self.x).item() == pytest.approx((1 + 9) / 2)

    def test_does_not_depend_on_the_batch_size(self):
        twice = self.x.repeat(2, 1)
        torch.testing.assert_close(
            penalty(GradientPenalty(), half_square, twice, twice), penalty(GradientPenalty(), half_square, self.x, self.x)
        )


class TestInterpolates:
    def test_one_epsilon_a_sample(self):
        for shape in ((2000, 2), (2000, 1, 2, 2)):
            critic = Recorder()
            penalty(GradientPenalty(), critic, torch.ones(shape), torch.zeros(shape))
            epsilon = critic.x.flatten(1)
            assert (epsilon == epsilon[:, :1]).all(), "the same for all values of a sample"
            sorted_draws = epsilon[:, 0].sort().values
            uniform = (torch.arange(2000) + 0.5) / 2000
            assert (sorted_draws - uniform).abs().max() < 0.05, "and U[0, 1] over the samples"

    def test_on_the_segments(self):
        critic, real, fake = Recorder(), torch.randn(50, 3), torch.randn(50, 3)
        penalty(GradientPenalty(), critic, real, fake)
        epsilon = (critic.x - fake) / (real - fake)
        torch.testing.assert_close(epsilon, epsilon[:, :1].expand_as(epsilon), atol=1e-3, rtol=1e-3)


def test_dragan_asks_around_the_data():
    """delta / (std / 2) = alpha u: within [0, 1], u uniform over the values, alpha uniform over the samples."""
    critic, real = Recorder(), 3 * torch.randn(400, 1, 20, 20) + 1
    penalty(Dragan(), critic, real)
    scaled = ((critic.x - real) / (0.5 * real.std())).flatten(1)
    assert scaled.min() > -1e-5
    assert scaled.max() < 1 + 1e-5
    alpha = scaled.max(dim=1).values
    torch.testing.assert_close(scaled.mean(dim=1), alpha / 2, atol=0.06, rtol=0)
    assert alpha.mean() == pytest.approx(0.5, abs=0.06)
    assert alpha.std() == pytest.approx(12**-0.5, abs=0.04)


def test_dragan_takes_a_single_number():
    assert penalty(Dragan(), half_square, tensor([[2.0]])) == 10  # no spread, no noise: (2 - 1)^2


def test_patches_are_averaged_as_in_the_losses():
    def patches(x):
        return x.reshape(-1, 1, 2, 2)

    x = torch.randn(3, 4)
    torch.testing.assert_close(slopes(patches, x), torch.full((3,), 0.5))  # four values with gradient 1/4
    torch.testing.assert_close(squared_slopes(patches, x), torch.full((3,), 0.25))
    torch.testing.assert_close(gradients(patches, x), torch.full((3, 4), 0.25))


@pytest.mark.parametrize(("distance", "weight"), [(1.0, 10.0), (3.0, 10.0), (0.5, 1.0)])
def test_parallel_lines_read_high(distance, weight):
    """min over k of -k d + lambda (k - 1)^2 is at 1 + d / (2 lambda), so that W reads d (1 + d / (2 lambda))."""
    game = GAN(
        Dirac(0.0, 0.0), Linear(0.1, 0.0), Objective(Wasserstein(), {"gradient_penalty": GradientPenalty(weight=weight)})
    )
    solver = alternating(game, lr=0.4 / weight)
    batch = Batch(tensor([[distance, 0.0]]).repeat(4, 1))
    for _ in range(60):
        stats = solver.round(["discriminator"], repeat(batch))
    slope = 1 + distance / (2 * weight)
    assert game.discriminator.psi.tolist() == pytest.approx([slope, 0], abs=1e-4)
    assert float(stats["estimate/wasserstein"]) == pytest.approx(distance * slope, abs=1e-3)
    assert game.estimate(batch)["wasserstein"].item() == pytest.approx(distance * slope, abs=1e-3)


@pytest.mark.parametrize("regularizer", [*GRADIENT_PENALTIES, Orthogonal(weight=1.0)])
def test_gradient_in_the_parameters(regularizer):
    """The penalty's own derivative, which needs second derivatives of the critic, against central differences."""
    network = nn.Sequential(nn.Linear(3, 4), nn.Softplus(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    parameters = list(network.parameters())
    with torch.no_grad():
        for parameter in parameters:
            parameter.mul_(3)  # slopes on both sides of 1
    real, fake = torch.randn(2, 6, 3, dtype=torch.float64)

    def value():
        torch.manual_seed(1)
        return penalty(regularizer, lambda x: network(x).squeeze(1), real, fake, network)

    derivative = torch.autograd.grad(value(), parameters, allow_unused=True)
    step = 1e-5
    for parameter, along in zip(parameters, derivative, strict=True):
        direction = torch.randn_like(parameter)
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.add_(direction, alpha=sign * step)
            ends.append(value().item())
            with torch.no_grad():
                parameter.sub_(direction, alpha=sign * step)
        numeric = (ends[0] - ends[1]) / (2 * step)
        assert numeric == pytest.approx(0.0 if along is None else float((along * direction).sum()), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("regularizer", [R1(weight=3.0), R2(weight=3.0)])
def test_zero_centred_penalties_curve_where_the_slope_is_zero(regularizer):
    """gamma / 2 psi^2 at psi = 0, where the game may rest: curvature gamma, where a norm's would be nan."""
    psi, x = torch.zeros(1, requires_grad=True), torch.randn(4, 1)
    value = penalty(regularizer, lambda x: x @ psi, x, x)
    (first,) = torch.autograd.grad(value, psi, create_graph=True)
    (second,) = torch.autograd.grad(first, psi)
    assert (first.item(), second.item()) == (0, 3)


@pytest.mark.parametrize("regularizer", GRADIENT_PENALTIES)
def test_fakes_that_can_be_differentiated_are(regularizer):
    """A penalty on fakes that carry a graph (the generator's penalty, consensus) moves the generator, too."""
    fake = torch.randn(5, 2, requires_grad=True)
    value = penalty(regularizer, lambda x: half_square(2 * x), torch.randn(5, 2), fake)
    (moved,) = torch.autograd.grad(value, fake, allow_unused=True)
    assert (moved is None) == isinstance(regularizer, Dragan | R1)
    assert moved is None or moved.abs().sum() > 0


class TestOrthogonal:
    def test_exact(self):
        layer = nn.Linear(2, 2)
        layer.weight.data = tensor([[1.0, 2.0], [3.0, 4.0]])  # rows' product 11, twice off the diagonal
        assert penalty(Orthogonal(weight=0.1), None, UNSEEN, UNSEEN, layer).item() == pytest.approx(0.1 * 2 * 11**2)

    @pytest.mark.parametrize(
        ("layer", "rows"),
        [
            (nn.Linear(8, 5), lambda q: q),
            (nn.Conv1d(4, 5, 2), lambda q: q.reshape(5, 4, 2)),
            (nn.Conv2d(2, 5, 2), lambda q: q.reshape(5, 2, 2, 2)),
            (nn.ConvTranspose2d(2, 5, 2), lambda q: q.reshape(5, 2, 2, 2).transpose(0, 1)),
        ],
        ids=["linear", "conv1d", "conv2d", "transposed"],
    )
    def test_zero_for_orthogonal_filters_alone(self, layer, rows):
        q = torch.linalg.qr(torch.randn(8, 5)).Q.T * tensor([[1.0], [2.0], [0.5], [3.0], [1.0]])  # their norms are free
        network = nn.Sequential(layer, nn.Embedding(3, 3), nn.LayerNorm(3))
        assert penalty(Orthogonal(), None, tensor(0.0), UNSEEN, network) > 1e-6
        layer.weight.data = rows(q)
        assert penalty(Orthogonal(), None, tensor(0.0), UNSEEN, network) < 1e-12

    def test_sums_over_layers(self):
        one, two = nn.Linear(3, 3), nn.Linear(3, 3)
        both = penalty(Orthogonal(), None, UNSEEN, UNSEEN, nn.Sequential(one, nn.ReLU(), nn.Sequential(two)))
        torch.testing.assert_close(both, sum(penalty(Orthogonal(), None, UNSEEN, UNSEEN, layer) for layer in (one, two)))
