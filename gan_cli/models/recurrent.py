"""Recurrent networks for sequences ``[B, T, F]`` in [0, 1]: fused layers wherever all of a network's input is there at once."""

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from gan_cli import checks
from gan_cli.device import recurrent_kernels
from gan_cli.errors import FieldError
from gan_cli.models.base import Discriminator, FeatureDiscriminator, Generator, sequence

State = Tensor | tuple[Tensor, Tensor]
"""What a layer remembers of a sequence: h ``[B, hidden]``, an LSTM's (h, c)."""

CELLS: dict[str, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}


def recurrent(inputs: int, hidden: int, layers: int, cell: str, bidirectional: bool = False) -> nn.GRU | nn.LSTM:
    """``layers`` of GRU or LSTM, batch first, that begin by remembering. UserError for another ``cell``.

    Biases begin at 0, but at 1 for an LSTM's forget gate (Jozefowicz et al., 2015) and for a GRU's reset and update gates, as
    in TensorFlow's cells, which the published codes of TimeGAN and C-RNN-GAN took (RCGAN's has a cell of its own).
    """
    checks.counts(hidden=hidden, layers=layers)
    if cell not in CELLS:
        raise FieldError("cell", cell, f"it must be one of {', '.join(CELLS)}.")
    rnn = CELLS[cell](inputs, hidden, layers, batch_first=True, bidirectional=bidirectional)
    remembering = slice(hidden, 2 * hidden) if cell == "lstm" else slice(0, 2 * hidden)  # gates i, f, g, o; or r, z, n
    with torch.no_grad():
        for name, parameter in rnn.named_parameters():
            if name.startswith("bias"):
                parameter.zero_()
            if name.startswith("bias_ih"):
                parameter[remembering] = 1.0
    return rnn


class Recurrent(nn.Module):
    """``[B, T, inputs] -> [B, T, outputs]``: ``layers`` of GRU or LSTM of ``hidden`` units, and one linear layer at every step.

    Of a ``bidirectional`` one the linear layer sees both directions.
    """

    def __init__(self, inputs: int, outputs: int, hidden: int, layers: int, cell: str, bidirectional: bool = False) -> None:
        super().__init__()
        checks.counts(inputs=inputs)
        self.inputs, self.outputs, self.width = inputs, outputs, hidden * (1 + bidirectional)
        self.rnn = recurrent(inputs, hidden, layers, cell, bidirectional)
        self.head = nn.Linear(self.width, outputs)

    def states(self, x: Tensor) -> Tensor:
        """The last layer's outputs ``[B, T, width]``."""
        with recurrent_kernels():
            return self.rnn(x)[0]

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.states(x))


class RecurrentGenerator(Generator):
    """z ``[B, T, latent_dim]``, fresh at every step, -> x in [0, 1] ``[B, T, F]`` (RCGAN; Hyland et al., 2017).

    The paper's ends in tanh, for data in [-1, 1]; this one in a sigmoid. ``cell``: gru or lstm.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, latent_dim: int, hidden: int, layers: int, cell: str) -> None:
        super().__init__()
        checks.counts(latent_dim=latent_dim)
        self.steps, features = sequence(shape, "recurrent")
        self.latent_dim = latent_dim
        self.body = Recurrent(latent_dim, features, hidden, layers, cell)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """``(T, latent_dim)``."""
        return (self.steps, self.latent_dim)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.body(z).sigmoid()


class RecurrentDiscriminator(FeatureDiscriminator):
    """x ``[B, T, F]`` -> a logit ``[B]`` of what the last layer has come to at the end (and at the beginning, backwards)."""

    def __init__(self, shape: tuple[int, ...], classes: int, hidden: int, layers: int, cell: str, bidirectional: bool) -> None:
        super().__init__()
        checks.flag("bidirectional", bidirectional)
        _, features = sequence(shape, "recurrent")
        self.body = Recurrent(features, 1, hidden, layers, cell, bidirectional)
        self.hidden, self.feature_dim = hidden, self.body.width

    def features(self, x: Tensor) -> Tensor:
        """The last states of each direction."""
        states = self.body.states(x)
        return torch.cat([states[:, -1, : self.hidden], states[:, 0, self.hidden :]], 1)

    def judge(self, features: Tensor) -> Tensor:
        """The linear layer."""
        return self.body.head(features).squeeze(1)


class StepwiseDiscriminator(Discriminator):
    """x ``[B, T, F]`` -> a logit for every step ``[B, T]``, of what has been seen up to it (RCGAN; Hyland et al., 2017)."""

    def __init__(self, shape: tuple[int, ...], classes: int, hidden: int, layers: int, cell: str) -> None:
        super().__init__()
        _, features = sequence(shape, "rcgan")
        self.body = Recurrent(features, 1, hidden, layers, cell)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.body(x).squeeze(2)


class AveragingDiscriminator(FeatureDiscriminator):
    """x ``[B, T, F]`` -> a logit ``[B]`` of the mean over all steps of their probabilities (C-RNN-GAN; Mogren, 2016).

    D(x) = mean_t sigmoid(l_t), l_t a linear function, the same at every step, of both directions' states. The features are all
    these states, the paper's R ``[B, T * 2 hidden]``. ``dropout``: share of the samples' values hidden in training.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, hidden: int, layers: int, cell: str, dropout: float) -> None:
        super().__init__()
        self.steps, features = sequence(shape, "c_rnn_gan")
        self.dropout = dropped(dropout)
        self.body = Recurrent(features, 1, hidden, layers, cell, bidirectional=True)
        self.feature_dim = self.steps * self.body.width

    def features(self, x: Tensor) -> Tensor:
        """R(x): every step's states in both directions."""
        return self.body.states(self.dropout(x)).flatten(1)

    def judge(self, features: Tensor) -> Tensor:
        """log D / (1 - D), from the logarithms of both means."""
        logits = self.body.head(features.unflatten(1, (self.steps, -1))).squeeze(2)
        return logsigmoid(logits).logsumexp(1) - logsigmoid(-logits).logsumexp(1)


