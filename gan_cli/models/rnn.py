"""Layers of GRU or LSTM: how they are made, run over a sequence, and advanced by one step."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.device import recurrent_kernels
from gan_cli.errors import FieldError
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


def outputs(rnn: nn.GRU | nn.LSTM, x: Tensor, dropout: draws.Dropout | None = None) -> Tensor:
    """Return the last layer's outputs ``[B, T, width]``; in float32 on a CPU without kernels for the type of autocast.

    Args:
        rnn: The layers.
        x: Input ``[B, T, inputs]``.
        dropout: Applied to the outputs of every layer. None: there is none.
    """
    run = rnn if dropout is None or not dropout.active else partial(_layer_by_layer, rnn, dropout)
    on_cpu = x.device.type == "cpu" and torch.is_autocast_enabled("cpu")
    if on_cpu and not computes_in(x.device, torch.get_autocast_dtype("cpu")):
        with recurrent_kernels(), in_full_precision(x.device):
            return run(widened(x))[0]
    with recurrent_kernels():
        return run(x)[0]


def _layer_by_layer(rnn: nn.GRU | nn.LSTM, dropout: draws.Dropout, x: Tensor) -> tuple[Tensor]:
    """Return the last layer's outputs, after ``dropout`` as those of every layer, with the weights of the fused layers."""
    fused = torch.lstm if isinstance(rnn, nn.LSTM) else torch.gru
    directions = 2 if rnn.bidirectional else 1
    zero = x.new_zeros(directions, len(x), rnn.hidden_size)
    state: Any = (zero, zero) if isinstance(rnn, nn.LSTM) else zero
    for layer in range(rnn.num_layers):
        own: list[Tensor] = [
            weight for each in rnn.all_weights[layer * directions : (layer + 1) * directions] for weight in each
        ]
        x = dropout(fused(x, state, own, True, 1, 0.0, rnn.training, rnn.bidirectional, True)[0])
    return (x,)


def initial_states(rnn: nn.GRU | nn.LSTM, like: Tensor) -> list[State]:
    """Return the zero state of each layer before the first step.

    Args:
        rnn: The layers.
        like: A tensor with the batch size, dtype and device of the states.
    """
    zero = like.new_zeros(like.shape[0], rnn.hidden_size)
    return [(zero, zero) if isinstance(rnn, nn.LSTM) else zero for _ in range(rnn.num_layers)]


def rnn_step(
    rnn: nn.GRU | nn.LSTM, x: Tensor, states: list[State], dropout: draws.Dropout | None = None
) -> tuple[Tensor, list[State]]:
    """Advance all layers by one time step, with the weights of the fused layers.

    Args:
        rnn: The layers.
        x: Input of the step ``[B, inputs]``.
        states: State of each layer.
        dropout: Applied to the output of every layer, but not to its state. None: there is none.

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
        if dropout is not None and dropout.active:
            x = dropout(x)
    return x, new_states


def make_dropout(p: float, field: str = "dropout") -> draws.Dropout:
    """Return a dropout layer.

    Raises:
        UserError: If the probability ``p``, which is called ``field``, is not in [0, 1).
    """
    checks.number(field, p, least=0)
    if p >= 1:
        raise FieldError(field, p, "it must be a probability below 1.")
    return draws.Dropout(p)
