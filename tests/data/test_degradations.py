"""Degradations of images."""

import pytest
import torch
from torch import Tensor

from gan_cli.data.translation.degradations import MAX_GRADIENT, Grey, Hole, Shrink, Sobel, grey, sobel
from gan_cli.errors import UserError


def noise(channels: int = 3) -> Tensor:
    return 2 * torch.rand(4, channels, 16, 16, generator=torch.Generator().manual_seed(0)) - 1


@pytest.mark.parametrize("value", [-1.0, 0.3, 1.0])
def test_sobel_of_a_constant_is_0(value):
    x = torch.full((2, 3, 8, 8), value)
    assert sobel(x).abs().max() < 1e-6
    for threshold in (None, 0.1):
        assert torch.allclose(Sobel(threshold)(x), torch.tensor(-1.0), atol=1e-5)


def test_sobel_of_a_ramp_is_its_slope():
    x = torch.linspace(-1, 1, 9).expand(1, 1, 9, 9)
    inside = sobel(x)[..., 1:-1]
    assert torch.allclose(inside, torch.tensor(8 * 0.25 / MAX_GRADIENT)), "8 times the slope of 1/4 a pixel"
    assert torch.equal(sobel(x).mT, sobel(x.mT)), "in any direction"


def test_the_steepest_edge_has_strength_1():
    x = torch.zeros(1, 1, 3, 3)
    x[0, 0] = torch.tensor([[-1.0, -1, 1], [-1, 0, 1], [-1, 1, 1]])  # sign(2 x + y)
    assert sobel(x)[0, 0, 1, 1] == pytest.approx(1)
    assert sobel(noise()).max() <= 1


def test_a_threshold_makes_black_and_white_edges():
    x = noise()
    edges = Sobel(0.3)(x)
    assert set(edges.unique().tolist()) == {-1.0, 1.0}
    assert torch.equal(edges > 0, sobel(x) > 0.3)
    assert torch.equal(Sobel(None)(x), 2 * sobel(x) - 1)


@pytest.mark.parametrize(("share", "side"), [(0.5, 8), (0.25, 4), (1.0, 16), (0.01, 1)])
def test_a_hole_is_grey_and_the_rest_stays(share, side):
    x = noise()
    y = Hole(share)(x)
    changed = (y != x).any(dim=1)
    assert changed.sum().item() == 4 * side**2
    assert (y[:, :, changed[0]] == 0).all()
    rows, columns = torch.nonzero(changed[0]).T
    assert {rows.min().item(), columns.min().item()} == {(16 - side) // 2}


def test_shrinking_keeps_means_and_constants():
    x = noise()
    y = Shrink(4)(x)
    assert y.shape == x.shape
    assert torch.allclose(Shrink(4)(torch.full_like(x, 0.3)), torch.tensor(0.3))
    assert y.var() < x.var() / 8
    with pytest.raises(UserError, match=r"factor=5 does not divide dataset\.size=16"):
        Shrink(5)(x)


def test_grey_is_luma():
    assert torch.allclose(grey(torch.full((1, 3, 2, 2), 0.7)), torch.tensor(0.7))
    red = torch.tensor([1.0, 0, 0])[None, :, None, None]
    assert Grey()(red).item() == pytest.approx(0.299)
    x = noise(1)
    assert grey(x) is x


@pytest.mark.parametrize(
    "make",
    [lambda: Sobel(0.0), lambda: Sobel("no"), lambda: Sobel(1.0), lambda: Hole(0.0), lambda: Hole(1.5), lambda: Shrink(1)],
)
def test_arguments_out_of_range(make):
    with pytest.raises(UserError, match=r"^(threshold|share|factor)="):
        make()
