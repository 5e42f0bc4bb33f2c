"""Recurrent layers as a plain loop over time, with the weights of the fused layers."""

import torch
from torch import Tensor, nn


def reference_rnn(rnn: nn.GRU | nn.LSTM, x: Tensor) -> Tensor:
    """Return ``rnn(x)[0]`` for x ``[B, T, inputs]`` in one direction, computed step by step by the cells' equations."""
    step = lstm if isinstance(rnn, nn.LSTM) else gru
    zero = x.new_zeros(len(x), rnn.hidden_size)
    states = [(zero, zero)] * rnn.num_layers
    outputs = []
    for t in range(x.shape[1]):
        h = x[:, t]
        for layer, (w_ih, w_hh, b_ih, b_hh) in enumerate(rnn.all_weights):
            states[layer] = step(h @ w_ih.T + b_ih, states[layer][0] @ w_hh.T + b_hh, *states[layer])
            h = states[layer][0]
        outputs.append(h)
    return torch.stack(outputs, 1)


def lstm(a: Tensor, b: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """i, f, o = sigmoid; g = tanh; c <- f c + i g; h = o tanh c."""
    i, f, g, o = (a + b).chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def gru(a: Tensor, b: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """r, z = sigmoid; n = tanh(a_n + r b_n); h <- (1 - z) n + z h."""
    (a_r, a_z, a_n), (b_r, b_z, b_n) = a.chunk(3, 1), b.chunk(3, 1)
    r, z = (a_r + b_r).sigmoid(), (a_z + b_z).sigmoid()
    h = (1 - z) * (a_n + r * b_n).tanh() + z * h
    return h, h
