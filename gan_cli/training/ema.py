"""Exponential moving average of the players."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.types import Stats


class EMA:
    """Exponential moving average of a whole game; its copy is sampled, measured and drawn, and is always in eval mode.

    theta_ema <- d theta_ema + (1 - d) theta with d = min(decay, (1 + t) / (10 + t)), so that the initial weights are soon
    forgotten. The running statistics of batch norm are averaged like the parameters, because those of the trained players
    belong to other weights than the averaged ones. All other buffers are copied.

    Args:
        game: The game that is being trained.
        decay: Decay in [0, 1). 0 keeps a plain copy.

    Raises:
        UserError: If the decay is outside [0, 1).
    """

    def __init__(self, game: Game, decay: float) -> None:
        if not 0 <= decay < 1:
            raise UserError(f"ema={decay} is not a decay: 0 <= ema < 1, for instance ema=0.999 (ema=null: no average).")
        self.decay = decay
        self.game = deepcopy(game).requires_grad_(False).eval()
        (self.mean, self.buffers), (self.live, self.live_buffers) = _split(self.game), _split(game)

    @torch.no_grad()
    def __call__(self, step: int, stats: Stats) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        if self.mean:  # a game without parameters has nothing to average
            torch._foreach_lerp_(self.mean, self.live, 1 - decay)
        for buffer, live in zip(self.buffers, self.live_buffers, strict=True):
            buffer.copy_(live)


def _split(game: Game) -> tuple[list[Tensor], list[Tensor]]:
    """Return the tensors that are averaged, and those that are copied."""
    statistics = [
        buffer
        for module in game.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        for buffer in (module.running_mean, module.running_var)
        if buffer is not None
    ]
    ids = {id(buffer) for buffer in statistics}
    return [*game.parameters(), *statistics], [buffer for buffer in game.buffers() if id(buffer) not in ids]
