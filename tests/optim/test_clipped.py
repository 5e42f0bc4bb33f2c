"""Optimizers on clipped gradients: what they are below the bound and above it."""

import pytest
import torch
from torch import nn

from gan_cli.optim.clipped import ClippedAdam, ClippedSGD


def stepped(gradients, kind, **options):
    parameters = [nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    kind(parameters, lr=0.1, **options).step()
    return torch.cat([parameter.detach() for parameter in parameters])


def test_small_gradients_are_left_alone():
    gradients = [torch.tensor([0.3, 0.0]), torch.tensor([0.0, 0.4, 0.0])]
    options = {"momentum": 0.9, "weight_decay": 0.1}
    assert torch.equal(stepped(gradients, ClippedSGD, max_norm=0.6, **options), stepped(gradients, torch.optim.SGD, **options))


def test_large_gradients_keep_their_direction():
    gradients = [torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0, 0.0])]
    step = 1 - stepped(gradients, ClippedSGD, max_norm=2.0)
    torch.testing.assert_close(step, 0.1 * torch.cat(gradients) * 2 / 5, rtol=1e-4, atol=1e-6)


def test_adam_on_clipped_gradients_is_adam_on_shorter_ones():
    gradients = [torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0, 0.0])]
    shorter = [gradient * 2 / 5 for gradient in gradients]
    options = {"betas": (0.5, 0.9), "weight_decay": 0.1}
    plain = stepped(shorter, torch.optim.Adam, **options)
    torch.testing.assert_close(stepped(gradients, ClippedAdam, max_norm=2.0, **options), plain)
    assert torch.equal(stepped(shorter, ClippedAdam, max_norm=9.0, **options), plain)


def test_it_still_clips_once_its_state_was_loaded():
    gradients = [torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0, 0.0])]
    parameters = [nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))]
    optimizer = ClippedSGD(parameters, lr=0.1, max_norm=2.0)
    optimizer.load_state_dict(optimizer.state_dict())
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    optimizer.step()
    assert torch.equal(torch.cat([p.detach() for p in parameters]), stepped(gradients, ClippedSGD, max_norm=2.0))


@pytest.mark.parametrize("kind", [ClippedSGD, ClippedAdam])
def test_a_bound_that_is_none(kind):
    with pytest.raises(ValueError, match="max_norm=0"):
        kind([nn.Parameter(torch.ones(1))], lr=0.1, max_norm=0)
