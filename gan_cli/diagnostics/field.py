"""The losses of all players at one point, as functions that can be differentiated again and again.

Everything here looks at a copy of the game in training mode: parameters, buffers, gradients and random streams of the
original stay as they are, and the losses are those that are trained, batch statistics and all.
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


class Field(NamedTuple):
    """A vector for each parameter: ``vectors[i]`` has the shape of ``parameters[i]``."""

    parameters: list[Tensor]
    vectors: list[Tensor]


@contextmanager
def copied(game: Game, seed: int | str) -> Iterator[Game]:
    """A copy of ``game`` in training mode whose parameters can all be differentiated.

    Inside, the random streams start from ``seed``; then they are where they were.
    """
    with fork_rng(seed, game.device):
        yield deepcopy(game).requires_grad_(True).train()


def loss(game: Game, turn: Turn, batch: Batch, seed: int | str) -> Tensor:
    """The turn's loss, with the latents and all other draws that belong to ``seed``: the same ones for every player."""
    with fork_rng(seed, game.device):
        return turn.loss(batch.to(game.device))[0]


def own_gradient(game: Game, player: str, batch: Batch, seed: int | str, differentiable: bool = False) -> Field:
    """∇ of the player's own loss with respect to its own parameters."""
    turn = game.turns()[player]
    parameters: list[Tensor] = list(turn.parameters)
    value = loss(game, turn, batch, seed)
    return Field(parameters, _gradient(value, parameters, differentiable))


def game_vector(game: Game, batch: Batch, seed: int | str, differentiable: bool = False) -> Field:
    """v = (∇_θ L_G, ∇_φ L_D, …): of each player's own loss with respect to its own parameters (Mescheder et al., 2017).

    Gradient descent of all players at once moves along −v. A parameter that several turns own stands in it once, with the
    sum of their gradients. ``differentiable``: v can be differentiated with respect to all players.
    """
    total: dict[Tensor, Tensor] = {}
    with differentiable_in_all_players():
        for player in game.turns():
            for parameter, gradient in zip(*own_gradient(game, player, batch, seed, differentiable), strict=True):
                total[parameter] = total[parameter] + gradient if parameter in total else gradient
    return Field(list(total), list(total.values()))


def _gradient(value: Tensor, parameters: Sequence[Tensor], differentiable: bool) -> list[Tensor]:
    return list(torch.autograd.grad(value, parameters, create_graph=differentiable, materialize_grads=True))


def flat(tensors: Sequence[Tensor]) -> Tensor:
    """All numbers of ``tensors`` in one row, float64 on the CPU ``[n]``."""
    return torch.cat([tensor.detach().reshape(-1).cpu().double() for tensor in tensors])


def shaped(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """The inverse of ``flat``, in the shapes, precision and device of ``like``."""
    parts = vector.split([tensor.numel() for tensor in like])
    return [part.view(tensor.shape).to(tensor) for part, tensor in zip(parts, like, strict=True)]


def cosine(a: Tensor, b: Tensor) -> float:
    """⟨a, b⟩ / (‖a‖ ‖b‖) in [-1, 1]; not a number where one of them is 0."""
    return float(a @ b / (a.norm() * b.norm()))
