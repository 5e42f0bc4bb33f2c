"""Residual networks: shapes at every side, published sizes, initial weights."""

import math

import pytest
import torch
from support import configs
from support.players import alternating
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from gan_cli.build import make
from gan_cli.errors import UserError
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.losses.hinge import Hinge
from gan_cli.models.base import Discriminator, Generator
from gan_cli.models.biggan import BigGANDiscriminator, BigGANGenerator
from gan_cli.models.layers import ConditionalBatchNorm2d, DownBlock, SelfAttention, UpBlock, no_norm
from gan_cli.models.resnet import ResNetDiscriminator, ResNetGenerator, Trunk
from gan_cli.regularizers.gradient_penalty import GradientPenalty
from gan_cli.regularizers.spectral_norm import SpectralNorm
from gan_cli.types import Batch

pytestmark = pytest.mark.slow

SIDES = (8, 16, 32, 64)
PUBLISHED = ("resnet_sngan", "resnet_sngan_64", "resnet_wgan_gp", "resnet_wgan_gp_64", "biggan")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def players(option: str, shape: tuple[int, ...], values: str = "") -> tuple[Generator, Discriminator]:
    """Return the networks of ``model=option`` for ten classes."""
    cfg = configs.compose(f"model={option} {values}")
    return tuple(make(cfg, f"model.{player}", nn.Module, shape=shape, classes=10) for player in ("generator", "discriminator"))


def blocks(network: nn.Module, kind: type) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, kind)]


@pytest.mark.parametrize("option", [*PUBLISHED, "resnet_fixup"])
@pytest.mark.parametrize("side", [side if side in (8, 64) else pytest.param(side, marks=pytest.mark.long) for side in SIDES])
def test_every_side(option, side):
    y = torch.arange(4, device="meta") % 10
    with torch.device("meta"):  # shapes without values
        generator, discriminator = players(option, (3, side, side))
        images = generator(torch.randn(4, generator.latent_dim), y)
        assert images.shape == (4, 3, side, side)
        assert discriminator(images, y).shape == (4,)
    assert len(blocks(generator, UpBlock)) == int(math.log2(side / 4))


@pytest.mark.parametrize("option", ["resnet_sngan_small", "resnet_wgan_gp_small"])
def test_several_outputs(option):
    """One output gives logits ``[B]``; several are a linear function of the same features."""
    _, one = players(option, (1, 8, 8))
    _, several = players(option, (1, 8, 8), "model.discriminator.outputs=3")
    x = torch.randn(4, 1, 8, 8)
    assert one(x).shape == (4,)
    torch.testing.assert_close(several(x), several.features(x) @ several.head.weight.T + several.head.bias)
    assert several(x).shape == (4, 3)


