"""The losses and gradients of all players at one point, differentiable any number of times.

Everything is computed on a copy of the game in training mode: parameters, buffers, gradients and random streams of the
original do not change, and the losses are those of the training, including batch statistics.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli.games.base import Game, Turn, differentiable_in_all_players
from gan_cli.randomness import fork_rng
from gan_cli.types import Batch


class VectorField(NamedTuple):
    """A vector for each parameter.

    Attributes:
        parameters: The parameters.
        vectors: Vectors of the same shapes.
    """

    parameters: list[Tensor]
    vectors: list[Tensor]


@contextmanager
def training_copy(game: Game, seed: int | str) -> Iterator[Game]:
    """Yield a copy of ``game`` in training mode, with gradients enabled for all parameters.

    Inside the context the random streams start from ``seed``; afterwards they are restored.
    """
    with fork_rng(seed, game.device):
        yield deepcopy(game).requires_grad_(True).train()


def turn_loss(game: Game, turn: Turn, batch: Batch, seed: int | str) -> Tensor:
    """Return the loss of ``turn``, with latents and all other random draws determined by ``seed``, equally for every player."""
    with fork_rng(seed, game.device):
        return turn.loss(batch.to(game.device))[0]


def own_gradient(game: Game, player: str, batch: Batch, seed: int | str, differentiable: bool = False) -> VectorField:
    """Return the gradient of the player's own loss with respect to its own parameters.

    Args:
        game: The game.
        player: Name of the player.
        batch: Data on which the loss is computed.
        seed: Determines all random draws.
        differentiable: True if the gradient is to be differentiated again.
    """
    turn = game.turns()[player]
    parameters: list[Tensor] = list(turn.parameters)
    value = turn_loss(game, turn, batch, seed)
    return VectorField(parameters, _gradient(value, parameters, differentiable))


def game_vector(game: Game, batch: Batch, seed: int | str, differentiable: bool = False) -> VectorField:
    """Return v = (∇_θ L_G, ∇_φ L_D, …), the gradients of each player's own loss with respect to its own parameters.

    Simultaneous gradient descent of all players moves along −v (Mescheder et al., 2017). A parameter that belongs to several
    turns occurs once, with the sum of its gradients.

    Args:
        game: The game.
        batch: Data on which the losses are computed.
        seed: Determines all random draws.
        differentiable: True if v is to be differentiated with respect to all players.
    """
    total: dict[Tensor, Tensor] = {}
    with differentiable_in_all_players():
        for player in game.turns():
            for parameter, gradient in zip(*own_gradient(game, player, batch, seed, differentiable), strict=True):
                total[parameter] = total[parameter] + gradient if parameter in total else gradient
    return VectorField(list(total), list(total.values()))


def _gradient(value: Tensor, parameters: Sequence[Tensor], differentiable: bool) -> list[Tensor]:
    return list(torch.autograd.grad(value, parameters, create_graph=differentiable, materialize_grads=True))


def tensors_to_vector(tensors: Sequence[Tensor]) -> Tensor:
    """Return all entries of ``tensors`` as one vector, float64 ``[n]``, on the CPU."""
    return torch.cat([tensor.detach().reshape(-1).cpu().double() for tensor in tensors])


def vector_to_tensors(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """Invert ``tensors_to_vector``: split ``vector`` into tensors with the shapes, dtypes and devices of ``like``."""
    parts = vector.split([tensor.numel() for tensor in like])
    return [part.view(tensor.shape).to(tensor) for part, tensor in zip(parts, like, strict=True)]


def cosine_similarity(a: Tensor, b: Tensor) -> float:
    """Return ⟨a, b⟩ / (‖a‖ ‖b‖), in [-1, 1], or NaN if a or b is 0."""
    return float(a @ b / (a.norm() * b.norm()))
