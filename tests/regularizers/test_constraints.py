"""Changes of regularizers to layers and weights: layer norm for batch norm, spectral norm and clipping; their errors."""

from itertools import repeat

import pytest
import torch
from support.players import alternating, images_gan, points_gan
from torch import nn

from gan_cli.errors import UserError
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.models.dcgan import DCGANDiscriminator
from gan_cli.models.mlp import MLPDiscriminator
from gan_cli.regularizers.base import Judged, replace_modules, slopes
from gan_cli.regularizers.dragan import Dragan
from gan_cli.regularizers.gradient_penalty import GradientPenalty
from gan_cli.regularizers.orthogonal import Orthogonal
from gan_cli.regularizers.r1 import R1, R2
from gan_cli.regularizers.spectral_norm import SpectralNorm
from gan_cli.regularizers.weight_clipping import WeightClipping
from gan_cli.types import Batch

GRADIENT_PENALTIES = [GradientPenalty(), Dragan(), R1(), R2()]
BOTH = [SpectralNorm(), SpectralNorm(remove_norm=False, players=["generator"])]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def count(network, *kinds):
    return sum(isinstance(module, kinds) for module in network.modules())


def reshaped(layer):
    """The weight as ``[out, rest]``."""
    weight = layer.weight.detach()
    return (weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d) else weight).flatten(1)


@pytest.mark.parametrize("regularizer", GRADIENT_PENALTIES)
class TestLayerNormForBatchNorm:
    def test_in_the_discriminator_alone(self, regularizer):
        plain, game = images_gan(), images_gan(regularizers=[regularizer])
        norms = count(plain.discriminator, nn.BatchNorm2d)
        assert norms > 0
        assert count(game.discriminator, nn.BatchNorm2d) == 0
        assert count(game.discriminator, nn.GroupNorm) == norms
        assert count(game.generator, nn.BatchNorm2d) == count(plain.generator, nn.BatchNorm2d) > 0

    def test_samples_are_judged_apart(self, regularizer):
        x = torch.randn(4, 1, 16, 16)
        with torch.no_grad():
            tied = images_gan().discriminator
            assert not torch.allclose(tied(x)[:2], tied(x[:2]), rtol=1e-3), "batch norm: the others have a say"
            apart = images_gan(regularizers=[regularizer]).discriminator
            torch.testing.assert_close(apart(x)[:2], apart(x[:2]))

    def test_nested(self, regularizer):
        inner = nn.ModuleDict({"a": nn.Sequential(nn.Linear(2, 6), nn.BatchNorm1d(6))})
        network = regularizer.transform(nn.Sequential(inner, nn.ModuleList([nn.BatchNorm3d(5), nn.BatchNorm2d(7)])))
        assert [module.num_channels for module in network.modules() if isinstance(module, nn.GroupNorm)] == [6, 5, 7]
        assert count(network, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d) == 0


def test_the_layer_norm_is_one():
    norm, x = GradientPenalty().transform(nn.BatchNorm2d(6)), torch.randn(3, 6, 4, 4)
    torch.testing.assert_close(norm(x), nn.functional.layer_norm(x, (6, 4, 4)))


def test_replacement_keeps_everything_else():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
    convolution = network[0]
    replaced = replace_modules(
        network, lambda module: nn.Identity() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) else module
    )
    assert replaced is network
    assert replaced[0] is convolution
    assert [type(module) for module in replaced] == [nn.Conv2d, nn.Identity, nn.ReLU]


