"""The identities of an energy-based GAN at its optimum."""

import pytest
import torch
from torch import tensor

from gan_cli.errors import UserError
from gan_cli.losses.ebgan import EBGAN
from gan_cli.metrics.points import discrete

P, Q = tensor([3, 2, 1, 4]), tensor([1, 2, 4, 3])
p, q = P.double() / 10, Q.double() / 10
tv = discrete.tv(p, q)


def logits(energies) -> tuple[torch.Tensor, torch.Tensor]:
    """-E of samples that follow p and q exactly, from one energy per outcome."""
    energies = torch.as_tensor(energies, dtype=torch.float64)
    return -energies.repeat_interleave(P), -energies.repeat_interleave(Q)


@pytest.mark.parametrize("m", [0.5, 1.0, 10.0])
def test_at_the_optimum(m):
    """E* = m [p < q]; where p = q anything within [0, m] will do."""
    for tie in (0.0, 0.3 * m, m):
        energies = torch.where(p < q, m, 0.0).where(p != q, tensor(tie, dtype=torch.float64))
        real, fake = logits(energies)
        loss = EBGAN(margin=m)
        assert float(loss.discriminator_loss(real, fake)) == pytest.approx(m * (1 - tv), abs=1e-12)
        assert float(loss.estimate(real, fake)["tv"]) == pytest.approx(tv, abs=1e-12)
        with_data = loss.generator_loss(real, fake) + real.mean()  # the paper's extra -E(x), without a gradient for G
        assert float(with_data) == pytest.approx(m * tv, abs=1e-12)
        if tie == 0:
            assert float(loss.generator_loss(real, fake)) == pytest.approx(m * float(q[p < q].sum()), abs=1e-12)


def test_no_energy_sees_more_than_tv():
    torch.manual_seed(0)
    for scale in (0.1, 1.0, 10.0):
        for energies in (scale * torch.randn(100, 4)).abs():
            assert EBGAN(margin=1.0).estimate(*logits(energies))["tv"] < tv


def test_beyond_the_margin_a_fake_is_left_alone():
    fake = tensor([-9.0, -11.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(EBGAN(margin=10.0).discriminator_loss(tensor([0.0]), fake), fake)
    torch.testing.assert_close(gradient, tensor([0.5, 0.0]))
    (pull,) = torch.autograd.grad(EBGAN(margin=10.0).generator_loss(fake[:0], fake), fake)
    torch.testing.assert_close(pull, tensor([-0.5, -0.5]), msg="the generator goes on")


def test_a_margin_is_above_zero():
    with pytest.raises(UserError, match="margin"):
        EBGAN(margin=0.0)
