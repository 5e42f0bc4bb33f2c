"""recurrent, rcgan, c_rnn_gan: recurrent networks for sequences ``[B, T, F]`` in [0, 1].

They use fused layers wherever the input of all steps is known in advance.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from gan_cli import checks
from gan_cli.device import recurrent_kernels
from gan_cli.errors import FieldError
from gan_cli.models.base import Discriminator, FeatureDiscriminator, Generator, sequence_size
from gan_cli.parallel import draws
from gan_cli.precision import computes_in, in_full_precision, widened

State = Tensor | tuple[Tensor, Tensor]
"""State of a layer: h ``[B, hidden]`` of a GRU, (h, c) of an LSTM."""

CELLS: dict[str, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}


def make_rnn(inputs: int, hidden: int, layers: int, cell: str, bidirectional: bool = False) -> nn.GRU | nn.LSTM:
    """Return ``layers`` of GRU or LSTM, batch first, whose gates start open.

    Biases start at 0, except those of an LSTM's forget gate (Jozefowicz et al., 2015) and of a GRU's reset and update gates,
    which start at 1. TensorFlow's cells, which the published codes of TimeGAN and C-RNN-GAN use, do the same (RCGAN's code
    has a cell of its own).

    Args:
        inputs: Number of features of the input.
        hidden: Number of units of each layer.
        layers: Number of layers.
        cell: ``gru`` or ``lstm``.
        bidirectional: Process the sequence in both directions.

    Raises:
        UserError: If ``cell`` is unknown or a number is below 1.
    """
    checks.counts(hidden=hidden, layers=layers)
    if cell not in CELLS:
        raise FieldError("cell", cell, f"it must be one of {', '.join(CELLS)}.")
    rnn = CELLS[cell](inputs, hidden, layers, batch_first=True, bidirectional=bidirectional)
    open_gates = slice(hidden, 2 * hidden) if cell == "lstm" else slice(0, 2 * hidden)  # gates i, f, g, o; or r, z, n
    with torch.no_grad():
        for name, parameter in rnn.named_parameters():
            if name.startswith("bias"):
                parameter.zero_()
            if name.startswith("bias_ih"):
                parameter[open_gates] = 1.0
    return rnn


class Recurrent(nn.Module):
    """``[B, T, inputs] -> [B, T, outputs]``: layers of GRU or LSTM, and one linear layer that is applied at every step.

    Args:
        inputs: Number of features of the input.
        outputs: Number of features of the output.
        hidden: Number of units of each layer.
        layers: Number of layers.
        cell: ``gru`` or ``lstm``.
        bidirectional: Process the sequence in both directions; the linear layer gets the states of both.
    """

    def __init__(self, inputs: int, outputs: int, hidden: int, layers: int, cell: str, bidirectional: bool = False) -> None:
        super().__init__()
        checks.counts(inputs=inputs)
        self.inputs, self.outputs, self.width = inputs, outputs, hidden * (1 + bidirectional)
        self.rnn = make_rnn(inputs, hidden, layers, cell, bidirectional)
        self.head = nn.Linear(self.width, outputs)

    def states(self, x: Tensor) -> Tensor:
        """Return the last layer's outputs ``[B, T, width]``."""
        return outputs(self.rnn, x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.states(x))