class TestSpectralNorm:
    @pytest.mark.parametrize(
        ("layer", "shape"),
        [
            (nn.Linear(8, 5), (8,)),
            (nn.Conv1d(3, 5, 4), (3, 9)),
            (nn.Conv2d(3, 5, 4), (3, 9, 9)),
            (nn.ConvTranspose1d(3, 5, 4), (3, 9)),
            (nn.ConvTranspose2d(3, 5, 4), (3, 9, 9)),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
    )
    def test_top_singular_value_once_warm(self, layer, shape):
        with torch.no_grad():
            layer.weight.mul_(7)
            shape_of_weight = layer.weight.shape
            layer = SpectralNorm().transform(nn.Sequential(layer))[0]
            for _ in range(50):
                layer(torch.randn(2, *shape))
        assert layer.weight.shape == shape_of_weight
        assert 1 - 1e-5 <= torch.linalg.matrix_norm(reshaped(layer), 2) <= 1.05

    @pytest.mark.slow
    @pytest.mark.long
    def test_stays_warm_in_training(self):
        game = images_gan(Wasserstein(), [SpectralNorm()], width=8)
        solver = alternating(game, torch.optim.Adam, lr=1e-3)
        for _ in range(30):
            solver.round(["discriminator", "generator"], repeat(Batch(torch.randn(4, 1, 16, 16))))
        game.eval()
        tops = [
            float(torch.linalg.matrix_norm(reshaped(module), 2))
            for module in game.discriminator.modules()
            if isinstance(module, nn.Conv2d)
        ]
        assert len(tops) == 3
        assert min(tops) >= 1 - 1e-5
        assert max(tops) <= 1.05

    def test_perceptron_is_one_lipschitz(self):
        with torch.no_grad():
            network = MLPDiscriminator((2,), 0, 32, 4)
            for parameter in network.parameters():
                parameter.mul_(10)
        x = torch.randn(200, 2)
        assert slopes(network, x).max() > 2
        network = SpectralNorm().transform(network)
        for _ in range(100):
            network(x)
        assert slopes(network, x).max() <= 1.01

    def test_batch_norm_goes_with_it_but_not_from_the_generator(self):
        plain, one, both = images_gan(), images_gan(regularizers=[SpectralNorm()]), images_gan(regularizers=BOTH)
        for game in (one, both):
            assert count(game.discriminator, nn.BatchNorm2d) == 0
            assert count(game.generator, nn.BatchNorm2d) == count(plain.generator, nn.BatchNorm2d) > 0

        def normalised(network):
            return sum(nn.utils.parametrize.is_parametrized(module, "weight") for module in network.modules())

        assert (normalised(one.discriminator), normalised(one.generator)) == (3, 0)
        assert (normalised(both.discriminator), normalised(both.generator)) == (3, 3)

    def test_vectors_move_in_training_mode_alone(self):
        game = points_gan(regularizers=[SpectralNorm()])
        buffers = [buffer.clone() for buffer in game.buffers()]
        x = torch.randn(4, 2)
        game.eval()
        game.discriminator(x)
        assert all(torch.equal(a, b) for a, b in zip(buffers, game.buffers(), strict=True))
        game.train()
        game.discriminator(x)
        assert not all(torch.equal(a, b) for a, b in zip(buffers, game.buffers(), strict=True))

    def test_orthogonality_counts_each_layer_once(self):
        layer = SpectralNorm().transform(nn.Sequential(nn.Linear(4, 4)))[0]
        layer.parametrizations.weight.original.data.mul_(3.0)  # what is learnt, not what is left of it after the division
        learnt = layer.parametrizations.weight.original
        gram = learnt @ learnt.T
        expected = gram.square().sum() - gram.diagonal().square().sum()
        torch.testing.assert_close(Orthogonal(weight=1.0).penalty(layer, None, Judged(*[torch.zeros(1)] * 4)), expected)

    def test_orthogonality_leaves_the_power_iteration_alone(self):
        layer = SpectralNorm().transform(nn.Sequential(nn.Linear(4, 4)))[0]
        before = [buffer.clone() for buffer in layer.buffers()]
        Orthogonal().penalty(layer, None, Judged(*[torch.zeros(1)] * 4))
        assert all(torch.equal(a, b) for a, b in zip(before, layer.buffers(), strict=True))


class TestWeightClipping:
    def test_share_at_the_bound(self):
        parameters = [torch.tensor([[0.01, -0.01], [0.005, 0.0]]), torch.tensor([0.00999, 0.0099, 0.01, 0.002])]
        clipping = WeightClipping(bound=0.01)
        assert clipping.share_at_bound(parameters) == 4 / 8
        assert clipping.share_at_bound(parameters, tol=0.01) == 5 / 8
        assert WeightClipping(bound=1.0).share_at_bound(parameters) == 0

    @pytest.mark.parametrize("make", [points_gan, images_gan])
    def test_after_every_turn_of_the_critic_alone(self, make):
        bound = 0.01
        game = make(Wasserstein(), [WeightClipping(bound=bound)])
        solver = alternating(game, torch.optim.RMSprop, lr=0.05)
        batches = repeat(Batch(torch.randn(4, *((2,) if make is points_gan else (1, 16, 16)))))
        largest = {name: max(p.abs().max() for p in turn.parameters) for name, turn in game.turns().items()}
        assert largest["discriminator"] > bound, "there is something to clip"
        for player in ["discriminator"] * 3 + ["generator", "discriminator"]:
            solver.round([player], batches)
            if player == "discriminator":
                weights = torch.cat([p.detach().flatten() for p in game.discriminator.parameters()])
                assert weights.abs().max() <= bound
                assert (weights.abs() == bound).any()
        assert max(p.abs().max() for p in game.generator.parameters()) > bound

    def test_keeps_what_is_within(self):
        layer = nn.Linear(5, 5)
        before = layer.weight.detach().clone()
        WeightClipping(bound=0.2).constrain(layer)
        torch.testing.assert_close(layer.weight.detach(), before.clamp(-0.2, 0.2))
        assert layer.weight.grad_fn is None

    def test_whomever_it_names(self):
        game = points_gan(regularizers=[WeightClipping(bound=0.05, players=["generator"])])
        alternating(game).round(["discriminator", "generator"], repeat(Batch(torch.randn(4, 2))))
        assert max(p.abs().max() for p in game.generator.parameters()) <= 0.05
        assert max(p.abs().max() for p in game.discriminator.parameters()) > 0.05


@pytest.mark.parametrize("regularizer", [*GRADIENT_PENALTIES, Orthogonal()])
@pytest.mark.parametrize("weight", [-1.0, "ten", None, float("nan"), float("inf")])
def test_a_weight_that_is_none(regularizer, weight):
    with pytest.raises(UserError, match=f"weight={weight!r}: it must be a number"):
        type(regularizer)(weight=weight)


@pytest.mark.parametrize(
    ("kind", "field", "value", "wanted"),
    [
        (GradientPenalty, "one_sided", "no", "true or false"),
        (SpectralNorm, "remove_norm", "no", "true or false"),
        (SpectralNorm, "n_power_iterations", 0, "a whole number, at least 1"),
        (SpectralNorm, "n_power_iterations", 1.5, "a whole number, at least 1"),
        (WeightClipping, "bound", 0, "a number above 0"),
        (WeightClipping, "bound", "c", "a number above 0"),
    ],
)
def test_fields_that_make_no_sense(kind, field, value, wanted):
    with pytest.raises(UserError, match=f"{field}={value!r}: it must be {wanted}"):
        kind(**{field: value})


def test_weight_zero_is_a_weight():
    assert R1(weight=0).weight == 0


def test_discriminators_of_all_kinds_under_all_transforms():
    x = torch.randn(2, 3, 8, 8)
    for regularizer in [*GRADIENT_PENALTIES, SpectralNorm(), WeightClipping(), Orthogonal()]:
        for network in (DCGANDiscriminator((3, 8, 8), 0, 4), MLPDiscriminator((3, 8, 8), 0, 8, 2)):
            assert regularizer.transform(network)(x).shape == (2,)


@pytest.mark.parametrize("order", [[GradientPenalty(), SpectralNorm()], [SpectralNorm(), GradientPenalty()]])
def test_penalty_and_spectral_norm_agree_in_any_order(order):
    network: nn.Module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 1, 3))
    for regularizer in order:
        network = regularizer.transform(network)
    assert count(network, nn.BatchNorm2d, nn.GroupNorm) == 0