class TestPublishedSizes:
    """Channels and sides of the papers' tables and the authors' codes."""

    @pytest.mark.parametrize(
        ("option", "side", "ups", "downs"),
        [
            ("resnet_sngan", 32, [256] * 4, [(3, 128, 16), (128, 128, 8), (128, 128, 8), (128, 128, 8)]),
            ("resnet_wgan_gp", 32, [128] * 4, [(3, 128, 16), (128, 128, 8), (128, 128, 8), (128, 128, 8)]),
            (
                *("resnet_sngan_64", 64, [1024, 512, 256, 128, 64]),
                [(3, 64, 32), (64, 128, 16), (128, 256, 8), (256, 512, 4), (512, 1024, 2)],
            ),
            (
                *("resnet_wgan_gp_64", 64, [512, 512, 256, 128, 64]),
                [(64, 128, 32), (128, 256, 16), (256, 512, 8), (512, 512, 4)],
            ),
            ("biggan", 32, [256] * 4, [(3, 256, 16), (256, 256, 8), (256, 256, 8), (256, 256, 8)]),
            (
                *("biggan_128", 128, [1536, 1536, 768, 384, 192, 96]),
                [(3, 96, 64), (96, 192, 32), (192, 384, 16), (384, 768, 8), (768, 1536, 4), (1536, 1536, 4)],
            ),
        ],
    )
    def test_blocks(self, option, side, ups, downs):
        with torch.device("meta"):
            generator, discriminator = players(option, (3, side, side))
            found, h = [], torch.randn(2, 3, side, side)
            for layer in discriminator.trunk:
                inputs, h = h.shape[1], layer(h)
                if isinstance(layer, DownBlock):
                    found.append((inputs, h.shape[1], h.shape[2]))
        assert [block.conv1.in_channels for block in blocks(generator, UpBlock)] == ups[:-1]
        assert generator.to_image[-2].in_channels == ups[-1]
        assert found == downs

    @pytest.mark.parametrize(
        ("option", "side", "hidden"),
        [("resnet_sngan_64", 64, [64, 64, 128, 256, 512]), ("biggan_128", 128, [96, 192, 384, 768, 1536, 1536])],
    )
    def test_convolution_that_changes_the_width(self, option, side, hidden):
        with torch.device("meta"):
            _, network = players(option, (3, side, side))
        assert [block.residual[-1].in_channels for block in blocks(network, DownBlock)] == hidden

    def test_position_of_attention(self):
        with torch.device("meta"):
            generator, discriminator = players("biggan_128", (3, 128, 128))
        assert [isinstance(layer, SelfAttention) for layer in generator.attentions] == [False, False, False, True, False]
        assert [isinstance(layer, SelfAttention) for layer in discriminator.trunk] == [False, True] + [False] * 5
        assert generator.parts == (20,) * 6

    def test_parameters_of_sngan(self):
        """Number of parameters at 32 pixels from the tables, including biases and batch norms."""
        with torch.device("meta"):
            generator, discriminator = players("resnet_sngan", (3, 32, 32))

        def count(network):
            return sum(parameter.numel() for parameter in network.parameters())

        conv, point = 256 * 256 * 9 + 256, 256 * 256 + 256
        assert count(generator) == 129 * 4096 + 3 * (2 * conv + point + 4 * 256) + 2 * 256 + 256 * 27 + 3
        conv, point = 128 * 128 * 9 + 128, 128 * 128 + 128
        assert count(discriminator) == (27 + 1) * 128 + (3 + 1) * 128 + 7 * conv + point + 129


@pytest.mark.parametrize("pool", ["sum", "mean", "flatten"])
def test_pooling(pool):
    network = ResNetDiscriminator((1, 16, 16), 0, 4, 1, 1, 8, 1, pool, 0, False)
    x = torch.randn(5, 1, 16, 16)
    h = network.trunk(x)
    features = {"sum": relu(h).sum((2, 3)), "mean": relu(h).mean((2, 3)), "flatten": h.flatten(1)}[pool]
    torch.testing.assert_close(network(x), features @ network.head.weight[0] + network.head.bias)


def test_up_block_formula():
    block = UpBlock(4, 6, no_norm)
    x = torch.randn(2, 4, 5, 5)
    doubled = interpolate(relu(x), scale_factor=2)
    expected = block.conv2(relu(block.conv1(doubled))) + block.shortcut(interpolate(x, scale_factor=2))
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("first", [False, True])
def test_down_block_formula(first):
    block = DownBlock(4, 6, 4, halves=True, first=first, norm=no_norm)
    x = torch.randn(2, 4, 6, 6)
    convolutions = blocks(block.residual, nn.Conv2d)
    h = convolutions[1](relu(convolutions[0](x if first else relu(x))))
    torch.testing.assert_close(block(x), avg_pool2d(h, 2) + block.shortcut(avg_pool2d(x, 2)), rtol=1e-4, atol=1e-5)
    same = DownBlock(4, 4, 4, halves=False, first=False, norm=no_norm)
    assert isinstance(same.shortcut, nn.Identity)
    assert same(x).shape == x.shape


