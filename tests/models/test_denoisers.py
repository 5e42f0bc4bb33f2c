"""Networks that predict the noise of diffusion models."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gan_cli.errors import UserError
from gan_cli.models.mlp import MLPDenoiser
from gan_cli.models.time_embedding import TimeEmbedding, sinusoidal_features
from gan_cli.models.unet import AttentionBlock, UNet, group_norm

SIZES = (8, 16, 32, 64, 128, 256)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def unet(shape=(1, 8, 8), classes=0, **fields):
    small = {"width": 8, "multiples": [1, 2], "blocks": 1, "attention": [4], "dropout": 0.0, "patch": 1, "conditional": False}
    return UNet(shape, classes, **{**small, **fields})


def mlp(shape=(2,), classes=0, width=16, depth=3, conditional=False):
    return MLPDenoiser(shape, classes, width, depth, conditional)


def without_zeros(network):
    """Replace the initial zeros of the network's convolutions."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0, 0.2)
    return network


def test_the_published_network():
    """35.7 million parameters for CIFAR-10, with attention at 16x16 and in the middle (Ho et al., 2020, appendix B)."""
    with torch.device("meta"):
        network = unet((3, 32, 32), width=128, multiples=[1, 2, 2, 2], blocks=2, attention=[16], dropout=0.1)
    assert sum(parameter.numel() for parameter in network.parameters()) == 35_746_307
    assert sum(isinstance(module, AttentionBlock) for module in network.modules()) == 2 + 1 + 3
    assert {module.num_groups for module in network.modules() if isinstance(module, nn.GroupNorm)} == {32}
    assert {module.p for module in network.modules() if isinstance(module, nn.Dropout)} == {0.1}


@pytest.mark.parametrize("size", [size if size in (8, 256) else pytest.param(size, marks=pytest.mark.long) for size in SIZES])
@pytest.mark.parametrize(
    "fields", [{}, {"multiples": [1, 2, 2, 2], "attention": [2, 8]}, {"patch": 2}, {"patch": 8, "multiples": [3]}]
)
@pytest.mark.slow
def test_every_size(size, fields):
    with torch.device("meta"):
        shape = (3, size, size)
        x = torch.randn(3, *shape)
        assert unet(shape, **fields)(x, torch.ones(3, dtype=torch.int64)).shape == x.shape


@pytest.mark.parametrize("shape", [(2,), (1,), (1, 28, 28), (24, 5)])
def test_mlp_takes_any_shape(shape):
    x = torch.randn(5, *shape)
    network = mlp(shape)
    assert network(x, torch.ones(5, dtype=torch.int64)).shape == x.shape
    assert network.shape == shape
    assert len([layer for layer in [*network.hidden, network.last] if isinstance(layer, nn.Linear)]) == 3


def test_unet_output_starts_at_zero():
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([1, 900])
    assert unet()(x, t).eq(0).all()


@pytest.mark.parametrize("network", [lambda: without_zeros(unet()), mlp], ids=["unet", "mlp"])
def test_unconditional_networks_depend_on_time_but_not_on_labels(network):
    network = network()
    assert network.classes == 0
    x = torch.randn(1, *network.shape).expand(3, *network.shape)
    output = network(x, torch.tensor([1, 1, 500]))
    torch.testing.assert_close(output[0], output[1])
    assert not torch.allclose(output[0], output[2], atol=1e-3)
    torch.testing.assert_close(network(x, torch.tensor([1, 1, 500]), torch.tensor([0, 1, 2])), output)


@pytest.mark.parametrize(
    "network",
    [lambda: without_zeros(unet(classes=3, conditional=True)), lambda: mlp(classes=3, conditional=True)],
    ids=["unet", "mlp"],
)
def test_conditional_networks_depend_on_labels(network):
    network = network()
    assert network.classes == 3
    x, t = torch.randn(1, *network.shape).expand(4, *network.shape), torch.full((4,), 7)
    output = network(x, t, torch.tensor([0, 1, 2, 3]))
    for i in range(4):
        for j in range(i):
            assert not torch.allclose(output[i], output[j], atol=1e-3)
    torch.testing.assert_close(network(x, t), output[3:].expand_as(output), msg="the label 3 means no label, as None does")


