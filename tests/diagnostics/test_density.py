"""The density that a discriminator implies equals the data's where the discriminator is optimal."""

import pytest
import torch
from support import configs
from torch import nn

from gan_cli.build import build
from gan_cli.data.base import Data
from gan_cli.data.points.toy import Points
from gan_cli.diagnostics.density import ImpliedDensity
from gan_cli.errors import UserError
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.losses.f_gan import KL
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.models.base import Discriminator, Generator

CPU = torch.device("cpu")


class Identity(Generator):
    """G(z) = z."""

    def __init__(self, d: int):
        super().__init__()
        self.latent_dim, self.scale = d, nn.Parameter(torch.ones(()))

    def forward(self, z, y=None):
        return self.scale * z


class Optimal(Discriminator):
    """log p / q + offset for data N(1, I) and fakes N(0, I), or 0."""

    def __init__(self, offset: float, informed: bool = True):
        super().__init__()
        self.offset, self.informed = nn.Parameter(torch.tensor(offset)), informed

    def forward(self, x, y=None):
        return self.offset + (x.sum(1) - x.shape[1] / 2) * self.informed


def diagnosed(d: int, discriminator, loss):
    torch.manual_seed(0)
    data = Data(*(Points(1 + torch.randn(20_000, d)) for _ in range(2)))
    game = GAN(Identity(d), discriminator, Objective(loss))
    return ImpliedDensity(batch_size=20_000, bins=12).diagnose(game, data, 0)


@pytest.mark.parametrize(
    ("loss", "offset", "d"),
    [
        (NonSaturating(), 0.0, 1),
        (KL(), 1.0, 2),
        pytest.param(NonSaturating(), 0.0, 2, marks=pytest.mark.long),
        pytest.param(KL(), 1.0, 1, marks=pytest.mark.long),
    ],
)
@pytest.mark.slow
def test_an_optimal_discriminator_implies_the_density_of_the_data(d, loss, offset):
    report = diagnosed(d, Optimal(offset), loss)
    assert report.values["density/tv"].value < 0.1
    assert report.values["density/tv_generator"].value > 0.3
    mass = report.values["density/mass"]
    assert abs(mass.value - 1) < 5 * mass.error
    assert report.pictures["density"].ndim == 3


def test_a_discriminator_that_knows_nothing_implies_the_density_of_the_generator():
    values = diagnosed(1, Optimal(0.0, informed=False), NonSaturating()).values
    assert values["density/tv"].value == pytest.approx(values["density/tv_generator"].value, rel=1e-6)
    assert values["density/mass"].value == 1


def test_a_loss_whose_logits_do_not_tell_the_ratio_is_refused():
    with pytest.raises(UserError, match=r"logits of this loss do not tell p / q"):
        diagnosed(1, Optimal(0.0), Wasserstein())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "points on the line or in the plane"),
        ("game=cgan dataset=ring model=cgan_mlp", "samples alone"),
        ("game=gmmn dataset=ring", "samples alone"),
    ],
)
def test_other_games_and_data_are_refused(words, said):
    parts = build(configs.config(words), CPU)
    with pytest.raises(UserError, match=said):
        ImpliedDensity(100).diagnose(parts.game, parts.data, 0)