class TestConditionalBatchNorm:
    def test_equals_batch_norm_when_the_gains_agree(self):
        """With one gain and bias for all samples it equals batch norm, in both modes, with the same statistics."""
        conditional, plain = ConditionalBatchNorm2d(5, 3), nn.BatchNorm2d(5)
        c = torch.randn(1, 3).expand(8, 3)
        with torch.no_grad():
            plain.weight.copy_(1 + conditional.gain(c[0]))
            plain.bias.copy_(conditional.bias(c[0]))
        for mode in (True, True, False):
            x = 2 + 3 * torch.randn(8, 5, 4, 4)
            torch.testing.assert_close(conditional.train(mode)(x, c), plain.train(mode)(x))
        torch.testing.assert_close(conditional.norm.running_var, plain.running_var)

    def test_each_sample_has_its_own_gain(self):
        norm = ConditionalBatchNorm2d(5, 3)
        x, c = torch.randn(8, 5, 4, 4), torch.randn(8, 3)
        normal = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), keepdim=True, correction=0) + 1e-5).sqrt()
        gain, bias = 1 + c @ norm.gain.weight.T, c @ norm.bias.weight.T
        torch.testing.assert_close(norm(x, c), gain[..., None, None] * normal + bias[..., None, None], rtol=1e-4, atol=1e-5)


class TestSelfAttention:
    def test_starts_as_the_identity(self):
        x = torch.randn(2, 16, 8, 8)
        assert torch.equal(SelfAttention(16)(x), x)

    def test_the_formula(self):
        layer = SelfAttention(16)
        with torch.no_grad():
            layer.gamma.fill_(0.7)
        x = torch.randn(2, 16, 4, 4)
        q, k, v = layer.query(x), nn.functional.max_pool2d(layer.key(x), 2), nn.functional.max_pool2d(layer.value(x), 2)
        beta = torch.einsum("bchw,bcij->bhwij", q, k).flatten(3).softmax(3).unflatten(3, (2, 2))
        expected = x + 0.7 * layer.out(torch.einsum("bhwij,bcij->bchw", beta, v))
        torch.testing.assert_close(layer(x), expected)

    def test_has_second_derivatives(self):
        """Gradient penalties need them."""
        layer = SelfAttention(8)
        with torch.no_grad():
            layer.gamma.fill_(0.7)
        x = torch.randn(2, 8, 4, 4, requires_grad=True)
        (g,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
        g.square().sum().backward()
        assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


class TestBigGAN:
    shape = (1, 16, 16)

    def generator(self, **values):
        fields = {"latent_dim": 9, "width": 8, "growth": 1, "max_multiple": 1, "embedding_dim": 4, "hierarchical": True}
        return BigGANGenerator(self.shape, 3, **{**fields, "attention": 8, **values})

    def test_latents_are_split_between_the_layers(self):
        assert self.generator().parts == (3, 3, 3)
        assert self.generator(latent_dim=11).parts == (4, 4, 3)
        assert self.generator(hierarchical=False).parts == (9, 0, 0)
        generator = self.generator(latent_dim=11)
        assert [block.norm1.gain.in_features for block in generator.blocks] == [8, 7]
        assert generator(torch.randn(2, 11), torch.tensor([0, 2])).shape == (2, *self.shape)

    def test_output_depends_on_every_part_and_on_the_class(self):
        generator = self.generator().eval()
        z, y = torch.randn(1, 9), torch.tensor([1])
        with torch.no_grad():
            image = generator(z, y)
            for start in (0, 3, 6):
                other = z.clone()
                other[:, start : start + 3] += 1
                assert not torch.allclose(generator(other, y), image, atol=1e-4)
            assert not torch.allclose(generator(z, torch.tensor([2])), image, atol=1e-4)

    def test_one_embedding_for_all_blocks(self):
        generator = self.generator()
        assert [embedding.weight.shape for embedding in blocks(generator, nn.Embedding)] == [(3, 4)]

    def test_without_a_shared_embedding_each_norm_has_values_of_the_classes(self):
        generator = self.generator(embedding_dim=None, hierarchical=False, initialisation="normal")
        tables = blocks(generator, nn.Embedding)
        assert [table.weight.shape for table in tables] == [(3, 8)] * 4 * len(generator.blocks)
        layers = blocks(generator, nn.Conv2d | nn.Linear | nn.Embedding)
        weights = torch.cat([layer.weight.detach().flatten() for layer in layers])
        assert float(weights.std()) == pytest.approx(0.02, rel=0.05)
        norm, x, y = generator.blocks[0].norm1, torch.randn(6, 8, 4, 4), torch.tensor([0, 1, 2, 0, 1, 2])
        plain = norm.norm(x)
        expected = (1 + norm.gain.weight[y])[:, :, None, None] * plain + norm.bias.weight[y][:, :, None, None]
        torch.testing.assert_close(norm(x, y), expected)
        mixture = torch.nn.functional.one_hot(y, 3).float()
        torch.testing.assert_close(generator.eval()(torch.ones(6, 9), y), generator(torch.ones(6, 9), mixture))
        with pytest.raises(UserError, match="hierarchical=True: parts of z are joined to a shared embedding"):
            self.generator(embedding_dim=None)
        with pytest.raises(UserError, match="initialisation='zeros': it must be one of orthogonal, normal"):
            self.generator(initialisation="zeros")

    def test_the_projection(self):
        network = BigGANDiscriminator(self.shape, 3, 8, 1, 1, 8, 1, 0)
        x = torch.randn(3, *self.shape)
        scores = torch.stack([network(x, torch.full((3,), label)) for label in range(3)])
        h = relu(network.trunk(x)).sum((2, 3))
        torch.testing.assert_close(scores - scores[0], (network.embedding.weight - network.embedding.weight[0]) @ h.T)
        torch.testing.assert_close(scores[0], h @ (network.head.weight[0] + network.embedding.weight[0]) + network.head.bias)

    def test_weights_start_orthogonal(self):
        for network in players("biggan_small", (1, 32, 32)):
            for layer in blocks(network, nn.Conv2d | nn.Linear | nn.Embedding):
                w = layer.weight.detach().flatten(1)
                gram = w @ w.T if len(w) <= w.shape[1] else w.T @ w
                torch.testing.assert_close(gram, torch.eye(len(gram)), rtol=0, atol=1e-4)

    def test_without_labels(self):
        with pytest.raises(UserError, match="this data set has no classes"):
            BigGANDiscriminator(self.shape, 0, 8, 1, 1, 8, 1, 0)
        with pytest.raises(UserError, match="conditional, but some or all samples"):
            self.generator()(torch.randn(1, 9))


def warmed_up(network: nn.Module, player: str) -> list[float]:
    """Return the largest singular values of the reshaped weights after some forward passes in training mode."""
    y = torch.arange(2)
    with torch.no_grad():
        for _ in range(30):
            network(torch.randn(2, network.latent_dim) if player == "generator" else torch.randn(2, 1, 16, 16), y)
    network.eval()
    layers = [layer for layer in network.modules() if nn.utils.parametrize.is_parametrized(layer)]
    return [float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)) for layer in layers]


