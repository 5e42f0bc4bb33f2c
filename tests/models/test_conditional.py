"""Conditional players: the wrapped network gets the labels and nothing else."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import one_hot

from gan_cli.errors import UserError
from gan_cli.models.base import Discriminator, Generator, require_features
from gan_cli.models.conditional import LabelEncoding, LabelledDiscriminator, LabelledGenerator, ProjectionDiscriminator
from gan_cli.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_cli.models.mlp import MLPDiscriminator, MLPGenerator
from gan_cli.models.resnet import ResNetDiscriminator

pytestmark = pytest.mark.slow

IMAGE, POINT, K = (1, 8, 8), (2,), 3
INNER = {
    IMAGE: (partial(DCGANGenerator, width=4), partial(DCGANDiscriminator, width=4)),
    POINT: (partial(MLPGenerator, width=8, depth=2), partial(MLPDiscriminator, width=8, depth=2)),
}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class Echo(Generator, Discriminator):
    """Returns its input."""

    def __init__(self, shape, classes, latent_dim=None):
        super().__init__()
        self.shape, self.classes, self.latent_dim = shape, classes, latent_dim

    def forward(self, x, y=None):
        return x


@pytest.mark.parametrize("shape", [IMAGE, POINT])
@pytest.mark.parametrize("dim", [None, 5])
def test_shapes(shape, dim):
    make_generator, make_discriminator = INNER[shape]
    y = torch.tensor([0, 2, 1, 1])
    generator = LabelledGenerator(shape, K, 7, dim, make_generator)
    x = generator(torch.randn(4, generator.latent_dim), y)
    assert x.shape == (4, *shape)
    players = [LabelledDiscriminator(shape, K, dim, make_discriminator), ProjectionDiscriminator(shape, K, make_discriminator)]
    for player in players:
        assert player(x, y).shape == (4,)
        assert player.conditional
    assert generator.conditional
    assert not make_generator(shape=shape, classes=K, latent_dim=2).conditional


def test_wrapped_generator_gets_z_and_the_label():
    z, y = torch.randn(4, 7), torch.tensor([0, 2, 1, 1])
    generator = LabelledGenerator(POINT, K, 7, None, Echo)
    assert (generator.latent_dim, generator.inner.latent_dim) == (7, 10)
    assert torch.equal(generator(z, y), torch.cat([z, one_hot(y, K)], 1))
    embedded = LabelledGenerator(POINT, K, 7, 5, Echo)
    assert torch.equal(embedded(z, y), torch.cat([z, embedded.labels.table[y]], 1))
    assert embedded.labels.table.requires_grad


def test_wrapped_discriminator_gets_x_and_constant_planes():
    x, y = torch.randn(2, *IMAGE), torch.tensor([2, 0])
    discriminator = LabelledDiscriminator(IMAGE, K, None, Echo)
    assert discriminator.inner.shape == (1 + K, 8, 8)
    seen = discriminator(x, y)
    assert torch.equal(seen[:, :1], x)
    assert torch.equal(seen[:, 1:], one_hot(y, K).float()[:, :, None, None].expand(-1, -1, 8, 8))
    points = LabelledDiscriminator(POINT, K, None, Echo)(torch.ones(2, 2), y)
    assert torch.equal(points, torch.tensor([[1.0, 1, 0, 0, 1], [1, 1, 1, 0, 0]]))


def test_one_hot_table_is_neither_a_parameter_nor_saved():
    labels = LabelEncoding(K, None)
    assert list(labels.parameters()) == []
    assert list(labels.state_dict()) == []
    assert torch.equal(labels(torch.tensor([1])), torch.tensor([[0.0, 1, 0]]))


@pytest.mark.parametrize("shape", [IMAGE, POINT])
def test_projection_is_the_inner_logit_plus_an_inner_product(shape):
    discriminator = ProjectionDiscriminator(shape, K, INNER[shape][1]).eval()
    x, y = torch.randn(4, *shape), torch.tensor([0, 2, 1, 1])
    phi, v = discriminator.inner.features(x), discriminator.v.weight
    expected = discriminator.inner(x) + torch.einsum("bd,bd->b", v[y], phi)
    torch.testing.assert_close(discriminator(x, y), expected)
    nn.init.zeros_(v)
    assert torch.equal(discriminator(x, y), discriminator.inner(x))


def test_projection_is_the_optimal_logit_of_classes_with_equal_variance():
    """p(x, y) against q(x) / K, p(x|y) = N(m_y, 1), q = N(0, 1): log p / q = m_y x - m_y^2 / 2, linear in phi = (x, 1)."""
    discriminator = ProjectionDiscriminator((2,), K, partial(MLPDiscriminator, width=1, depth=1))
    m = torch.tensor([-2.0, 0.5, 1.0])
    with torch.no_grad():
        discriminator.inner.body[0].weight.zero_()
        discriminator.inner.body[0].bias.zero_()
        discriminator.v.weight.copy_(torch.stack([m, -(m**2) / 2], 1))
    x, y = torch.randn(6), torch.arange(6) % K
    normal = torch.distributions.Normal
    expected = normal(m[y], 1.0).log_prob(x) - normal(0.0, 1.0).log_prob(x)
    torch.testing.assert_close(discriminator(torch.stack([x, torch.ones(6)], 1), y), expected)


@pytest.mark.parametrize("player", [MLPDiscriminator((2,), 0, 8, 3), MLPDiscriminator((2,), 0, 8, 1)])
def test_mlp_logits_are_the_last_layer_of_its_features(player):
    x = torch.randn(5, 2)
    assert player.features(x).shape == (5, player.feature_dim)
    assert torch.equal(player(x), player.body(x).squeeze(1))


def test_dcgan_logits_are_the_last_layer_of_its_features():
    player = DCGANDiscriminator((1, 16, 16), 0, 4).eval()
    x = torch.randn(5, 1, 16, 16)
    assert player.features(x).shape == (5, player.feature_dim)
    assert torch.equal(player(x), player.body(x).flatten())


@pytest.mark.parametrize("pool", ["sum", "mean", "flatten"])
def test_resnet_logits_are_the_last_layer_of_its_features(pool):
    fields = {"growth": 1, "max_multiple": 1, "last_side": 4, "blocks": 1, "stem": 0, "batch_norm": False}
    player = ResNetDiscriminator((1, 16, 16), 0, width=4, pool=pool, **fields)
    x = torch.randn(5, 1, 16, 16)
    phi = player.features(x)
    assert phi.shape == (5, player.feature_dim)
    torch.testing.assert_close(player(x), phi @ player.head.weight[0] + player.head.bias)
    projection = ProjectionDiscriminator((1, 16, 16), K, partial(ResNetDiscriminator, width=4, pool=pool, **fields))
    assert projection(x, torch.arange(5) % K).shape == (5,)


def test_data_without_classes():
    makes = [
        lambda: LabelledGenerator(POINT, 0, 7, None, INNER[POINT][0]),
        lambda: LabelledDiscriminator(POINT, 0, None, INNER[POINT][1]),
        lambda: ProjectionDiscriminator(POINT, 0, INNER[POINT][1]),
    ]
    for make in makes:
        with pytest.raises(UserError, match="needs labels, but this data set has no classes") as caught:
            make()
        assert str(caught.value).count("\n") == 1


def test_no_labels():
    with pytest.raises(UserError, match="conditional, but some or all samples"):
        LabelledGenerator(POINT, K, 7, None, INNER[POINT][0])(torch.randn(2, 7))


def test_projection_needs_a_discriminator_with_features():
    message = "discriminator=projection adds a head to the discriminator's features, but Echo does not expose any"
    with pytest.raises(UserError, match=message):
        ProjectionDiscriminator(POINT, K, Echo)
    assert require_features(player := MLPDiscriminator((2,), 0, 8, 3), "x") is player
