"""Closed forms of the losses, and what their estimates say about laws whose divergences are known."""

import inspect
import math
import pkgutil
from importlib import import_module

import pytest
import torch
from torch import tensor

import gan_cli.losses
from gan_cli.errors import UserError
from gan_cli.losses.base import Loss
from gan_cli.losses.f_gan import FGAN
from gan_cli.losses.hinge import Hinge
from gan_cli.losses.least_squares import LeastSquares
from gan_cli.losses.minimax import Minimax, ZeroSum
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.losses.relativistic import Relativistic
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.testing import check_loss

MODULES = [import_module(f"gan_cli.losses.{module.name}") for module in pkgutil.iter_modules(gan_cli.losses.__path__)]
LOSSES = sorted(
    {
        kind
        for module in MODULES
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Loss) and not inspect.isabstract(kind)
    },
    key=lambda kind: kind.__name__,
)
"""Every loss in the folder: a new one enters these tests by itself."""

P, Q = tensor([3, 2, 1, 4]), tensor([1, 2, 4, 3])
"""Two laws on 0, 1, 2, 3 as counts of ten."""

r, f = torch.linspace(-1.5, 2, 12, dtype=torch.float64), torch.linspace(-2, 1, 12, dtype=torch.float64).flip(0)
s_r, s_f = r.sigmoid(), f.sigmoid()

CLOSED_FORMS = {
    Minimax: (-(s_r.log().mean() + (1 - s_f).log().mean()), (1 - s_f).log().mean()),
    ZeroSum: (-(s_r.log().mean() + (1 - s_f).log().mean()), s_r.log().mean() + (1 - s_f).log().mean()),
    NonSaturating: (-(s_r.log().mean() + (1 - s_f).log().mean()), -s_f.log().mean()),
    Wasserstein: (f.mean() - r.mean(), -f.mean()),
    Hinge: ((1 - r).clamp(min=0).mean() + (1 + f).clamp(min=0).mean(), -f.mean()),
    LeastSquares: (0.5 * ((r - 1) ** 2).mean() + 0.5 * (f**2).mean(), 0.5 * ((f - 1) ** 2).mean()),
    Relativistic: (-(r - f).sigmoid().log().mean(), -(f - r).sigmoid().log().mean()),
}


def logits(table, p=P, q=Q):
    """The logits of samples that follow p and q exactly, from a table of one logit per outcome."""
    table = torch.as_tensor(table, dtype=torch.float64)
    return table.repeat_interleave(p), table.repeat_interleave(q)


def kl(p, q):
    return float((p * (p / q).log()).nan_to_num().sum())


@pytest.fixture
def laws():
    return P.double() / 10, Q.double() / 10


@pytest.fixture
def divergences(laws):
    p, q = laws
    m = (p + q) / 2
    return {
        "js": (kl(p, m) + kl(q, m)) / 2,
        "tv": float((p - q).abs().sum() / 2),
        "triangular": float(((p - q) ** 2 / (p + q)).sum()),
    }


@pytest.mark.parametrize("loss", CLOSED_FORMS, ids=lambda kind: kind.__name__)
def test_closed_form(loss):
    discriminator, generator = CLOSED_FORMS[loss]
    torch.testing.assert_close(loss().discriminator_loss(r, f), discriminator)
    torch.testing.assert_close(loss().generator_loss(r, f), generator)


@pytest.mark.parametrize("kind", LOSSES, ids=lambda kind: kind.__name__)
def test_every_loss_keeps_the_contract(kind):
    check_loss(kind())
    assert kind.boundary is not None or not issubclass(kind, NonSaturating | Hinge | LeastSquares | FGAN)


def test_generator_gradient_weighs_the_logit():
    """s(f) when saturating, which dies where the discriminator wins, and 1 - s(f) when not (per sample, hence / 12)."""
    fake = f.clone().requires_grad_()
    (saturating,) = torch.autograd.grad(Minimax().generator_loss(r[:0], fake), fake)
    (non_saturating,) = torch.autograd.grad(NonSaturating().generator_loss(r[:0], fake), fake)
    torch.testing.assert_close(saturating, -s_f / 12)
    torch.testing.assert_close(non_saturating, -(1 - s_f) / 12)

    lost = tensor([-20.0], requires_grad=True)
    assert torch.autograd.grad(Minimax().generator_loss(lost, lost), lost)[0].abs() < 1e-8
    assert torch.autograd.grad(NonSaturating().generator_loss(lost, lost), lost)[0].abs() > 0.99


