"""Instance noise that fades out during training."""

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.augmentations.base import Augmentation
from gan_cli.parallel import draws
from gan_cli.types import Stats


class InstanceNoise(Augmentation):
    """x + sigma_t e, e ~ N(0, I), for data and fakes (Sønderby et al., 2017; Arjovsky and Bottou, 2017).

    Noise gives both distributions the same support, so that their divergence is finite and its gradient does not vanish.
    Works for samples of any shape.

    Args:
        std: Standard deviation sigma_0 at the start, at least 0, in units of the samples.
        turns: Number of D's turns over which sigma_t falls linearly to 0.

    Raises:
        UserError: If ``std`` is negative or ``turns`` is below 1.
    """

    turn: Tensor

    def __init__(self, std: float, turns: int) -> None:
        super().__init__()
        checks.number("std", std, least=0)
        checks.count("turns", turns)
        self.std, self.turns = std, turns
        self.register_buffer("turn", torch.tensor(0.0))

    def sigma(self) -> Tensor:
        """Return the current standard deviation of the noise, 0-d."""
        return self.std * (1 - self.turn / self.turns).clamp(min=0)

    def transform(self, x: Tensor) -> Tensor:
        return x + self.sigma().to(x.dtype) * draws.randn_like(x)

    def adapt(self) -> None:
        self.turn += 1

    def stats(self) -> Stats:
        return {"augmentation/sigma": self.sigma()}