@pytest.mark.parametrize("make", [unet, mlp])
def test_conditional_networks_need_classes(make):
    with pytest.raises(UserError, match=r"conditional=True: this data set has no classes"):
        make(classes=0, conditional=True)
    with pytest.raises(UserError, match="conditional='no'"):
        make(classes=3, conditional="no")


def test_sinusoidal_features():
    t = torch.tensor([0, 1, 17])
    output = sinusoidal_features(t, 8)
    assert output.shape == (3, 8)
    rates = [1.0, 10 ** (-4 / 3), 10 ** (-8 / 3), 1e-4]
    expected = [[wave(rate * time) for wave in (math.sin, math.cos) for rate in rates] for time in t.tolist()]
    torch.testing.assert_close(output, torch.tensor(expected))
    assert sinusoidal_features(t, 7).shape == (3, 7)
    assert sinusoidal_features(t, 2).shape == (3, 2)


def test_embedding_without_classes_has_no_label_table():
    assert TimeEmbedding(8, 4, 0).label is None
    assert TimeEmbedding(8, 4, 3).label.num_embeddings == 4


def test_attention_equals_scaled_dot_product_attention():
    layer = AttentionBlock(8)
    nn.init.normal_(layer.out.weight)
    x = torch.randn(2, 8, 4, 4)
    q, k, v = (project(layer.norm(x)).flatten(2).mT for project in (layer.queries, layer.keys, layer.values))
    expected = F.scaled_dot_product_attention(q, k, v).mT.reshape(x.shape)
    torch.testing.assert_close(layer(x), x + layer.out(expected))


def test_unet_is_twice_differentiable():
    """Spectra of the Hessian need second derivatives, through the attention too."""
    network = without_zeros(unet())
    output = network(torch.randn(2, 1, 8, 8), torch.tensor([1, 9]))
    gradient = torch.autograd.grad(output.square().sum(), network.down[2].attention.queries.weight, create_graph=True)[0]
    twice = torch.autograd.grad(gradient.square().sum(), list(network.parameters()), allow_unused=True)
    assert all(second is None or second.isfinite().all() for second in twice)
    assert sum(second.abs().sum() for second in twice if second is not None) > 0


@pytest.mark.parametrize(
    ("channels", "groups"), [(128, 32), (256, 32), (384, 32), (64, 16), (32, 8), (48, 12), (8, 2), (3, 1), (7, 1)]
)
def test_number_of_groups(channels, groups):
    assert group_norm(channels).num_groups == groups


def test_dropout_only_in_training_mode():
    network, x, t = without_zeros(unet(dropout=0.5)), torch.randn(2, 1, 8, 8), torch.tensor([1, 9])
    assert not torch.equal(network(x, t), network(x, t))
    network.eval()
    assert torch.equal(network(x, t), network(x, t))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: unet((2,)), r"model/denoiser=unet needs images, .*\n.*model/denoiser=mlp for points"),
        (lambda: unet((1, 20, 20)), "power of two from 8 to 256, not 20x20"),
        (lambda: unet(patch=3), r"patch=3: 8x8 pixels"),
        (lambda: unet(multiples=[1, 1, 1, 1, 1]), r"multiples=\[1, 1, 1, 1, 1\]: 8x8 can be halved 3 times.* 1 to 4"),
        (lambda: unet(multiples=[]), r"multiples=\[\]"),
        (lambda: unet(multiples=2), r"multiples=2: it must be a list of numbers, for instance \[1,2\]"),
        (lambda: unet(attention=8), r"attention=8: it must be a list of numbers"),
        (lambda: unet(multiples=[1, 0]), r"multiples\[1\]=0: it must be a whole number, at least 1"),
        (lambda: unet(width=0), "width=0"),
        (lambda: unet(blocks=1.5), r"blocks=1\.5"),
        (lambda: unet(dropout=2), "dropout=2: it must be a number from 0 to 1"),
        (lambda: mlp(depth=0), "depth=0"),
    ],
)
def test_invalid_arguments(make, message):
    with pytest.raises(UserError, match=message):
        make()