def test_minimax_is_zero_sum_in_the_fakes():
    torch.testing.assert_close(
        Minimax().discriminator_loss(r, f) + Minimax().generator_loss(r, f), -s_r.log().mean(), msg="no fake left in it"
    )


def test_value_at_the_optimal_discriminator(laws, divergences):
    p, q = laws
    optimum = (p / q).log()
    assert torch.allclose(optimum.sigmoid(), p / (p + q))
    for loss in (Minimax(), NonSaturating()):
        value = -loss.discriminator_loss(*logits(optimum))
        assert float(value) == pytest.approx(-math.log(4) + 2 * divergences["js"], abs=1e-12)
        assert float(loss.estimate(*logits(optimum))["js"]) == pytest.approx(divergences["js"], abs=1e-12)


TELLING = [loss for loss in (*(kind() for kind in LOSSES), NonSaturating(smoothing=0.2)) if loss.log_ratio(r) is not None]


@pytest.mark.parametrize("loss", TELLING, ids=str)
def test_the_logits_of_an_optimal_discriminator_tell_the_ratio_of_the_densities(loss, laws):
    p, q = laws
    table = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([table], max_iter=200, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def closure():
        solver.zero_grad()
        value = loss.discriminator_loss(table.repeat_interleave(P), table.repeat_interleave(Q))
        value.backward()
        return value

    solver.step(closure)
    torch.testing.assert_close(loss.log_ratio(table.detach()), (p / q).log(), rtol=0, atol=1e-4)
    judged = loss.judgement(*logits(table.detach()))
    D = p / (p + q)
    torch.testing.assert_close(judged["D/real"], (p * D).sum(), rtol=0, atol=1e-4)
    torch.testing.assert_close(judged["D/fake"], (q * D).sum(), rtol=0, atol=1e-4)
    # 1 is as likely data as fake, and 0 is more likely data than fake, with 3 of 10 data and 1 of 10 fakes
    assert judged["accuracy/real"] >= 0.3
    assert judged["accuracy/fake"] >= 0.4


def test_the_judgement_counts_what_lies_on_the_right_side_and_leaves_the_graph_alone():
    real, fake = tensor([-1.0, 0.0, 2.0, 3.0], requires_grad=True), tensor([-2.0, -1.0, 0.0, 1.0], requires_grad=True)
    judged = Hinge().judgement(real, fake)
    assert {name: float(value) for name, value in judged.items()} == {
        "logit/real": 1.0,
        "logit/fake": -0.5,
        "accuracy/real": 0.5,
        "accuracy/fake": 0.5,
    }
    assert not any(value.requires_grad for value in NonSaturating().judgement(real, fake).values())
    assert set(Wasserstein().judgement(real, fake)) == {"logit/real", "logit/fake"}


@pytest.mark.parametrize("kind", [NonSaturating, Minimax])
def test_one_sided_smoothing_scales_the_optimum(kind, laws):
    """D* = (1 - e) p / (p + q) is where the slope in every outcome's logit vanishes; JS is bounded as before."""
    p, q = laws
    loss = kind(smoothing=0.1)
    best = (0.9 * p / (p + q)).logit().requires_grad_()
    (slope,) = torch.autograd.grad(loss.discriminator_loss(best.repeat_interleave(P), best.repeat_interleave(Q)), best)
    torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-12)
    torch.testing.assert_close(loss.estimate(r, f), kind().estimate(r, f))
    torch.testing.assert_close(loss.generator_loss(r, f), kind().generator_loss(r, f))
    assert kind(smoothing=0.0).discriminator_loss(r, f) == kind().discriminator_loss(r, f)
    target = torch.full_like(r, 0.9)
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits
    expected = cross_entropy(r, target) + cross_entropy(f, torch.zeros_like(f))
    torch.testing.assert_close(loss.discriminator_loss(r, f), expected)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_smoothing_out_of_range(smoothing):
    with pytest.raises(UserError, match=r"smoothing"):
        NonSaturating(smoothing=smoothing)


def test_hinge_bound_is_tight_at_the_optimal_sign(laws, divergences):
    p, q = laws
    assert float(Hinge().estimate(*logits((p - q).sign()))["tv"]) == pytest.approx(divergences["tv"], abs=1e-12)


