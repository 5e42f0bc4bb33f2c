"""The contract of a player's network, and the shapes it may ask for."""

from torch import Tensor, nn

from gan_cli.errors import UserError


class Generator(nn.Module):
    """G(z, y): latents ``[B, latent_dim]``, and labels where there are any, to samples ``[B, *shape]``; images in [-1, 1]."""

    latent_dim: int

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        raise NotImplementedError


class Discriminator(nn.Module):
    """D(x, y): samples ``[B, *shape]``, and labels where there are any, to logits ``[B]`` (or batch first, any shape)."""

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        raise NotImplementedError

    def features(self, x: Tensor) -> Tensor:
        """What the last layer looks at ``[B, k]``; a UserError where a network has no such thing."""
        raise UserError(f"{type(self).__name__} has no features to offer: take model/discriminator=dcgan or mlp.")


def image_size(shape: tuple[int, ...], network: str, instead: str = "model=mlp_small (or model=mlp)") -> tuple[int, int]:
    """(channels, side) of square images whose side is a power of two from 8 to 256; anything else is a UserError.

    ``network``: which one asks; ``instead``: what to take for points.
    """
    if len(shape) != 3:
        raise UserError(
            f"model={network} needs images, but this data set's samples have shape {tuple(shape)}.\nUse {instead} for points."
        )
    channels, height, width = shape
    if height != width or not 8 <= height <= 256 or height & (height - 1):
        raise UserError(
            f"model={network} needs square images whose side is a power of two from 8 to 256, not {height}x{width}.\n"
            "Set dataset.size=64, for instance, or use model=mlp."
        )
    return channels, height
