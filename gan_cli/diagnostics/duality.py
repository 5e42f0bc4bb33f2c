"""How much each player could still gain against opponents that stand still: best responses from copies of the players."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_cli.diagnostics.field import copied, loss
from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.randomness import fork_rng
from gan_cli.types import Batch

OptimizerFactory = Callable[[Sequence[nn.Parameter]], Optimizer]


class Mean(NamedTuple):
    """A mean over held-out batches with its standard error, which is not a number for a single batch."""

    value: float
    error: float


class Gap(NamedTuple):
    """The duality gap, and what each player adds to it.

    A lower bound that grows with the steps of the best responses; where a loss is unbounded and nothing holds its player (a
    Wasserstein critic without clipping or penalty) the gap is infinite, and the steps decide what is seen of it.
    """

    total: Mean
    gains: dict[str, Mean]


def best_response(
    game: Game, player: str, batches: Iterator[Batch], optimizer: OptimizerFactory, steps: int, seed: int | str = 0
) -> Game:
    """A copy of ``game`` in which ``player`` has taken ``steps`` turns alone, each on a batch of its own.

    A new optimizer made by ``optimizer`` takes them; what belongs to a turn (weight clipping) follows each. ``game`` itself,
    its buffers and random streams stay as they are. Raises UserError for a player that the game does not have.
    """
    with copied(game, seed) as copy:
        turns = copy.turns()
        if player not in turns:
            raise UserError(f"This game has no player named {player!r}. Its players are: {', '.join(turns)}.")
        turn = turns[player]
        stepper = optimizer(turn.parameters)
        for _ in range(steps):
            value, _ = turn.loss(next(batches).to(copy.device))
            stepper.zero_grad()
            value.backward(inputs=list(turn.parameters))
            stepper.step()
            turn.after()
    return copy


def duality_gap(game: Game, responses: Mapping[str, Game], heldout: Sequence[Batch], seed: int | str = 0) -> Gap:
    """Σ over players of L_i(u) − L_i(u with i's best response), on held-out batches.

    For a zero-sum game, L_G = M and L_D = −M, it is the duality gap max_φ' M(θ, φ') − min_θ' M(θ', φ) (Grnarova et al., 2019);
    for others, non-saturating ones among them, the Nikaido-Isoda function. It is 0 at a Nash equilibrium and above it
    elsewhere. Responses that are only nearly best make it too small, below 0 even; where a loss is bounded by nothing (points
    against a Wasserstein critic, which goes on rising far from the data) there is no best one, and the gap grows with the
    steps. Penalties are part of the losses.

    ``responses``: player -> what ``best_response`` gave for it. Both sides see the same batches and latents, so that the
    error is that of their difference.
    """
    gains = {
        player: _losses(game, player, heldout, seed) - _losses(r, player, heldout, seed) for player, r in responses.items()
    }
    return Gap(_mean(torch.stack(list(gains.values())).sum(0)), {player: _mean(gain) for player, gain in gains.items()})


def estimate_gain(game: Game, response: Game, heldout: Sequence[Batch], seed: int | str = 0) -> dict[str, tuple[Mean, Mean]]:
    """The critic-optimality probe: each of ``game.estimate`` as the players give it, and how far training D on raised it.

    ``response``: the discriminator's ``best_response``. A critic trained to optimality gains 0; where it gains much, its
    estimate says little about the distance. Empty for a game that estimates nothing.
    """
    before, after = _estimates(game, heldout, seed), _estimates(response, heldout, seed)
    return {name: (_mean(value), _mean(after[name] - value)) for name, value in before.items()}


def _losses(game: Game, player: str, batches: Sequence[Batch], seed: int | str) -> Tensor:
    """The player's loss on each batch ``[B]``, float64."""
    with copied(game, seed) as copy:
        turn = copy.turns()[player]
        values = [float(loss(copy, turn, batch, f"{seed}/{i}").detach()) for i, batch in enumerate(batches)]
    return torch.tensor(values, dtype=torch.float64)


@torch.no_grad()
def _estimates(game: Game, batches: Sequence[Batch], seed: int | str) -> dict[str, Tensor]:
    """Each estimate on each batch ``[B]``, float64."""
    rows = []
    with copied(game, seed) as copy:
        for i, batch in enumerate(batches):
            with fork_rng(f"{seed}/{i}", copy.device):
                rows.append(copy.estimate(batch.to(copy.device)))
    return {name: torch.tensor([float(row[name]) for row in rows], dtype=torch.float64) for name in rows[0]}


def _mean(values: Tensor) -> Mean:
    error = float(values.std() / len(values) ** 0.5) if len(values) > 1 else float("nan")
    return Mean(float(values.mean()), error)
