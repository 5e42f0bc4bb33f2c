"""Optimism as a wrapper: its course on a given sequence of gradients, and that nothing of the inner optimizer is lost."""

import io
from copy import deepcopy

import pytest
import torch
from torch import nn, tensor

from gan_cli.optim.optimistic import Optimistic

INNER = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.5, 0.9)),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.3),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.1),
}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def parameters():
    return [nn.Parameter(torch.linspace(-1, 1, n, dtype=torch.float64)) for n in (1, 3)]


def gradients(step):
    return [torch.sin(torch.arange(n, dtype=torch.float64) + step) for n in (1, 3)]


def play(optimizer, moved, steps):
    for step in steps:
        for parameter, gradient in zip(moved, gradients(step), strict=True):
            parameter.grad = gradient
        optimizer.step()
    return [parameter.detach().clone() for parameter in moved]


def test_sgd_by_hand():
    w = nn.Parameter(tensor([1.0], dtype=torch.float64))
    optimizer, seen = Optimistic(torch.optim.SGD([w], lr=0.1)), []
    for gradient in (1.0, 2.0, -3.0):
        w.grad = tensor([gradient], dtype=torch.float64)
        optimizer.step()
        seen.append(w.item())
    assert seen == pytest.approx([1 - 0.1, 0.9 - 0.4 + 0.1, 0.6 + 0.6 + 0.2])


@pytest.mark.parametrize("inner", ["sgd", "adam", "rmsprop"])
def test_corrections_telescope(inner):
    """T steps that do not depend on the weights end at w_T + u_T - u_1: each correction is counted once."""
    plain, moved = parameters(), parameters()
    ends = play(INNER[inner](plain), plain, range(7))
    optimizer = Optimistic(INNER[inner](moved))
    found = play(optimizer, moved, range(7))
    again = parameters()
    steps = INNER[inner](again)
    course = [[p.detach().clone() for p in again]] + [play(steps, again, [step]) for step in range(7)]
    for i, (end, value) in enumerate(zip(ends, found, strict=True)):
        first, last = course[1][i] - course[0][i], course[-1][i] - course[-2][i]
        torch.testing.assert_close(value, end + last - first)


def test_decoupled_weight_decay_is_a_part_of_the_step():
    """Without gradients AdamW only decays: w' = w + 2 u - u_last with u = -eta lambda w."""
    w = nn.Parameter(tensor([2.0], dtype=torch.float64))
    w.grad = torch.zeros_like(w)
    optimizer = Optimistic(torch.optim.AdamW([w], lr=0.1, weight_decay=0.5))
    expected, last = 2.0, None
    for _ in range(5):
        optimizer.step()
        u = -0.05 * expected
        expected, last = expected + 2 * u - (u if last is None else last), u
        assert w.item() == pytest.approx(expected)


@pytest.mark.parametrize("inner", INNER)
def test_state_round_trips_to_the_bit(inner):
    whole, parts = parameters(), parameters()
    end = play(Optimistic(INNER[inner](whole)), whole, range(8))
    first = Optimistic(INNER[inner](parts))
    play(first, parts, range(5))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = Optimistic(INNER[inner](parts))
    second.param_groups[0]["lr"] = 17.0
    second.load_state_dict(torch.load(file, weights_only=True))
    assert all(torch.equal(a, b) for a, b in zip(end, play(second, parts, range(5, 8)), strict=True))


def test_state_before_the_first_step():
    whole, parts = parameters(), parameters()
    optimizer = Optimistic(INNER["adam"](parts))
    optimizer.load_state_dict(Optimistic(INNER["adam"](parameters())).state_dict())
    expected = play(Optimistic(INNER["adam"](whole)), whole, range(3))
    assert all(torch.equal(a, b) for a, b in zip(expected, play(optimizer, parts, range(3)), strict=True))


@pytest.mark.parametrize("loaded", [False, True])
def test_rates_are_set_where_they_act(loaded):
    moved = parameters()
    optimizer = Optimistic(INNER["sgd"](moved))
    if loaded:
        optimizer.load_state_dict(deepcopy(optimizer.state_dict()))
    optimizer.param_groups[0]["lr"] = 0.0
    assert all(torch.equal(a, b) for a, b in zip(parameters(), play(optimizer, moved, range(3)), strict=True))
    optimizer.param_groups[0]["lr"] = 0.2
    before = moved[1].detach().clone()
    play(optimizer, moved, [0])
    torch.testing.assert_close(moved[1].detach(), before - 0.4 * gradients(0)[1])


def test_a_copy_goes_on_alone():
    moved = parameters()
    optimizer = Optimistic(INNER["adam"](moved))
    play(optimizer, moved, range(3))
    copy, copied = deepcopy((optimizer, moved))
    expected = play(copy, copied, range(3, 6))
    assert not torch.equal(moved[1], copied[1])
    assert all(torch.equal(a, b) for a, b in zip(expected, play(optimizer, moved, range(3, 6)), strict=True))


def test_parameters_without_a_gradient_stay():
    used, idle = parameters()
    optimizer = Optimistic(torch.optim.Adam([used, idle], lr=0.1))
    before = idle.detach().clone()
    for _ in range(3):
        used.grad = torch.ones_like(used)
        optimizer.step()
    assert torch.equal(idle, before)
