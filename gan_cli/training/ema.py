"""Exponential moving average of the players."""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn

from gan_cli.games.base import Game
from gan_cli.schedules.averages import Averaging
from gan_cli.schedules.laws import Progress
from gan_cli.types import Stats


class EMA:
    """Exponential moving average of a whole game; its copy is sampled, measured and drawn, and is always in eval mode.

    theta_ema <- d theta_ema + (1 - d) theta, where ``averaging`` says d. The running statistics of batch norm are averaged like
    the parameters, because those of the trained players belong to other weights than the averaged ones. All other buffers are
    copied.

    Args:
        game: The game that is being trained.
        averaging: The decay of each round.
        images: Returns the number of images before the round that was played last, and of this round.
    """

    def __init__(self, game: Game, averaging: Averaging, images: Callable[[], tuple[int, int]] = lambda: (0, 0)) -> None:
        self.averaging, self.images = averaging, images
        self.game = deepcopy(game).requires_grad_(False).eval()
        (self.mean, self.buffers), (self.live, self.live_buffers) = _split(self.game), _split(game)

    @torch.no_grad()
    def __call__(self, step: int, stats: Stats) -> None:
        before, of_round = self.images()
        decay = self.averaging(Progress(step - 1, before), of_round)
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
