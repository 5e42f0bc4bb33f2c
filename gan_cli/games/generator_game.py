"""Base classes of games with a generator."""

import torch
from torch import Tensor, nn

from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.models.base import Generator
from gan_cli.parallel import draws

NORMAL, UNIFORM = "normal", "uniform"
LAWS = {NORMAL: "N(0, I)", UNIFORM: "U(-1, 1) in every coordinate"}
"""Laws of z."""


class GeneratorGame(Game):
    """A game whose samples are G(z, y)."""

    generator: Generator

    def sample(self, latents: Tensor, y: Tensor | None = None) -> Tensor:
        return self.generator(latents, y).to(latents.dtype)  # autocast leaves images in bfloat16


class IndependentLatents(GeneratorGame):
    """A game whose samples are G(z, y), where the coordinates of z are independent and of one law.

    Attributes:
        latent: ``normal`` for z ~ N(0, I), which can be truncated, or ``uniform`` for z ~ U(-1, 1)^d.
    """

    latent: str = NORMAL

    def set_latent(self, latent: str) -> None:
        """Set the law of the latents, before training.

        Raises:
            UserError: If the generator takes no latents.
        """
        if not self.generator.latent_dim:
            raise UserError(f"latent={latent}: this generator translates sources and takes no latents. Leave it out.")
        self.latent = latent

    @property
    def law(self) -> str:
        return LAWS[self.latent]

    def latents(self, n: int) -> Tensor:
        shape = self.generator.latent_shape
        if self.latent == UNIFORM:
            return 2 * draws.rand(n, *shape, device=self.device) - 1
        return draws.randn(n, *shape, device=self.device)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        return torch.lerp(a, b, t) if self.latent == UNIFORM else super().interpolate(a, b, t)

    def truncated(self, n: int, threshold: float) -> Tensor:
        if self.latent != NORMAL:
            raise UserError(f"truncation is for normal latents, and this run's are {self.latent}. Leave it out.")
        z = torch.empty(n, *self.generator.latent_shape, device=self.device)
        return nn.init.trunc_normal_(z, a=-threshold, b=threshold)  # the same law as drawing again whatever lies outside