class RecurrentGenerator(Generator):
    """z ``[B, T, latent_dim]``, with new noise at every step, -> x in [0, 1] ``[B, T, F]`` (RCGAN; Hyland et al., 2017).

    The output is a sigmoid; the paper's is tanh, for data in [-1, 1].

    Args:
        latent_dim: Number of latents of a step.
        hidden: Number of units of each layer.
        layers: Number of layers.
        cell: ``gru`` or ``lstm``.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, latent_dim: int, hidden: int, layers: int, cell: str) -> None:
        super().__init__()
        checks.counts(latent_dim=latent_dim)
        self.steps, features = sequence_size(shape, "recurrent")
        self.latent_dim = latent_dim
        self.body = Recurrent(latent_dim, features, hidden, layers, cell)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """``(T, latent_dim)``."""
        return (self.steps, self.latent_dim)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.body(z).sigmoid()


class RecurrentDiscriminator(FeatureDiscriminator):
    """x ``[B, T, F]`` -> logits ``[B]``, from the last layer's state after the last step.

    Args:
        hidden: Number of units of each layer.
        layers: Number of layers.
        cell: ``gru`` or ``lstm``.
        bidirectional: Use the final state of the backward direction, too.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, hidden: int, layers: int, cell: str, bidirectional: bool) -> None:
        super().__init__()
        checks.flag("bidirectional", bidirectional)
        _, features = sequence_size(shape, "recurrent")
        self.body = Recurrent(features, 1, hidden, layers, cell, bidirectional)
        self.hidden, self.feature_dim = hidden, self.body.width

    def features(self, x: Tensor) -> Tensor:
        """Return the final states of each direction."""
        states = self.body.states(x)
        return torch.cat([states[:, -1, : self.hidden], states[:, 0, self.hidden :]], 1)

    def logits(self, features: Tensor) -> Tensor:
        """Apply the linear layer."""
        return self.body.head(features).squeeze(1)


class StepwiseDiscriminator(Discriminator):
    """x ``[B, T, F]`` -> one logit per step ``[B, T]``, from the steps up to it (RCGAN; Hyland et al., 2017).

    Args:
        hidden: Number of units of each layer.
        layers: Number of layers.
        cell: ``gru`` or ``lstm``.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, hidden: int, layers: int, cell: str) -> None:
        super().__init__()
        _, features = sequence_size(shape, "rcgan")
        self.body = Recurrent(features, 1, hidden, layers, cell)
        self.stepwise = True

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.body(x).squeeze(2)


class AveragingDiscriminator(FeatureDiscriminator):
    """x ``[B, T, F]`` -> logits ``[B]`` of the probabilities' mean over all steps (C-RNN-GAN; Mogren, 2016).

    D(x) = mean_t sigmoid(l_t), where l_t is a linear function, the same at every step, of the states of both directions. The
    features are all these states, the paper's R ``[B, T * 2 hidden]``.

    Args:
        hidden: Number of units of each layer and direction.
        layers: Number of layers.
        cell: ``gru`` or ``lstm``.
        dropout: Probability that a value of a sample is dropped in training, in [0, 1).

    Raises:
        UserError: If ``dropout`` is not in [0, 1).
    """

    def __init__(self, shape: tuple[int, ...], classes: int, hidden: int, layers: int, cell: str, dropout: float) -> None:
        super().__init__()
        self.steps, features = sequence_size(shape, "c_rnn_gan")
        self.dropout = make_dropout(dropout)
        self.body = Recurrent(features, 1, hidden, layers, cell, bidirectional=True)
        self.feature_dim = self.steps * self.body.width

    def features(self, x: Tensor) -> Tensor:
        """Return R(x), the states of every step in both directions."""
        return self.body.states(self.dropout(x)).flatten(1)

    def logits(self, features: Tensor) -> Tensor:
        """Return log(D / (1 - D)), from the logarithms of the means of sigmoid(l_t) and sigmoid(-l_t)."""
        logits = self.body.head(features.unflatten(1, (self.steps, -1))).squeeze(2)
        return logsigmoid(logits).logsumexp(1) - logsigmoid(-logits).logsumexp(1)


class AutoregressiveGenerator(Generator):
    """x_t = g(z_t, x_{t-1}, state), x_0 = 0: an autoregressive LSTM or GRU (C-RNN-GAN; Mogren, 2016).

    A linear layer with ReLU takes z_t and x_{t-1}; then come ``layers`` of ``cell``, a linear layer and a sigmoid (the paper's
    outputs are unbounded, and its code starts with x_0 from U[0, 1]). Since each step needs the previous one, ``forward``
    loops over time; ``predict`` does not.

    Args:
        latent_dim: Number of latents of a step; None for F, as in the paper.
        hidden: Number of units of each layer.
        layers: Number of layers.
        cell: ``gru`` or ``lstm``.
    """

    def __init__(
        self, shape: tuple[int, ...], classes: int, latent_dim: int | None, hidden: int, layers: int, cell: str
    ) -> None:
        super().__init__()
        self.steps, features = sequence_size(shape, "c_rnn_gan")
        self.latent_dim = features if latent_dim is None else latent_dim
        checks.counts(latent_dim=self.latent_dim)
        self.from_z, self.from_x = nn.Linear(self.latent_dim, hidden), nn.Linear(features, hidden, bias=False)
        self.rnn = make_rnn(hidden, hidden, layers, cell)
        self.head = nn.Linear(hidden, features)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """``(T, latent_dim)``."""
        return (self.steps, self.latent_dim)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        h_z = self.from_z(z)
        states = initial_states(self.rnn, z)
        x = z.new_zeros(z.shape[0], self.head.out_features)
        outputs = []
        for t in range(self.steps):
            h, states = rnn_step(self.rnn, (h_z[:, t] + self.from_x(x)).relu(), states)
            x = self.head(h).sigmoid()
            outputs.append(x)
        return torch.stack(outputs, 1)

    def predict(self, z: Tensor, x: Tensor) -> Tensor:
        """Return g(z_t, x_{t-1}, state) at every step, with ``x`` as input in place of the output (teacher forcing).

        Args:
            z: Latents ``[B, T, latent_dim]``.
            x: Sequences ``[B, T, F]``.

        Returns:
            Predictions of ``x``, ``[B, T, F]``.
        """
        previous = torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], 1)
        return self.head(outputs(self.rnn, (self.from_z(z) + self.from_x(previous)).relu())).sigmoid()


def outputs(rnn: nn.GRU | nn.LSTM, x: Tensor) -> Tensor:
    """Return the last layer's outputs ``[B, T, width]``; in float32 on a CPU without kernels for the type of autocast."""
    on_cpu = x.device.type == "cpu" and torch.is_autocast_enabled("cpu")
    if on_cpu and not computes_in(x.device, torch.get_autocast_dtype("cpu")):
        with recurrent_kernels(), in_full_precision(x.device):
            return rnn(widened(x))[0]
    with recurrent_kernels():
        return rnn(x)[0]


