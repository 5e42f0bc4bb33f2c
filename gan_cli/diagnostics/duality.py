"""Best responses of copies of the players to fixed opponents, and the duality gap that follows from them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_cli.activity import counted
from gan_cli.diagnostics.field import training_copy, turn_loss
from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.randomness import fork_rng
from gan_cli.types import Batch

OptimizerFactory = Callable[[Sequence[nn.Parameter]], Optimizer]


class HeldoutMean(NamedTuple):
    """A mean over held-out batches.

    Attributes:
        value: The mean.
        error: Its standard error; NaN for a single batch.
    """

    value: float
    error: float


class DualityGap(NamedTuple):
    """The duality gap and the contribution of each player.

    It is a lower bound that grows with the steps of the best responses. If a loss is unbounded and nothing constrains its
    player (a Wasserstein critic without clipping or penalty), the gap is infinite, and the value depends on the number of
    steps.

    Attributes:
        total: The gap.
        gains: Contribution by player.
    """

    total: HeldoutMean
    gains: dict[str, HeldoutMean]


class Response(NamedTuple):
    """A player's best response.

    Attributes:
        game: The game after all steps of that player.
        halfway: The game after half of them.
    """

    game: Game
    halfway: Game


def best_response(
    game: Game, player: str, batches: Iterator[Batch], optimizer: OptimizerFactory, steps: int, seed: int | str = 0
) -> Response:
    """Return copies of ``game`` in which ``player`` alone has taken ``steps`` turns, and half as many.

    Constraints such as weight clipping are applied after each turn. ``game``, its buffers and random streams do not change.

    Args:
        game: The game.
        player: Name of the player.
        batches: Batches, one for each turn.
        optimizer: Function that creates the optimizer from the player's parameters.
        steps: Number of turns.
        seed: Determines all random draws.

    Raises:
        UserError: If the game has no such player.
    """
    with training_copy(game, seed) as copy:
        turns = copy.turns()
        if player not in turns:
            raise UserError(f"This game has no player named {player!r}. Its players are: {', '.join(turns)}.")
        turn = turns[player]
        step_optimizer = optimizer(turn.parameters)
        halfway = copy
        for step in counted(f"best response of {player}", range(steps)):
            if step == steps // 2:
                halfway = deepcopy(copy)
            value, _ = turn.loss(next(batches).to(copy.device))
            step_optimizer.zero_grad()
            value.backward(inputs=list(turn.parameters))
            step_optimizer.step()
            turn.finish()
    return Response(copy, halfway)


def duality_gap(game: Game, responses: Mapping[str, Game], heldout: Sequence[Batch], seed: int | str = 0) -> DualityGap:
    """Return the sum over players of L_i(u) − L_i(u with i's best response), on held-out batches.

    In a zero-sum game, L_G = M and L_D = −M, it is the duality gap max_φ' M(θ, φ') − min_θ' M(θ', φ) (Grnarova et al., 2019);
    in other games, such as non-saturating ones, it is the Nikaido-Isoda function. It is 0 at a Nash equilibrium and positive
    elsewhere. Imperfect responses make the estimate too small, even negative. If a loss is unbounded (for points against a
    Wasserstein critic, which keeps growing far from the data), there is no best response and the gap grows with the steps.
    Penalties are part of the losses. Both terms use the same batches and latents, so that the error is that of their
    difference.

    Args:
        game: The game.
        responses: The game after each player's best response.
        heldout: Held-out batches.
        seed: Determines the latents.
    """
    gains = {
        player: _losses(game, player, heldout, seed) - _losses(r, player, heldout, seed) for player, r in responses.items()
    }
    return DualityGap(_mean(torch.stack(list(gains.values())).sum(0)), {player: _mean(gain) for player, gain in gains.items()})


def estimate_gain(
    game: Game, response: Game, heldout: Sequence[Batch], seed: int | str = 0
) -> dict[str, tuple[HeldoutMean, HeldoutMean]]:
    """Return each of the game's estimates and how far further training of the discriminator raises it.

    This tests whether the critic is optimal: an optimal critic gains 0. If the gain is large, the estimate says little about
    the distance.

    Args:
        game: The game.
        response: Best response of the discriminator.
        heldout: Held-out batches.
        seed: Determines the latents.

    Returns:
        (estimate, gain) by name; empty for a game that estimates nothing.
    """
    before, after = _estimates(game, heldout, seed), _estimates(response, heldout, seed)
    return {name: (_mean(value), _mean(after[name] - value)) for name, value in before.items()}


def still_gains(
    player: str, response: Response, gain: float, heldout: Sequence[Batch], seed: int | str = 0, share: float = 0.1
) -> bool:
    """Return True if the second half of a player's best response made a large part of its gain.

    The gain, and with it the duality gap, is then far from its limit, if it has one: of a loss without a bound it grows
    for ever.

    Args:
        player: Name of the player.
        response: Its best response.
        gain: Its gain after all steps.
        heldout: Held-out batches.
        seed: Determines the latents.
        share: The part of the gain that counts as large; the second half must also be above two standard errors.
    """
    second = _losses(response.halfway, player, heldout, seed) - _losses(response.game, player, heldout, seed)
    error = float(second.std()) / len(second) ** 0.5 if len(second) > 1 else 0.0
    return float(second.mean()) > max(share * gain, 2 * error)


def _losses(game: Game, player: str, batches: Sequence[Batch], seed: int | str) -> Tensor:
    """Return the player's loss on each batch, float64 ``[B]``."""
    with training_copy(game, seed) as copy:
        turn = copy.turns()[player]
        values = [float(turn_loss(copy, turn, batch, f"{seed}/{i}").detach()) for i, batch in enumerate(batches)]
    return torch.tensor(values, dtype=torch.float64)


@torch.no_grad()
def _estimates(game: Game, batches: Sequence[Batch], seed: int | str) -> dict[str, Tensor]:
    """Return each estimate on each batch, float64 ``[B]``."""
    rows = []
    with training_copy(game, seed) as copy:
        for i, batch in enumerate(batches):
            with fork_rng(f"{seed}/{i}", copy.device):
                rows.append(copy.estimate(batch.to(copy.device)))
    return {name: torch.tensor([float(row[name]) for row in rows], dtype=torch.float64) for name in rows[0]}


def _mean(values: Tensor) -> HeldoutMean:
    error = float(values.std() / len(values) ** 0.5) if len(values) > 1 else float("nan")
    return HeldoutMean(float(values.mean()), error)
