"""First-order diagnostics: the norms of the players' gradients and the slope of the critic."""

from typing import NamedTuple

import torch

from gan_cli.diagnostics.field import own_gradient, tensors_to_vector, training_copy
from gan_cli.games.base import Game
from gan_cli.games.sampling import eval_mode
from gan_cli.regularizers.base import per_sample_uniform, slopes
from gan_cli.types import Batch


def gradient_norms(game: Game, batch: Batch, seed: int | str = 0) -> dict[str, float]:
    """Return, by player, the norm of the gradient of its own loss with respect to its own parameters; 0 at an equilibrium.

    Args:
        game: The game.
        batch: Data on which the losses are computed.
        seed: Determines all random draws.
    """
    with training_copy(game, seed) as copy:
        return {
            player: float(tensors_to_vector(own_gradient(copy, player, batch, seed).vectors).norm()) for player in copy.turns()
        }


class Slopes(NamedTuple):
    """‖∇_x D(x̂)‖ over interpolates x̂.

    Attributes:
        mean: Mean slope.
        std: Standard deviation of the slopes.
        share_above_1: Share of slopes above 1, in [0, 1].
        n: Number of interpolates.
    """

    mean: float
    std: float
    share_above_1: float
    n: int


def critic_slopes(game: Game, batch: Batch, seed: int | str = 0) -> Slopes | None:
    """Return the slopes of the critic at x̂ = εx + (1 − ε)G(z), with one ε ~ U[0, 1] per sample (Gulrajani et al., 2017).

    The critic is in evaluation mode: in training mode batch norm would couple the samples, so that no slope belonged to a
    single sample.

    Args:
        game: The game.
        batch: Real samples x.
        seed: Determines z and ε.

    Returns:
        The slopes, or None if the game has no critic.
    """
    with training_copy(game, seed) as copy, eval_mode(copy):
        real = batch.to(copy.device)
        critic = copy.critic(real.y)
        if critic is None:
            return None
        fake = copy.sample(copy.latents(len(real.x)), real.y)
        with torch.enable_grad():
            slope = slopes(critic, torch.lerp(fake, real.x, per_sample_uniform(real.x))).detach().double()
    return Slopes(float(slope.mean()), float(slope.std(correction=0)), float((slope > 1).double().mean()), len(slope))
