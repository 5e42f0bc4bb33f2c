"""Five f-divergences and their variational bounds."""

import math

import pytest
import torch
from torch import tensor

from gan_cli.errors import UserError
from gan_cli.losses.f_gan import FGAN, KL, TAME, JensenShannon, Pearson, ReverseKL, SquaredHellinger, tamed
from gan_cli.losses.minimax import Minimax
from gan_cli.metrics.points import discrete

P, Q = tensor([3, 2, 1, 4]), tensor([1, 2, 4, 3])
p, q = P.double() / 10, Q.double() / 10

CLOSED = {
    KL: discrete.kl(p, q),
    ReverseKL: discrete.kl(q, p),
    Pearson: float(((p - q) ** 2 / q).sum()),
    SquaredHellinger: float((p.sqrt() - q.sqrt()).square().sum()),
    JensenShannon: 2 * discrete.js(p, q),
}
"""The divergences of p and q: JS without its halves, Hellinger without its own."""
OPTIMA = {
    KL: 1 + (p / q).log(),
    ReverseKL: (p / q).log(),
    Pearson: 2 * (p / q - 1),
    SquaredHellinger: (p / q).log() / 2,
    JensenShannon: (p / q).log(),
}
"""The logits at which T is f'(p / q)."""
SLOPES = {
    KL: lambda u: 1 + u.log(),
    ReverseKL: lambda u: -1 / u,
    Pearson: lambda u: 2 * (u - 1),
    SquaredHellinger: lambda u: 1 - u**-0.5,
    JensenShannon: lambda u: (2 * u / (1 + u)).log(),
}
"""f'(u)."""
CONJUGATES = {
    KL: lambda t: (t - 1).exp(),
    ReverseKL: lambda t: -1 - (-t).log(),
    Pearson: lambda t: t**2 / 4 + t,
    SquaredHellinger: lambda t: t / (1 - t),
    JensenShannon: lambda t: -(2 - t.exp()).log(),
}
"""f*(t) as the paper's table has it."""
ALL = pytest.mark.parametrize("kind", CLOSED, ids=lambda kind: kind.__name__)


def bound(kind: type[FGAN], table) -> float:
    """The estimate from samples that follow p and q exactly, for one logit per outcome."""
    table = torch.as_tensor(table, dtype=torch.float64)
    (value,) = kind().estimate(table.repeat_interleave(P), table.repeat_interleave(Q)).values()
    return float(value)


@ALL
class TestEveryDivergence:
    def test_the_bound_is_tight_at_the_optimal_t(self, kind):
        torch.testing.assert_close(kind().activation(OPTIMA[kind]), SLOPES[kind](p / q))
        assert bound(kind, OPTIMA[kind]) == pytest.approx(CLOSED[kind], abs=1e-12)

    def test_and_below_elsewhere(self, kind):
        torch.manual_seed(0)
        for scale in (0.1, 1.0, 10.0, 100.0):
            for move in scale * torch.randn(50, 4, dtype=torch.float64):
                assert bound(kind, OPTIMA[kind] + move) < CLOSED[kind]

    def test_the_optimum_is_where_the_gradient_vanishes(self, kind):
        table = OPTIMA[kind].clone().requires_grad_()
        loss = kind().discriminator_loss(table.repeat_interleave(P), table.repeat_interleave(Q))
        (gradient,) = torch.autograd.grad(loss, table)
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-12, rtol=0)

    def test_the_conjugate_is_that_of_the_activation(self, kind):
        logits = torch.linspace(-9, 9, 181, dtype=torch.float64)
        torch.testing.assert_close(kind().conjugate(logits), CONJUGATES[kind](kind().activation(logits)), rtol=1e-9, atol=1e-9)

    def test_it_is_beyond_tame_logits_too(self, kind):
        logits = tensor([-60.0, -25.0, 12.0, 15.0], dtype=torch.float64)
        torch.testing.assert_close(kind().conjugate(logits), CONJUGATES[kind](kind().activation(logits)), rtol=1e-6, atol=1e-6)

    def test_activation_and_logits_rise_together(self, kind):
        logits = torch.linspace(-30, 30, 601, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(kind().activation(logits).sum(), logits)
        assert (slope > 0).all()

    def test_the_generator_has_two_forms(self, kind):
        fake = tensor([0.1, 0.6, -0.3])
        torch.testing.assert_close(kind().generator_loss(fake[:0], fake), -kind().activation(fake).mean())
        torch.testing.assert_close(kind(saturating=True).generator_loss(fake[:0], fake), -kind().conjugate(fake).mean())

    def test_zero_sum_where_it_saturates(self, kind):
        real, fake = tensor([0.3, -0.2]), tensor([0.1, 0.6])
        loss = kind(saturating=True)
        total = loss.discriminator_loss(real, fake) + loss.generator_loss(real, fake)
        torch.testing.assert_close(total, -kind().activation(real).mean(), msg="no fake left in it")


def test_js_is_the_minimax_game():
    torch.manual_seed(0)
    real, fake = torch.randn(2, 20, dtype=torch.float64)
    expected = 2 * Minimax().estimate(real, fake)["js"]
    torch.testing.assert_close(JensenShannon().estimate(real, fake)["twice_js"], expected)


def test_disjoint_supports():
    """The largest value where there is one; the others rise without end."""
    sure = 60 * tensor([1.0, -1.0], dtype=torch.float64)
    assert float(JensenShannon().estimate(sure[:1], sure[1:])["twice_js"]) == pytest.approx(2 * math.log(2), abs=1e-12)
    assert float(SquaredHellinger().estimate(sure[:1], sure[1:])["squared_hellinger"]) == pytest.approx(2, abs=1e-4)
    for loss in (KL(), Pearson(), ReverseKL()):
        values = [float(next(iter(loss.estimate(s * sure[:1], s * sure[1:] / 30).values()))) for s in (1, 10)]
        assert values[1] > values[0]


def test_tamed_logits_go_on_without_a_kink():
    x = tensor([-1e4, -TAME, -3.0, 0.0, TAME, 1e4], requires_grad=True)
    (slope,) = torch.autograd.grad(tamed(x).sum(), x)
    torch.testing.assert_close(tamed(x)[1:5], x[1:5])
    torch.testing.assert_close(slope[[0, 2, 3, 5]], tensor([1 / (1e4 - TAME + 1), 1.0, 1.0, 1 / (1e4 - TAME + 1)]))
    beyond = tensor([TAME + 1e-3, -TAME - 1e-3], dtype=torch.float64)
    torch.testing.assert_close(tamed(beyond), beyond, rtol=1e-6, atol=0)
    torch.testing.assert_close(tamed(tensor([50.0])).exp(), math.exp(TAME) * tensor([41.0]))


def test_a_word_for_a_flag_is_refused():
    with pytest.raises(UserError, match="saturating"):
        KL(saturating="no")