def initial_states(rnn: nn.GRU | nn.LSTM, like: Tensor) -> list[State]:
    """Return the zero state of each layer before the first step.

    Args:
        rnn: The layers.
        like: A tensor with the batch size, dtype and device of the states.
    """
    zero = like.new_zeros(like.shape[0], rnn.hidden_size)
    return [(zero, zero) if isinstance(rnn, nn.LSTM) else zero for _ in range(rnn.num_layers)]


def rnn_step(rnn: nn.GRU | nn.LSTM, x: Tensor, states: list[State]) -> tuple[Tensor, list[State]]:
    """Advance all layers by one time step, with the weights of the fused layers.

    Args:
        rnn: The layers.
        x: Input of the step ``[B, inputs]``.
        states: State of each layer.

    Returns:
        The last layer's output ``[B, hidden]``, and the new states.
    """
    new_states: list[State] = []
    for state, weights in zip(states, rnn.all_weights, strict=True):
        if isinstance(state, tuple):
            state = torch.lstm_cell(x, state, *weights)
            x = state[0]
        else:
            x = state = torch.gru_cell(x, state, *weights)
        new_states.append(state)
    return x, new_states


def make_dropout(p: float) -> draws.Dropout:
    """Return a dropout layer.

    Raises:
        UserError: If the probability ``p`` is not in [0, 1).
    """
    checks.number("dropout", p, least=0)
    if p >= 1:
        raise FieldError("dropout", p, "it must be a probability below 1.")
    return draws.Dropout(p)
