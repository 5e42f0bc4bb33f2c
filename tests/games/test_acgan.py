"""AC-GAN: who moves the classifier, what it costs whom."""

from functools import partial

import pytest
import torch
from torch.nn.functional import cross_entropy

from gan_cli.errors import UserError
from gan_cli.games.acgan import ACGAN
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.losses.hinge import Hinge
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.losses.relativistic import Relativistic
from gan_cli.models.conditional import LabelledDiscriminator, LabelledGenerator
from gan_cli.models.mlp import MLPDiscriminator, MLPGenerator
from gan_cli.regularizers.r1 import R1
from gan_cli.types import Batch

K = 3


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class HalfLabelled(GAN):
    """A GAN whose generator alone looks at labels, which GAN itself refuses."""

    @classmethod
    def check_labels(cls, generator, discriminator):
        """Accept all players."""


def game(loss=None, weight=1.0, regularizers=None):
    generator = LabelledGenerator((2,), K, 4, None, partial(MLPGenerator, width=8, depth=2))
    return ACGAN(generator, MLPDiscriminator((2,), K, 8, 3), Objective(loss or NonSaturating(), regularizers or {}), K, weight)


def batch(n=12):
    return Batch(torch.randn(n, 2), torch.arange(n) % K)


def loss_of(game, player, batch):
    torch.manual_seed(1)
    return game.turns()[player].loss(batch)[0]


@pytest.mark.parametrize("loss", [NonSaturating(), Hinge(), Relativistic()])
@pytest.mark.parametrize("regularizers", [None, {"r1": R1(weight=2.0)}])
def test_without_weight_it_is_the_gan(loss, regularizers):
    acgan, data = game(loss, 0.0, regularizers), batch()
    gan = HalfLabelled(acgan.generator, acgan.discriminator, acgan.objective)
    for player in ("discriminator", "generator"):
        torch.testing.assert_close(loss_of(acgan, player, data), loss_of(gan, player, data))


def test_the_weight_is_that_of_the_classification():
    data, w = batch(), 0.7
    one, none = game(weight=w), game(weight=0.0)
    none.load_state_dict(one.state_dict())
    torch.manual_seed(1)
    fake = one.sample(one.latents(len(data.x)), data.y)
    said = [cross_entropy(one.classifier(one.discriminator.features(x)), data.y) for x in (data.x, fake)]
    difference = loss_of(one, "discriminator", data) - loss_of(none, "discriminator", data)
    torch.testing.assert_close(difference, w * (said[0] + said[1]))
    torch.testing.assert_close(loss_of(one, "generator", data) - loss_of(none, "generator", data), w * said[1])


def test_the_classifier_moves_with_the_discriminator_alone():
    one = game()
    turns = one.turns()
    head = {id(p) for p in one.classifier.parameters()}
    assert head <= {id(p) for p in turns["discriminator"].parameters}
    assert not head & {id(p) for p in turns["generator"].parameters}
    assert sum(len(turn.parameters) for turn in turns.values()) == len(list(one.parameters()))


def test_a_head_that_knows_nothing_costs_log_K():
    one = game()
    torch.nn.init.zeros_(one.classifier.weight)
    torch.nn.init.zeros_(one.classifier.bias)
    _, stats = one.turns()["discriminator"].loss(batch())
    for name in ("classifier/real", "classifier/fake"):
        torch.testing.assert_close(stats[name], torch.tensor(float(K)).log())


def test_what_it_cannot_be_built_of():
    plain, judge = MLPGenerator((2,), K, 4, 8, 2), MLPDiscriminator((2,), K, 8, 3)
    with pytest.raises(UserError, match="needs a generator that takes labels"):
        ACGAN(plain, judge, Objective(NonSaturating()), K)
    with pytest.raises(UserError, match="no classes"):
        ACGAN(plain, judge, Objective(NonSaturating()), 0)
    told = LabelledDiscriminator((2,), K, None, partial(MLPDiscriminator, width=8, depth=3))
    with pytest.raises(UserError, match="LabelledDiscriminator does not expose any"):
        ACGAN(game().generator, told, Objective(NonSaturating()), K)
