"""Recurrent networks: fused layers equal a loop over time, dependence on time steps, second derivatives."""

import math

import pytest
import torch
from support.recurrence import reference_rnn
from torch import nn

from gan_cli import device
from gan_cli.errors import UserError
from gan_cli.games.base import differentiable_in_all_players
from gan_cli.models.conditional import LabelledDiscriminator, LabelledGenerator
from gan_cli.models.mlp import MLPDiscriminator, MLPGenerator
from gan_cli.models.recurrent import (
    AutoregressiveGenerator,
    AveragingDiscriminator,
    Recurrent,
    RecurrentDiscriminator,
    RecurrentGenerator,
    StepwiseDiscriminator,
)
from gan_cli.models.rnn import initial_states, make_dropout, make_rnn, outputs, rnn_step
from gan_cli.models.timegan import Embedder, LatentDiscriminator, LatentGenerator, Recovery, Supervisor
from gan_cli.regularizers.base import gradients, slopes
from gan_cli.regularizers.spectral_norm import SpectralNorm

SHAPE = T, F = 7, 3
SIZES = {"hidden": 5, "layers": 2}
CELLS = ["gru", "lstm"]
DISCRIMINATORS = {
    "last": lambda cell="lstm": RecurrentDiscriminator(SHAPE, 0, **SIZES, cell=cell, bidirectional=False),
    "both ends": lambda cell="lstm": RecurrentDiscriminator(SHAPE, 0, **SIZES, cell=cell, bidirectional=True),
    "every step": lambda cell="lstm": StepwiseDiscriminator(SHAPE, 0, **SIZES, cell=cell),
    "mean": lambda cell="lstm": AveragingDiscriminator(SHAPE, 0, **SIZES, cell=cell, dropout=0.0),
}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def sensitivity(network, x):
    """Return whether each output of a sample depends on each time step of the input, ``[outputs, T]``."""
    jacobian = torch.autograd.functional.jacobian(lambda x: network(x)[0].flatten(), x)
    return jacobian[:, 0].abs().sum(-1) > 0


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("hidden", "layers"), [(24, 3), (100, 1)])
def test_fused_layers_equal_a_loop_over_time(cell, hidden, layers):
    rnn, x = make_rnn(F, hidden, layers, cell), torch.randn(16, 24, F)
    fused, looped = rnn(x)[0], reference_rnn(rnn, x)
    torch.testing.assert_close(fused, looped, rtol=0, atol=1e-6)
    weight = torch.randn_like(fused)
    slow, fast = (torch.autograd.grad((y * weight).sum(), list(rnn.parameters())) for y in (looped, fused))
    for a, b in zip(fast, slow, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * float(b.abs().max()))


