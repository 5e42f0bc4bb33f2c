"""First-order diagnostics: how long the players' gradients are, where they point, and how steep the critic is."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli.diagnostics.field import copied, cosine, flat, game_vector, own_gradient
from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.regularizers.base import per_sample_uniform, slopes
from gan_cli.sampling import evaluating
from gan_cli.types import Batch


def gradient_norms(game: Game, batch: Batch, seed: int | str = 0) -> dict[str, float]:
    """‖∇ of each player's own loss‖ with respect to its own parameters, by player: 0 for all of them at an equilibrium."""
    with copied(game, seed) as copy:
        return {player: float(flat(own_gradient(copy, player, batch, seed).vectors).norm()) for player in copy.turns()}


class PathAngle(NamedTuple):
    """Along a segment: the places α, the cosines in [-1, 1] there, and the norms ‖v‖ of the game vector field there."""

    alphas: tuple[float, ...]
    cosines: tuple[float, ...]
    norms: tuple[float, ...]


def path_angle(
    game: Game,
    start: Mapping[str, Tensor],
    end: Mapping[str, Tensor],
    batch: Batch,
    alphas: Sequence[float],
    seed: int | str = 0,
) -> PathAngle:
    """cos(v(w_t + α(w_T − w_t)), w_T − w_t) for the game vector field v and each α (Berard et al., 2020).

    ``start`` and ``end`` are states (``state_dict``) of ``game``, w_t and w_T. Where w_T merely attracts, the cosine jumps
    from −1 (the players want to go on) to 1 (they want to come back) at α = 1; rotation makes a bump there. Floating buffers
    go along with the parameters, others are those of w_T. Not a number where v or w_T − w_t is 0.

    Raises UserError where a state belongs to other players.
    """
    with copied(game, seed) as copy:
        w_start, w_end = (_parameters(copy, state) for state in (start, end))
        way = flat(w_end) - flat(w_start)
        points = [_at(copy, start, end, alpha, batch, seed) for alpha in alphas]
    return PathAngle(tuple(alphas), tuple(cosine(v, way) for v in points), tuple(float(v.norm()) for v in points))


def _parameters(game: Game, state: Mapping[str, Tensor]) -> list[Tensor]:
    """The parameters of ``state``, in the order of the game vector field."""
    try:
        game.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(f"A path's ends must be states of this game's players: {str(error).splitlines()[-1].strip()}") from None
    owned = dict.fromkeys(parameter for turn in game.turns().values() for parameter in turn.parameters)
    return [parameter.detach().clone() for parameter in owned]


def _at(
    game: Game, start: Mapping[str, Tensor], end: Mapping[str, Tensor], alpha: float, batch: Batch, seed: int | str
) -> Tensor:
    mixed = {name: torch.lerp(start[name], to, alpha) if to.is_floating_point() else to for name, to in end.items()}
    game.load_state_dict(mixed)
    return flat(game_vector(game, batch, seed).vectors)


class Slopes(NamedTuple):
    """‖∇_x D(x̂)‖ over interpolates: mean, standard deviation, share in [0, 1] of those above 1, and their number."""

    mean: float
    std: float
    share_above_1: float
    n: int


def critic_slopes(game: Game, batch: Batch, seed: int | str = 0) -> Slopes | None:
    """The critic's slope at x̂ = εx + (1 − ε)G(z), one ε ~ U[0, 1] a sample (Gulrajani et al., 2017); None without a critic.

    In evaluation mode: batch norm would tie the samples together, so that none had a slope of its own.
    """
    with copied(game, seed) as copy, evaluating(copy):
        real = batch.to(copy.device)
        critic = copy.critic(real.y)
        if critic is None:
            return None
        fake = copy.sample(copy.latents(len(real.x)), real.y)
        with torch.enable_grad():
            slope = slopes(critic, torch.lerp(fake, real.x, per_sample_uniform(real.x))).detach().double()
    return Slopes(float(slope.mean()), float(slope.std(correction=0)), float((slope > 1).double().mean()), len(slope))
