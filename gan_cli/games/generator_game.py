"""What games with a generator of z ~ N(0, I) share."""

import torch
from torch import Tensor, nn

from gan_cli.games.base import Game
from gan_cli.models.base import Generator


class GeneratorGame(Game):
    """Samples are G(z, y), z ~ N(0, I)."""

    generator: Generator

    def latents(self, n: int) -> Tensor:
        return torch.randn(n, *self.generator.latent_shape, device=self.device)

    def truncated(self, n: int, threshold: float) -> Tensor:
        z = torch.empty(n, *self.generator.latent_shape, device=self.device)
        return nn.init.trunc_normal_(z, a=-threshold, b=threshold)  # the law of drawing again whatever lies outside

    def sample(self, latents: Tensor, y: Tensor | None = None) -> Tensor:
        return self.generator(latents, y).to(latents.dtype)  # autocast leaves images in bfloat16
