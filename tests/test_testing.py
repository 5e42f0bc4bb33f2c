"""The checks for parts from outside accept the project's own parts and name what is wrong with others."""

from dataclasses import dataclass
from functools import partial

import pytest
import torch
from support import configs

from gan_cli import testing
from gan_cli.build import build_data
from gan_cli.losses import Hinge, Loss
from gan_cli.metrics import WassersteinDistance
from gan_cli.metrics.features import Identity
from gan_cli.models import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator
from gan_cli.parallel.share import need_whole_batch
from gan_cli.regularizers import R1, GradientPenalty, Regularizer, SpectralNorm, WeightClipping
from gan_cli.solvers import Alternating, Extragradient, Lookahead
from gan_cli.types import Batch


@pytest.mark.parametrize("regularizer", [R1(), GradientPenalty(), SpectralNorm(), WeightClipping()])
def test_regularizers(regularizer):
    testing.check_regularizer(regularizer)


@pytest.mark.parametrize("make", [Alternating, partial(Extragradient, past=True), partial(Lookahead, k=1)])
def test_solvers(make):
    testing.check_solver(make)


def test_networks():
    testing.check_network(MLPGenerator((2,), 0, 3, 8, 2), (2,))
    testing.check_network(MLPDiscriminator((2,), 0, 8, 2), (2,))
    testing.check_network(DCGANGenerator((1, 16, 16), 0, 5, 4), (1, 16, 16))
    testing.check_network(DCGANDiscriminator((1, 16, 16), 0, 4), (1, 16, 16))


def test_a_game_a_data_set_and_a_metric():
    testing.check_game(testing.points_gan(), Batch(torch.randn(8, 2)))
    data = build_data(configs.config("dataset=ring"))
    testing.check_dataset(data)
    testing.check_metric(WassersteinDistance(Identity(), n_samples=16), data)


@dataclass(frozen=True)
class Sum(Hinge):
    def generator_loss(self, real, fake):
        return -fake.sum()


@dataclass(frozen=True)
class Backwards(Hinge):
    def generator_loss(self, real, fake):
        return fake.mean()


@dataclass(frozen=True)
class Negative(Hinge):
    never_negative = True


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (Sum(), "generator_loss must be a mean over the batch"),
        (Backwards(), "must raise the logits of the fakes"),
        (Negative(), "never_negative is True"),
    ],
)
def test_what_is_wrong_with_a_loss_is_named(loss: Loss, message):
    with pytest.raises(AssertionError, match=message):
        testing.check_loss(loss)


class Vector(Regularizer):
    def penalty(self, network, critic, judged):
        return judged.real.mean(1)


class Undeclared(Regularizer):
    def penalty(self, network, critic, judged):
        return (critic(judged.real) * torch.rand(len(judged.real))).mean()


class Spread(Regularizer):
    def penalty(self, network, critic, judged):
        return critic(judged.real).var()


class DeclaredSpread(Spread):
    def penalty(self, network, critic, judged):
        need_whole_batch("the spread is that of a batch")
        return super().penalty(network, critic, judged)


def test_what_a_divided_batch_would_change_is_named():
    with pytest.raises(
        AssertionError, match=r"turn 'discriminator': .* other functions than those of gan_cli\.parallel\.draws"
    ):
        testing.check_regularizer(Undeclared())
    with pytest.raises(AssertionError, match="the loss of turn 'discriminator' is no mean over samples"):
        testing.check_regularizer(Spread())
    testing.check_regularizer(DeclaredSpread())


def test_what_is_wrong_with_other_parts_is_named():
    with pytest.raises(AssertionError, match=r"Vector\.penalty returned a tensor of shape \(8,\)"):
        testing.check_regularizer(Vector())
    with pytest.raises(AssertionError, match=r"must return logits, batch first"):
        testing.check_network(Flat(), (2,))


class Flat(MLPDiscriminator):
    def __init__(self):
        super().__init__((2,), 0, 8, 2)

    def forward(self, x, y=None):
        return super().forward(x, y).mean()[None]
