"""Small recurrent networks that are trained on samples to judge them, several seeds at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.data.base import generator
from gan_cli.errors import FieldError
from gan_cli.metrics.sequences.base import SequenceMetric
from gan_cli.models.recurrent import CELLS

SLACK = 0.01
"""A loss that falls by a smaller part of itself has come to rest."""
SIGMAS = 2.0
"""Standard errors that tell a difference from chance."""


@dataclass(frozen=True)
class Scorer:
    """How scorers are built and trained: by Adam at the rate ``lr``, for ``iterations`` batches of ``batch_size``.

    ``seeds``: so many networks, from seeds of their own. Raises UserError for fields out of range.
    """

    cell: str
    hidden: int
    layers: int
    iterations: int
    batch_size: int
    lr: float
    seeds: int

    def __post_init__(self):
        if self.cell not in CELLS:
            raise FieldError("cell", self.cell, f"it must be one of {', '.join(CELLS)}.")
        checks.counts(hidden=self.hidden, layers=self.layers, batch_size=self.batch_size)
        checks.count("iterations", self.iterations, 5)  # by fifths it is seen whether they still learn
        checks.count("seeds", self.seeds, 2)  # one has no error
        checks.number("lr", self.lr, above=0)

    def generators(self, word: str) -> list[torch.Generator]:
        """One for each seed, the same ones for the same word."""
        return [generator("scorer", word, seed) for seed in range(self.seeds)]


class Networks(nn.Module):
    """K networks side by side in one fused recurrent layer and one linear layer that reads it.

    Where one network meets another the weights are 0 and stay 0: each is what it would be alone, and all of them together
    take hardly longer than one. Their first weights are U(−1/√hidden, 1/√hidden), from the generators ``gs``.
    """

    def __init__(self, scorer: Scorer, inputs: int, outputs: int, gs: list[torch.Generator]):
        super().__init__()
        K, H = len(gs), scorer.hidden
        with torch.device("meta"):
            self.recurrent = CELLS[scorer.cell](K * inputs, K * H, scorer.layers)
            self.readout = nn.Linear(K * H, K * outputs)
        self.to_empty(device="cpu")
        self.K = K
        for part, gates in ((self.recurrent, {"gru": 3, "lstm": 4}[scorer.cell]), (self.readout, 1)):
            for parameter in part.parameters():
                mask = torch.zeros_like(parameter)
                nn.init.zeros_(parameter)
                for k, g in enumerate(gs):
                    nn.init.uniform_(_own(parameter.data, gates, K, k), -(H**-0.5), H**-0.5, generator=g)
                    _own(mask, gates, K, k).fill_(1)
                parameter.register_hook(lambda gradient, mask=mask: gradient * mask)

    def forward(self, x: Tensor, last: bool = False) -> Tensor:
        """``[K, B, T, inputs]``, each network its own -> ``[T, B, K, outputs]``; ``last``: of the last step alone."""
        states, _ = self.recurrent(x.permute(2, 1, 0, 3).flatten(2))
        return self.readout(states[-1:] if last else states).unflatten(2, (self.K, -1))


def _own(parameter: Tensor, gates: int, K: int, k: int) -> Tensor:
    """The part of a parameter that belongs to network k alone; a view."""
    if parameter.ndim == 1:
        return parameter.view(gates, K, -1)[:, k]
    return parameter.view(gates, K, parameter.shape[0] // (gates * K), K, -1)[:, k, :, k]


class Batch(NamedTuple):
    """``x``: ``[K, B, T, inputs]``; ``y``: what it should be told of them."""

    x: Tensor
    y: Tensor


@torch.enable_grad()
def train(
    networks: Networks,
    scorer: Scorer,
    batch: Callable[[], Batch],
    loss: Callable[[Networks, Batch], Tensor],
    seen: Callable[[int], None] = lambda iteration: None,
) -> Tensor:
    """The training losses ``[iterations, K]``; ``loss`` gives one for each network, ``seen`` follows each iteration."""
    optimizer = torch.optim.Adam(networks.parameters(), lr=scorer.lr)
    losses = []
    for iteration in range(1, scorer.iterations + 1):
        of_each = loss(networks, batch())
        optimizer.zero_grad()
        of_each.sum().backward()
        optimizer.step()
        losses.append(of_each.detach())
        seen(iteration)
    return torch.stack(losses)


def drawn(n: int, batch_size: int, gs: list[torch.Generator]) -> Tensor:
    """For each network other ``batch_size`` of ``n`` samples (all, where there are fewer), int64 ``[K, B]``."""
    return torch.stack([torch.randperm(n, generator=g)[:batch_size] for g in gs])


def still_falling(before: Tensor, after: Tensor) -> bool:
    """Whether the networks' mean loss still falls: losses ``[M, K]`` of the same M things, earlier and later.

    By more than ``SIGMAS`` standard errors of the mean of M paired differences, and more than ``SLACK`` of the loss itself.
    """
    fall = (before - after).mean(1)
    error = fall.std() / len(fall) ** 0.5
    return bool((fall.mean() > SIGMAS * error) & (fall.mean() > SLACK * after.mean().abs()))


def fifth(losses: Tensor, number: int) -> Tensor:
    """The losses ``[M, K]`` of a fifth of the training, 1 to 5."""
    size = len(losses) // 5
    return losses[len(losses) - (6 - number) * size :][:size]


def over_seeds(values: Tensor) -> tuple[float, float]:
    """Mean and standard error of the mean of ``values [K]``."""
    return float(values.mean()), float(values.std() / len(values) ** 0.5)


def not_converged(name: str, before: float, after: float, iterations: int) -> str:
    """The remark on scorers that still learn."""
    return (
        f"{name} has not converged: the mean loss of its networks still falls, from {before:.4g} to {after:.4g} between the "
        f"last two fifths of {iterations} iterations."
    )


@dataclass(frozen=True)
class ScoredByNetworks(SequenceMetric):
    """A score by networks that are trained for it, ``seeds`` of them; the fields are a ``Scorer``'s.

    ``hidden`` null: half as many units as there are features. Raises UserError for fields out of range.
    """

    selects_checkpoint: ClassVar[bool] = False  # a training for every checkpoint, and a noisy number
    n_samples: int = 2000
    cell: str = "gru"
    hidden: int | None = None
    layers: int = 1
    iterations: int = 2000
    batch_size: int = 128
    lr: float = 0.001
    seeds: int = 5

    def __post_init__(self):
        super().__post_init__()
        self.scorer(2)

    def scorer(self, features: int) -> Scorer:
        """The networks for sequences of so many features."""
        hidden = max(1, features // 2) if self.hidden is None else self.hidden
        return Scorer(self.cell, hidden, self.layers, self.iterations, self.batch_size, self.lr, self.seeds)