def test_least_squares_bound_is_tight_at_its_optimum(laws, divergences):
    p, q = laws
    estimate = LeastSquares().estimate(*logits(p / (p + q)))["triangular"]
    assert float(estimate) == pytest.approx(divergences["triangular"], abs=1e-12)


@pytest.mark.parametrize("loss", [Minimax(), NonSaturating(), Hinge(), LeastSquares()])
def test_lower_bounds_hold_for_any_logits(loss, divergences):
    torch.manual_seed(0)
    for scale in (0.1, 1.0, 10.0):
        for table in scale * torch.randn(100, 4, dtype=torch.float64):
            for name, value in loss.estimate(*logits(table)).items():
                assert value < divergences[name]


@pytest.mark.parametrize(
    ("loss", "name", "table", "most"),
    [
        (Minimax(), "js", (40.0, -40.0), math.log(2)),
        (NonSaturating(), "js", (40.0, -40.0), math.log(2)),
        (Hinge(), "tv", (1.0, -1.0), 1.0),
        (LeastSquares(), "triangular", (1.0, 0.0), 2.0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_disjoint_supports_reach_the_largest_divergence(loss, name, table, most):
    disjoint = logits(table, tensor([5, 0]), tensor([0, 5]))
    assert float(loss.estimate(*disjoint)[name]) == pytest.approx(most, abs=1e-12)


@pytest.mark.parametrize(("loss", "table"), [(NonSaturating(), (0.0,)), (Hinge(), (0.3,)), (LeastSquares(), (0.5,))])
def test_equal_laws_are_at_distance_zero(loss, table):
    for value in loss.estimate(*logits(table, tensor([7]), tensor([7]))).values():
        assert float(value) == pytest.approx(0, abs=1e-12)


class TestWasserstein:
    def test_estimate_is_signed_and_ignores_constants(self):
        estimate = Wasserstein().estimate(r, f)["wasserstein"]
        assert estimate > 0
        torch.testing.assert_close(Wasserstein().estimate(f, r)["wasserstein"], -estimate)
        torch.testing.assert_close(Wasserstein().estimate(r + 5, f + 5)["wasserstein"], estimate)
        torch.testing.assert_close(Wasserstein().discriminator_loss(r, f), -estimate)

    @pytest.mark.parametrize("distance", [-2.0, 0.5, 3.0])
    def test_parallel_lines(self, distance):
        """The data at (0, y), the fakes at (d, y): the optimal critic falls with slope 1 towards the fakes, and W = |d|."""
        y = torch.rand(10)
        real, fake = torch.stack([0 * y, y], 1), torch.stack([0 * y + distance, y], 1)

        def critic(x):
            return -math.copysign(1, distance) * x[:, 0]

        assert float(Wasserstein().estimate(critic(real), critic(fake))["wasserstein"]) == pytest.approx(abs(distance))

    def test_shovelled_earth(self):
        """(3, 2, 1, 4) against (1, 2, 4, 3): five shovelfuls of ten; the dual's slopes are the CDFs' signs."""
        optimum = (0, -1, -2, -1)
        assert float(Wasserstein().estimate(*logits(optimum))["wasserstein"]) == pytest.approx(0.5)
        torch.manual_seed(0)
        for steps in torch.rand(200, 4) * 2 - 1:
            assert Wasserstein().estimate(*logits(steps.cumsum(0)))["wasserstein"] <= 0.5, "no 1-Lipschitz critic sees more"


class TestRelativistic:
    def test_antisymmetry(self):
        torch.testing.assert_close(Relativistic().generator_loss(r, f), Relativistic().discriminator_loss(f, r))
        difference = Relativistic().discriminator_loss(r, f) - Relativistic().generator_loss(r, f)
        torch.testing.assert_close(difference, (f - r).mean(), msg="softplus(t) - softplus(-t) = t")

    def test_sees_differences_alone(self):
        torch.testing.assert_close(Relativistic().discriminator_loss(r + 3, f + 3), Relativistic().discriminator_loss(r, f))
        assert float(Relativistic().discriminator_loss(r, r)) == pytest.approx(math.log(2))

    def test_pairs_are_not_crossed(self):
        swapped = Relativistic().discriminator_loss(r, f.flip(0))
        assert not torch.isclose(swapped, Relativistic().discriminator_loss(r, f))
