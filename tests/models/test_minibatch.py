"""Minibatch layers: standard deviation and discrimination."""

import pytest
import torch
from torch import nn

from gan_cli.errors import UserError
from gan_cli.models.dcgan import DCGANDiscriminator
from gan_cli.models.minibatch import MinibatchDiscrimination, MinibatchStd
from gan_cli.models.mlp import MLPDiscriminator


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_identical_samples_have_no_standard_deviation():
    x = torch.randn(1, 3, 4, 4).expand(6, -1, -1, -1)
    out = MinibatchStd()(x)
    assert out.shape == (6, 4, 4, 4)
    assert torch.equal(out[:, :3], x)
    torch.testing.assert_close(out[:, 3], torch.zeros(6, 4, 4), rtol=0, atol=1e-9)


def test_minibatch_std_is_the_mean_deviation_and_differentiable_at_zero():
    x = torch.randn(50, 7)
    statistic = MinibatchStd().statistic(x)
    torch.testing.assert_close(statistic, x.std(0, unbiased=False).mean().expand(50, 1), rtol=1e-3, atol=0)
    x = torch.zeros(4, 7, requires_grad=True)
    (gradient,) = torch.autograd.grad(MinibatchStd().statistic(x).sum(), x)
    assert gradient.isfinite().all()


def test_minibatch_discrimination_formula():
    layer = MinibatchDiscrimination(3, kernels=5, dims=2)
    torch.testing.assert_close(layer.statistic(torch.randn(1, 3).expand(6, -1)), torch.full((6, 5), 5.0))
    assert layer.statistic(1e4 * torch.randn(6, 3)).abs().max() < 1e-6
    x = torch.randn(4, 3)
    M = (x @ layer.T).reshape(4, 5, 2)
    by_hand = sum((-(M[1] - M[j]).abs().sum(1)).exp() for j in (0, 2, 3))
    torch.testing.assert_close(layer.statistic(x)[1], by_hand)


@pytest.mark.parametrize("make", [MinibatchStd, lambda: MinibatchDiscrimination(3, 5, 2)])
def test_in_eval_mode_samples_are_independent(make):
    layer = make()
    for _ in range(100):
        layer(torch.randn(32, 3))
    typical = torch.stack([layer.statistic(torch.randn(32, 3)).mean(0) for _ in range(100)]).mean(0)
    layer.eval()
    x = torch.randn(9, 3)
    torch.testing.assert_close(layer(x)[:1], layer(x[:1]))
    torch.testing.assert_close(layer(x)[0, 3:], typical, rtol=0.3, atol=0)


@pytest.mark.parametrize(
    "options",
    [{"minibatch_std": True}, {"minibatch_kernels": 4, "minibatch_dims": 3}, {"minibatch_std": True, "minibatch_kernels": 4}],
)
@pytest.mark.parametrize(
    "make", [lambda **k: DCGANDiscriminator((1, 8, 8), 0, 4, **k), lambda **k: MLPDiscriminator((1, 8, 8), 0, 8, 3, **k)]
)
def test_in_the_discriminators(make, options):
    D = make(**options)
    x = torch.randn(6, 1, 8, 8)
    assert D(x).shape == (6,)
    alone = D(x[:1].expand(6, -1, -1, -1))
    together = D(torch.cat([x[:1], x[1:]]))
    assert not torch.isclose(alone[0], together[0]), "the logit depends on the other samples"
    with torch.no_grad():
        D.eval()
        torch.testing.assert_close(D(x)[:1], D(x[:1]))


def test_default_discriminator_has_no_minibatch_layers():
    torch.manual_seed(1)
    plain = MLPDiscriminator((2,), 0, 8, 3)
    assert [type(layer) for layer in plain.body] == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    assert not list(plain.buffers())


@pytest.mark.parametrize("wrong", [{"minibatch_std": 1}, {"minibatch_kernels": -1}, {"minibatch_dims": 0}])
def test_invalid_arguments(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        MLPDiscriminator((2,), 0, 8, 3, **wrong)
