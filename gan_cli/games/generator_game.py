"""Base classes of games with a generator."""

import torch
from torch import Tensor, nn

from gan_cli.games.base import Game
from gan_cli.models.base import Generator


class GeneratorGame(Game):
    """A game whose samples are G(z, y)."""

    generator: Generator

    def sample(self, latents: Tensor, y: Tensor | None = None) -> Tensor:
        return self.generator(latents, y).to(latents.dtype)  # autocast leaves images in bfloat16


class NormalLatents(GeneratorGame):
    """A game whose samples are G(z, y) with z ~ N(0, I), which can be truncated."""

    @property
    def law(self) -> str:
        return "N(0, I)"

    def latents(self, n: int) -> Tensor:
        return torch.randn(n, *self.generator.latent_shape, device=self.device)

    def truncated(self, n: int, threshold: float) -> Tensor:
        z = torch.empty(n, *self.generator.latent_shape, device=self.device)
        return nn.init.trunc_normal_(z, a=-threshold, b=threshold)  # the same law as drawing again whatever lies outside
