"""Lengths of paths: those of a linear generator are known."""

import pytest
import torch
from support import configs
from torch import nn

from gan_cli.build import build
from gan_cli.diagnostics.path_length import PathLength, path_lengths
from gan_cli.errors import UserError
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.models.base import Discriminator, Generator
from gan_cli.randomness import fork_rng

CPU = torch.device("cpu")


class Linear(Generator):
    """G(z) = scale · z."""

    def __init__(self, d: int, scale: float):
        super().__init__()
        self.latent_dim, self.scale = d, nn.Parameter(torch.tensor(scale))

    def forward(self, z, y=None):
        return self.scale * z if y is None else self.scale * z + y[:, None]


class Any(Discriminator):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x, y=None):
        return self.weight * x.sum(1)


def game(scale=3.0, d=4):
    return GAN(Linear(d, scale), Any(), Objective(NonSaturating()))


def ends(played, n, seed):
    with fork_rng(seed, played.device):
        return played.latents(n), played.latents(n)


@pytest.mark.parametrize("labels", [None, torch.arange(20)])
def test_a_linear_generator_of_uniform_latents_has_the_length_of_its_paths(labels):
    """The path is a straight line, and the label is the same at both ends of a step."""
    played = game()
    played.set_latent("uniform")
    a, b = ends(played, 20, 5)
    found = path_lengths(played, lambda x: x, 20, 0.01, 5, labels)
    assert found.tolist() == pytest.approx((9 * (b - a).square().sum(1)).tolist(), rel=1e-3)


def test_a_spherical_path_has_the_length_of_its_arc():
    """Between latents of unit length at the angle ω the speed is ω."""
    played = game()
    a, b = (z / z.norm(dim=1, keepdim=True) for z in ends(played, 20, 5))
    given = iter([a, b])
    played.latents = lambda n: next(given)
    omega = (a * b).sum(1).acos()
    found = path_lengths(played, lambda x: x, 20, 0.01, 5)
    assert found.tolist() == pytest.approx((9 * omega.square()).tolist(), rel=1e-3)


@pytest.mark.slow
def test_the_report_of_a_generator_of_images():
    cfg = configs.config("dataset=fashion_mnist_mini game=cgan")
    parts = build(cfg, CPU)
    diagnostics = PathLength(batch_size=12, resolution=32)
    report = diagnostics.diagnose(parts.game, parts.data, 0)
    value = report.values["path_length/efficientnet_lite0"]
    assert value.value > 0 < value.error
    assert diagnostics.diagnose(parts.game, parts.data, 0).values == report.values
    larger = PathLength(batch_size=12, resolution=32, epsilon=1e-3).diagnose(parts.game, parts.data, 0)
    assert larger.values["path_length/efficientnet_lite0"].value == pytest.approx(value.value, rel=0.1)


@pytest.mark.slow
def test_what_is_no_image_from_a_latent_is_refused():
    for words in ("dataset=ring", "dataset=shirts2inverted game=cyclegan"):
        parts = build(configs.config(words), CPU)
        with pytest.raises(UserError, match="is for grey or colour images that are generated from latents"):
            PathLength().diagnose(parts.game, parts.data, 0)


@pytest.mark.parametrize(("field", "value"), [("batch_size", 1), ("epsilon", 0), ("resolution", 0)])
def test_impossible_settings_are_refused(field, value):
    with pytest.raises(UserError, match=f"{field}={value}"):
        PathLength(**{field: value})
