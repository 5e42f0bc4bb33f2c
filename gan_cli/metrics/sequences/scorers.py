"""Small recurrent networks that are trained on samples in order to score them, several seeds at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.activity import counted
from gan_cli.data.base import seeded_generator
from gan_cli.errors import FieldError
from gan_cli.metrics.sequences.base import SequenceMetric
from gan_cli.models.rnn import CELLS

MIN_RELATIVE_FALL = 0.01
"""A loss counts as converged if it falls by a smaller fraction of itself."""
SIGMAS = 2.0
"""Number of standard errors at which a difference counts as significant."""


@dataclass(frozen=True)
class Scorer:
    """Architecture and training of K scoring networks, trained by Adam.

    Args:
        cell: ``gru`` or ``lstm``.
        hidden: Units of each layer.
        layers: Number of layers.
        iterations: Training batches, at least 5.
        batch_size: Sequences in a batch.
        lr: Learning rate.
        seeds: Number K of networks, at least 2.

    Raises:
        UserError: If a field is out of range.
    """

    cell: str
    hidden: int
    layers: int
    iterations: int
    batch_size: int
    lr: float
    seeds: int

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise FieldError("cell", self.cell, f"it must be one of {', '.join(CELLS)}.")
        checks.counts(hidden=self.hidden, layers=self.layers, batch_size=self.batch_size)
        checks.count("iterations", self.iterations, 5)  # convergence is judged by fifths
        checks.count("seeds", self.seeds, 2)  # a single network gives no error
        checks.number("lr", self.lr, above=0)

    def generators(self, purpose: str) -> list[torch.Generator]:
        """Return one generator for each seed; the same ``purpose`` gives the same generators."""
        return [seeded_generator("scorer", purpose, seed) for seed in range(self.seeds)]


class ParallelNetworks(nn.Module):
    """K networks side by side in one fused recurrent layer and one linear readout.

    Weights between different networks are 0 and stay 0, so each network is what it would be alone, and all of them together
    take hardly longer than one. Initial weights are U(−1/√hidden, 1/√hidden).

    Args:
        scorer: Architecture.
        inputs: Input features of each network.
        outputs: Outputs of each network.
        gs: Generators of the initial weights, one for each network.
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
        """Apply each network to its own sequences.

        Args:
            x: ``[K, B, T, inputs]``.
            last: True to return the last step only.

        Returns:
            ``[T, B, K, outputs]``, or ``[1, B, K, outputs]`` if ``last``.
        """
        states, _ = self.recurrent(x.permute(2, 1, 0, 3).flatten(2))
        return self.readout(states[-1:] if last else states).unflatten(2, (self.K, -1))


def _own(parameter: Tensor, gates: int, K: int, k: int) -> Tensor:
    """Return the part of a parameter that belongs to network k alone, as a view."""
    if parameter.ndim == 1:
        return parameter.view(gates, K, -1)[:, k]
    return parameter.view(gates, K, parameter.shape[0] // (gates * K), K, -1)[:, k, :, k]


class ScorerBatch(NamedTuple):
    """A batch of K networks.

    Attributes:
        x: Sequences ``[K, B, T, inputs]``.
        y: Targets.
    """

    x: Tensor
    y: Tensor


@torch.enable_grad()
def train_scorers(
    networks: ParallelNetworks,
    scorer: Scorer,
    batch: Callable[[], ScorerBatch],
    loss: Callable[[ParallelNetworks, ScorerBatch], Tensor],
    after_iteration: Callable[[int], None] = lambda iteration: None,
) -> Tensor:
    """Train the networks and return the losses, ``[iterations, K]``.

    Args:
        networks: The K networks, trained in place.
        scorer: Number of iterations and learning rate.
        batch: Function that draws a batch.
        loss: Function that returns the loss of each network, ``[K]``.
        after_iteration: Function that is called after each iteration with its number, from 1.
    """
    optimizer = torch.optim.Adam(networks.parameters(), lr=scorer.lr)
    losses = []
    for iteration in counted("training networks that score sequences", range(1, scorer.iterations + 1)):
        per_network = loss(networks, batch())
        optimizer.zero_grad()
        per_network.sum().backward()
        optimizer.step()
        losses.append(per_network.detach())
        after_iteration(iteration)
    return torch.stack(losses)


def draw_rows(n: int, batch_size: int, gs: list[torch.Generator]) -> Tensor:
    """Draw ``batch_size`` of ``n`` samples (all if there are fewer) for each network, int64 ``[K, B]``."""
    return torch.stack([torch.randperm(n, generator=g)[:batch_size] for g in gs])


def loss_still_falls(before: Tensor, after: Tensor) -> bool:
    """Return True if the networks' mean loss still falls.

    It does if the fall exceeds both ``SIGMAS`` standard errors of the mean of M paired differences and ``MIN_RELATIVE_FALL`` of
    the loss itself.

    Args:
        before: Earlier losses of M items, ``[M, K]``.
        after: Later losses of the same items, ``[M, K]``.
    """
    fall = (before - after).mean(1)
    error = fall.std() / len(fall) ** 0.5
    return bool((fall.mean() > SIGMAS * error) & (fall.mean() > MIN_RELATIVE_FALL * after.mean().abs()))


def fifth(losses: Tensor, number: int) -> Tensor:
    """Return the losses of one fifth of the training.

    Args:
        losses: ``[M, K]``.
        number: 1 to 5.
    """
    size = len(losses) // 5
    return losses[len(losses) - (6 - number) * size :][:size]


def mean_and_error(values: Tensor) -> tuple[float, float]:
    """Return the mean of ``values`` ``[K]`` and its standard error."""
    return float(values.mean()), float(values.std() / len(values) ** 0.5)


def convergence_remark(name: str, before: float, after: float, iterations: int) -> str:
    """Return the remark that the networks of a score still learn."""
    return (
        f"{name} has not converged: the mean loss of its networks still falls, from {before:.4g} to {after:.4g} between the "
        f"last two fifths of {iterations} iterations."
    )


@dataclass(frozen=True)
class TrainedScore(SequenceMetric):
    """A score by networks that are trained for it; the fields are those of ``Scorer``.

    Args:
        features: Not used.
        n_samples: Number of sequences of each kind.
        split: Part of the data set that the real sequences come from, ``train`` or ``heldout``.
        cell: ``gru`` or ``lstm``.
        hidden: Units of each layer; None for half as many as there are features.
        layers: Number of layers.
        iterations: Training batches, at least 5.
        batch_size: Sequences in a batch.
        lr: Learning rate of Adam.
        seeds: Number of networks, at least 2.

    Raises:
        UserError: If a field is out of range.
    """

    floor_draws: ClassVar[int] = 1  # each draw would train networks
    selects_checkpoint: ClassVar[bool] = False  # networks would be trained for every checkpoint, and the number is noisy
    n_samples: int = 2000
    cell: str = "gru"
    hidden: int | None = None
    layers: int = 1
    iterations: int = 2000
    batch_size: int = 128
    lr: float = 0.001
    seeds: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.scorer(2)

    def scorer(self, features: int) -> Scorer:
        """Return the networks' settings for sequences with ``features`` features."""
        hidden = max(1, features // 2) if self.hidden is None else self.hidden
        return Scorer(self.cell, hidden, self.layers, self.iterations, self.batch_size, self.lr, self.seeds)