@pytest.mark.parametrize("option", ["resnet_sngan_small", "biggan_small"])
def test_singular_values_after_warm_up(option):
    """They lie within 1 to 1.05 in every layer, also after steps that changed the weights."""
    eight = "model.generator.attention=8 model.discriminator.attention=8" if option == "biggan_small" else ""
    generator, discriminator = players(option, (1, 16, 16), eight)
    regularizers = {"d": SpectralNorm(), "g": SpectralNorm(remove_norm=False, embeddings=False, players=["generator"])}
    game = GAN(generator, discriminator, Objective(Hinge(), regularizers))
    solver = alternating(game, torch.optim.Adam, lr=1e-3)
    batch = Batch(torch.randn(2, 1, 16, 16), torch.arange(2))
    for _ in range(3):
        solver.round(["discriminator", "generator"], iter([batch, batch]))
    for player in ("generator", "discriminator"):
        tops = warmed_up(getattr(game, player), player)
        weighted = blocks(getattr(game, player), nn.Conv2d | nn.Linear)
        embeddings = blocks(getattr(game, player), nn.Embedding) if player == "discriminator" else []
        assert len(tops) == len(weighted) + len(embeddings)
        assert 1 - 1e-4 <= min(tops) <= max(tops) <= 1.05


def test_layer_norm_under_a_gradient_penalty():
    network = GradientPenalty().transform(ResNetDiscriminator((1, 16, 16), 0, 4, 2, 2, 4, 0, "flatten", 4, True))
    assert len(blocks(network, nn.GroupNorm)) == 4
    assert not blocks(network, nn.BatchNorm2d)
    x = torch.randn(3, 1, 16, 16)
    torch.testing.assert_close(network(x)[:1], network(x[:1]))


