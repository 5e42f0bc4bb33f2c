"""First-order diagnostics: how long the players' gradients are, and how steep the critic is."""

from typing import NamedTuple

import torch

from gan_cli.diagnostics.field import copied, flat, own_gradient
from gan_cli.games.base import Game
from gan_cli.games.sampling import eval_mode
from gan_cli.regularizers.base import per_sample_uniform, slopes
from gan_cli.types import Batch


def gradient_norms(game: Game, batch: Batch, seed: int | str = 0) -> dict[str, float]:
    """‖∇ of each player's own loss‖ with respect to its own parameters, by player: 0 for all of them at an equilibrium."""
    with copied(game, seed) as copy:
        return {player: float(flat(own_gradient(copy, player, batch, seed).vectors).norm()) for player in copy.turns()}


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
    with copied(game, seed) as copy, eval_mode(copy):
        real = batch.to(copy.device)
        critic = copy.critic(real.y)
        if critic is None:
            return None
        fake = copy.sample(copy.latents(len(real.x)), real.y)
        with torch.enable_grad():
            slope = slopes(critic, torch.lerp(fake, real.x, per_sample_uniform(real.x))).detach().double()
    return Slopes(float(slope.mean()), float(slope.std(correction=0)), float((slope > 1).double().mean()), len(slope))