@pytest.mark.parametrize("cell", CELLS)
def test_rnn_step_equals_the_fused_layers(cell):
    rnn, x = make_rnn(F, **SIZES, cell=cell), torch.randn(4, T, F)
    states, outputs = initial_states(rnn, x), []
    for t in range(T):
        y, states = rnn_step(rnn, x[:, t], states)
        outputs.append(y)
    torch.testing.assert_close(torch.stack(outputs, 1), rnn(x)[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_gates_start_open(cell):
    rnn = make_rnn(1, 4, 1, cell)
    gates = (rnn.bias_ih_l0 + rnn.bias_hh_l0).detach().view(-1, 4)
    assert gates.tolist() == [[float(gate)] * 4 for gate in ([0, 1, 0, 0] if cell == "lstm" else [1, 1, 0])]


@pytest.mark.parametrize("cell", CELLS)
def test_generator_is_causal(cell):
    generator = RecurrentGenerator(SHAPE, 0, 4, **SIZES, cell=cell)
    assert generator.latent_shape == (T, 4)
    z = torch.randn(5, *generator.latent_shape)
    x = generator(z)
    assert x.shape == (5, T, F)
    assert ((x > 0) & (x < 1)).all()
    depends = sensitivity(generator, z[:1]).view(T, F, T).any(1)
    assert torch.equal(depends, torch.ones(T, T).tril().bool()), "x_t depends on each of z_1 ... z_t and on nothing else"


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_time_steps_that_a_logit_depends_on(name, cell):
    network, x = DISCRIMINATORS[name](cell), torch.rand(4, T, F)
    logits = network(x)
    assert logits.shape == ((4, T) if name == "every step" else (4,))
    depends = sensitivity(lambda x: network(x).reshape(1, -1), x[:1])
    assert torch.equal(depends, torch.ones(T, T).tril().bool() if name == "every step" else torch.ones(1, T).bool())
    if name != "every step":
        features = network.features(x)
        assert features.shape == (4, network.feature_dim)
        assert torch.equal(network.logits(features), logits)


def test_averaging_discriminator_is_the_mean_of_the_probabilities():
    network, x = DISCRIMINATORS["mean"](), 10 * torch.randn(6, T, F)
    steps = network.body(x).squeeze(2).double()
    assert network.feature_dim == T * 2 * 5
    torch.testing.assert_close(network(x).double().sigmoid(), steps.sigmoid().mean(1))
    network.body.head.weight.data *= 1e4  # where the probability itself is 1 or 0 in float32
    assert network(x).isfinite().all()
    network.body.head.weight.data.zero_()
    network.body.head.bias.data.fill_(40.0)
    torch.testing.assert_close(network(x), torch.full((6,), 40.0))


def test_dropout_only_in_training_mode():
    network = AveragingDiscriminator(SHAPE, 0, **SIZES, cell="lstm", dropout=0.5)
    x = torch.rand(4, T, F)
    assert not torch.equal(network(x), network(x))
    assert torch.equal(network.eval()(x), network(x))
    with pytest.raises(UserError, match="a probability below 1"):
        AveragingDiscriminator(SHAPE, 0, **SIZES, cell="lstm", dropout=1.0)


@pytest.mark.parametrize("cell", CELLS)
def test_outputs_of_layers_are_dropped_and_states_are_not(cell):
    rnn, x = make_rnn(F, **SIZES, cell=cell), torch.randn(64, T, F)
    seen = torch.zeros(64, T, SIZES["hidden"])
    dropout = make_dropout(0.5)
    layer_by_layer = outputs(rnn, x, dropout)
    assert 0.4 < float((layer_by_layer == 0).float().mean()) < 0.6
    torch.testing.assert_close(outputs(rnn, x, dropout.eval()), rnn(x)[0])
    one, states = make_rnn(F, 5, 1, cell), None
    whole, dropped = one(x)[0], outputs(one, x, dropout.train())
    torch.testing.assert_close(dropped[dropped != 0], 2 * whole[dropped != 0], msg="the states behind them are whole")
    states = initial_states(one, x)
    for t in range(T):
        seen[:, t], states = rnn_step(one, x[:, t], states, dropout)
    torch.testing.assert_close(seen[seen != 0], 2 * whole[seen != 0])


def test_the_players_of_c_rnn_gan_drop_outputs_of_cells():
    sizes = {**SIZES, "cell": "lstm"}
    D = AveragingDiscriminator(SHAPE, 0, **sizes, dropout=0.0, cell_dropout=0.5)
    G = AutoregressiveGenerator(SHAPE, 0, None, **sizes, cell_dropout=0.5)
    z, x = torch.rand(4, T, F), torch.rand(4, T, F)
    assert (D.features(x) == 0).any()
    for made in (lambda: G(z), lambda: G.predict(z, x)):
        assert not torch.equal(made(), made())
    assert torch.equal(G.eval()(z), G(z))
    with pytest.raises(UserError, match=r"cell_dropout=1\.0: it must be a probability below 1"):
        AutoregressiveGenerator(SHAPE, 0, None, **sizes, cell_dropout=1.0)


@pytest.mark.parametrize("cell", CELLS)
def test_teacher_forcing_with_its_own_output_reproduces_the_output(cell):
    generator = AutoregressiveGenerator(SHAPE, 0, None, **SIZES, cell=cell)
    assert generator.latent_shape == (T, F)
    z = torch.rand(4, T, F)
    x = generator(z)
    assert ((x > 0) & (x < 1)).all()
    torch.testing.assert_close(generator.predict(z, x), x, rtol=0, atol=1e-6)
    other = torch.rand(4, T, F)
    predicted = generator.predict(z, other)
    torch.testing.assert_close(predicted[:, 0], x[:, 0], rtol=0, atol=1e-6)
    assert not torch.allclose(predicted[:, 1], x[:, 1])
    changed = other.clone()
    changed[:, 3:] += 1
    same = torch.isclose(generator.predict(z, changed), predicted, rtol=0, atol=1e-7).all(2).all(0)
    assert same.tolist() == [True] * 4 + [False] * 3, "each step depends on the real ones before it"


# Labels.


def test_labels_are_concatenated_at_every_step():
    y = torch.tensor([0, 2, 1])
    seen = []

    class Echo(nn.Module):
        latent_shape = (T, 7)

        def __init__(self, shape, classes, latent_dim=None):
            super().__init__()
            seen.append((shape, latent_dim))

        def forward(self, x, y=None):
            return x

    generator = LabelledGenerator(SHAPE, 3, 4, None, Echo)
    discriminator = LabelledDiscriminator(SHAPE, 3, None, Echo)
    assert seen == [(SHAPE, 7), ((T, F + 3), None)]
    assert generator.latent_shape == (T, 4)
    z, x = torch.randn(3, T, 4), torch.rand(3, T, F)
    e = nn.functional.one_hot(y, 3).float()[:, None].expand(-1, T, -1)
    assert torch.equal(generator(z, y), torch.cat([z, e], 2))
    assert torch.equal(discriminator(x, y), torch.cat([x, e], 2))


def test_conditional_mlps_for_sequences():
    y = torch.tensor([0, 2, 1])
    generator = LabelledGenerator(SHAPE, 3, 4, None, lambda **kwargs: MLPGenerator(**kwargs, width=8, depth=2))
    discriminator = LabelledDiscriminator(SHAPE, 3, None, lambda **kwargs: MLPDiscriminator(**kwargs, width=8, depth=2))
    x = generator(torch.randn(3, *generator.latent_shape), y)
    assert x.shape == (3, T, F)
    assert discriminator(x, y).shape == (3,)


# TimeGAN.


@pytest.mark.parametrize("cell", CELLS)
def test_shapes_of_timegan(cell):
    sizes = {"hidden": 6, "layers": 3, "cell": cell}
    e, r, s, d = (kind(SHAPE, 0, **sizes) for kind in (Embedder, Recovery, Supervisor, LatentDiscriminator))
    g = LatentGenerator(SHAPE, 0, None, **sizes)
    assert g.latent_shape == SHAPE
    assert LatentGenerator(SHAPE, 0, 4, **sizes).latent_shape == (T, 4)
    h, made = e(torch.rand(2, *SHAPE)), g(torch.rand(2, *SHAPE))
    assert h.shape == made.shape == s(h).shape == (2, T, 6)
    assert r(s(made)).shape == (2, *SHAPE)
    assert d(h).shape == (2, T)
    assert (s.rnn.num_layers, e.rnn.num_layers) == (2, 3)
    for y in (h, made, s(h), r(h)):
        assert ((y > 0) & (y < 1)).all()
    with pytest.raises(UserError, match="layers=1: it must be a whole number, at least 2"):
        Supervisor(SHAPE, 0, 6, 1, cell)


# Second derivatives.


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_gradient_of_the_penalty_in_single_precision(name, cell):
    """float32 uses other kernels than float64."""
    network, x = DISCRIMINATORS[name](cell), torch.rand(4, T, F)

    def penalty_gradient(network, x):
        parameters = [p for name, p in network.named_parameters() if not name.endswith("head.bias")]
        return torch.autograd.grad((slopes(network, x) - 1).square().mean(), parameters)

    single = penalty_gradient(network, x)
    for a, b in zip(single, penalty_gradient(network.double(), x.double()), strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-2, atol=1e-3 * float(b.abs().max()))


def test_gradients_of_stepwise_logits_are_those_of_their_mean():
    network, x = DISCRIMINATORS["every step"](), torch.rand(4, T, F)
    expected = gradients(lambda x: network(x).mean(1), x)
    torch.testing.assert_close(gradients(network, x), expected)
    assert slopes(network, x).shape == (4,)


def test_cudnn_is_disabled_for_second_derivatives(monkeypatch):
    seen = []
    forward = Recurrent.states

    def states(self, x):
        with device.recurrent_kernels():
            seen.append(torch.backends.cudnn.enabled)
        return forward(self, x)

    monkeypatch.setattr(Recurrent, "states", states)
    network, x = DISCRIMINATORS["last"](), torch.rand(2, T, F)
    network(x)
    slopes(network, x)
    with differentiable_in_all_players():
        network(x)
    network(x)
    assert seen == [True, False, False, True]


# Errors.


def test_spectral_norm_of_recurrent_layers_is_refused():
    with pytest.raises(UserError, match="this network is recurrent"):
        SpectralNorm().transform(DISCRIMINATORS["last"]())


@pytest.mark.parametrize("shape", [(2,), (1, 8, 8)])
@pytest.mark.parametrize("make", [RecurrentGenerator, AutoregressiveGenerator])
def test_generators_need_sequences(make, shape):
    with pytest.raises(UserError, match="needs sequences"):
        make(shape, 0, 4, **SIZES, cell="gru")


def test_unknown_cell():
    with pytest.raises(UserError, match="cell='rnn': it must be one of gru, lstm"):
        make_rnn(3, 4, 1, "rnn")
    with pytest.raises(UserError, match="hidden=0"):
        make_rnn(3, 0, 1, "gru")


def test_open_forget_gate_keeps_the_cell_state():
    """A forget gate of sigmoid(1) keeps that fraction of the cell state per step."""
    rnn = make_rnn(1, 1, 1, "lstm")
    with torch.no_grad():
        rnn.weight_ih_l0.zero_()
        rnn.weight_hh_l0.zero_()
    _, (_, c) = rnn(torch.zeros(1, 3, 1), (torch.zeros(1, 1, 1), torch.ones(1, 1, 1)))
    assert c.item() == pytest.approx((1 / (1 + math.exp(-1))) ** 3)