class FedBackGenerator(Generator):
    """x_t = g(z_t, x_{t-1}, what came before), x_0 = 0: an LSTM fed its own output (C-RNN-GAN; Mogren, 2016).

    A linear layer with ReLU takes in z_t and x_{t-1}; ``layers`` of ``cell``; a linear layer, and a sigmoid where the paper's
    outputs are unbounded (its code begins with an x_0 from U[0, 1]). ``latent_dim``: numbers in z_t; None: F, the paper's.

    Here alone a step needs the step before, so that ``forward`` is a loop over time; ``predict`` is not.
    """

    def __init__(
        self, shape: tuple[int, ...], classes: int, latent_dim: int | None, hidden: int, layers: int, cell: str
    ) -> None:
        super().__init__()
        self.steps, features = sequence(shape, "c_rnn_gan")
        self.latent_dim = features if latent_dim is None else latent_dim
        checks.counts(latent_dim=self.latent_dim)
        self.take_z, self.take_x = nn.Linear(self.latent_dim, hidden), nn.Linear(features, hidden, bias=False)
        self.rnn = recurrent(hidden, hidden, layers, cell)
        self.head = nn.Linear(hidden, features)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """``(T, latent_dim)``."""
        return (self.steps, self.latent_dim)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        taken = self.take_z(z)
        states = nothing_yet(self.rnn, z)
        x = z.new_zeros(len(z), self.head.out_features)
        found = []
        for t in range(self.steps):
            h, states = step(self.rnn, (taken[:, t] + self.take_x(x)).relu(), states)
            x = self.head(h).sigmoid()
            found.append(x)
        return torch.stack(found, 1)

    def predict(self, z: Tensor, x: Tensor) -> Tensor:
        """g(z_t, x_{t-1}, ...) at every step of ``x [B, T, F]``, which is fed in the output's place; ``[B, T, F]``."""
        before = torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], 1)
        with recurrent_kernels():
            states, _ = self.rnn((self.take_z(z) + self.take_x(before)).relu())
        return self.head(states).sigmoid()


def nothing_yet(rnn: nn.GRU | nn.LSTM, like: Tensor) -> list[State]:
    """The state of each layer before the first step: zeros, for as many samples as ``like`` has."""
    zero = like.new_zeros(len(like), rnn.hidden_size)
    return [(zero, zero) if isinstance(rnn, nn.LSTM) else zero for _ in range(rnn.num_layers)]


def step(rnn: nn.GRU | nn.LSTM, x: Tensor, states: list[State]) -> tuple[Tensor, list[State]]:
    """(output ``[B, hidden]``, states) after one step of all layers, with the fused layers' weights; x ``[B, inputs]``."""
    after: list[State] = []
    for state, weights in zip(states, rnn.all_weights, strict=True):
        if isinstance(state, tuple):
            state = torch.lstm_cell(x, state, *weights)
            x = state[0]
        else:
            x = state = torch.gru_cell(x, state, *weights)
        after.append(state)
    return x, after


def dropped(share: float) -> nn.Dropout:
    """A layer that hides ``share`` of what it is given, in training. UserError unless 0 <= share < 1."""
    checks.number("dropout", share, least=0)
    if share >= 1:
        raise FieldError("dropout", share, "it is a probability below 1.")
    return nn.Dropout(share)
