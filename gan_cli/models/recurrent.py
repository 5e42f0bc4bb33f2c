"""recurrent, rcgan, c_rnn_gan: recurrent networks for sequences ``[B, T, F]`` in [0, 1].

They use fused layers wherever the input of all steps is known in advance.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from gan_cli import checks
from gan_cli.models.base import Discriminator, FeatureDiscriminator, Generator, sequence_size
from gan_cli.models.rnn import initial_states, make_dropout, make_rnn, outputs, rnn_step


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
        cell_dropout: Probability that an output of a layer is dropped in training, in [0, 1), anew at every step.

    Raises:
        UserError: If a probability is not in [0, 1).
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        hidden: int,
        layers: int,
        cell: str,
        dropout: float,
        cell_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.steps, features = sequence_size(shape, "c_rnn_gan")
        self.dropout = make_dropout(dropout)
        self.cell_dropout = make_dropout(cell_dropout, "cell_dropout")
        self.body = Recurrent(features, 1, hidden, layers, cell, bidirectional=True)
        self.feature_dim = self.steps * self.body.width

    def features(self, x: Tensor) -> Tensor:
        """Return R(x), the states of every step in both directions."""
        return outputs(self.body.rnn, self.dropout(x), self.cell_dropout).flatten(1)

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
        cell_dropout: Probability that an output of a layer is dropped in training, in [0, 1), anew at every step.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        latent_dim: int | None,
        hidden: int,
        layers: int,
        cell: str,
        cell_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.cell_dropout = make_dropout(cell_dropout, "cell_dropout")
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
            h, states = rnn_step(self.rnn, (h_z[:, t] + self.from_x(x)).relu(), states, self.cell_dropout)
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
        return self.head(outputs(self.rnn, (self.from_z(z) + self.from_x(previous)).relu(), self.cell_dropout)).sigmoid()