def test_weights_start_as_glorot():
    network = ResNetGenerator((3, 16, 16), 0, 64, 32, 1, 1)
    for layer in blocks(network, nn.Conv2d | nn.Linear):
        fans = sum(nn.init._calculate_fan_in_and_fan_out(layer.weight))
        gain = 2 if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3) and layer is not network.to_image[2] else 1
        assert layer.weight.var().item() == pytest.approx(gain * 2 / fans, rel=5 / math.sqrt(layer.weight.numel()))
        assert layer.bias.eq(0).all()


def fixed_up(side):
    """Return both networks without norm for images of ``side`` pixels."""
    generator = ResNetGenerator((3, side, side), 0, 64, 32, 1, 1, batch_norm=False, fixup=True)
    return generator, ResNetDiscriminator((3, side, side), 0, 32, 1, 1, 4, 1, "flatten", 32, False, fixup=True)


@pytest.mark.parametrize("side", [16, pytest.param(64, marks=pytest.mark.long)])
def test_fixup_branches_start_at_0_and_the_variance_is_preserved(side):
    generator, discriminator = fixed_up(side)
    assert not blocks(generator, nn.BatchNorm2d)
    for network in (generator, discriminator):
        pairs = [blocks(block, nn.Conv2d)[:2] for block in blocks(network, UpBlock | DownBlock)]
        assert len(pairs) == side.bit_length() - 3 + (network is discriminator)
        for first, last in pairs:
            assert last.weight.eq(0).all()
            assert first.weight.var().item() == pytest.approx(2 / (9 * 32) / len(pairs), rel=0.05)
    h = generator.stem(torch.randn(60, 64)).unflatten(1, (-1, 4, 4))
    inner = [h := block(h) for block in generator.blocks]
    deep = [map_.var().item() for map_ in inner]
    assert max(deep) / min(deep) < 3
    x = torch.randn(4, 3, side, side)
    linear = discriminator(x) + discriminator(-x) - 2 * discriminator(torch.zeros_like(x))
    torch.testing.assert_close(linear, torch.zeros(4), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pool": "max"}, "pool='max': it must be sum, mean or flatten"),
        ({"last_side": 6}, "last_side=6: it must be a power of two"),
        ({"last_side": 16, "blocks": 0}, "leaves no block for images of 16 pixels"),
        ({"width": 0}, "width=0: it must be a whole number, at least 1"),
        ({"blocks": -1}, "blocks=-1: it must be a whole number, at least 0"),
        ({"stem": 1.5}, "stem=1.5"),
        ({"batch_norm": "no"}, "batch_norm='no': it must be true or false"),
        ({"fixup": 1}, "fixup=1: it must be true or false"),
    ],
)
def test_invalid_arguments(values, message):
    fields = {
        "width": 4,
        "growth": 1,
        "max_multiple": 1,
        "last_side": 8,
        "blocks": 1,
        "pool": "sum",
        "stem": 0,
        "batch_norm": False,
    }
    with pytest.raises(UserError, match=message):
        ResNetDiscriminator((1, 16, 16), 0, **{**fields, **values})


def test_attention_at_an_invalid_side():
    with pytest.raises(UserError, match=r"attention=64: no block ends at this side\. Use one of: 8, 16; or 0 for no attention"):
        TestBigGAN().generator(attention=64)
    with pytest.raises(UserError, match="Use one of: 8; or 0"):
        Trunk(1, 16, 4, 1, 1, 8, 1, attention=16)
    with pytest.raises(UserError, match="latent_dim=2: it must be a whole number, at least 3"):
        TestBigGAN().generator(latent_dim=2)
