"""The contract of a player's network, and the shapes it may ask for."""

from typing import ClassVar

from torch import Tensor, nn

from gan_cli import checks
from gan_cli.errors import FieldError, UserError


class Generator(nn.Module):
    """G(z, y): latents ``[B, *latent_shape]``, and labels where there are any, to samples ``[B, *shape]``.

    Images lie in [-1, 1], sequences in [0, 1]. ``conditional``: whether it looks at the labels.
    """

    conditional: ClassVar[bool] = False
    latent_dim: int

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Of one sample's latents: ``(latent_dim,)``, or ``(T, latent_dim)`` where every time step has noise of its own."""
        return (self.latent_dim,)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        raise NotImplementedError


class Discriminator(nn.Module):
    """D(x, y): samples ``[B, *shape]``, and labels where there are any, to logits ``[B]`` (or batch first, any shape).

    ``conditional``: whether it looks at the labels.
    """

    conditional: ClassVar[bool] = False

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        raise NotImplementedError


class FeatureDiscriminator(Discriminator):
    """D(x) = psi(phi(x)): a trunk phi and a last layer psi, apart, so that other heads can look at the same features.

    ``feature_dim``: numbers in phi(x).
    """

    feature_dim: int

    def features(self, x: Tensor) -> Tensor:
        """phi: samples ``[B, *shape]`` -> features ``[B, feature_dim]``, after the last nonlinearity."""
        raise NotImplementedError

    def judge(self, features: Tensor) -> Tensor:
        """psi: features ``[B, feature_dim]`` -> logits ``[B]``."""
        raise NotImplementedError

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.judge(self.features(x))


def with_features(discriminator: nn.Module, wants: str) -> FeatureDiscriminator:
    """``discriminator`` itself; UserError if it keeps its features to itself, which ``wants`` puts a head on."""
    if not isinstance(discriminator, FeatureDiscriminator):
        raise UserError(
            f"{wants} puts a head on the discriminator's features, and {type(discriminator).__name__} shows none.\n"
            "Take one that does: dcgan, mlp, resnet_sngan, resnet_wgan_gp, or smaller kin of them; for sequences recurrent."
        )
    return discriminator


class Denoiser(nn.Module):
    """eps(x_t, t, y): the noise in noisy samples ``[B, *shape]`` at times ``[B]`` (int64, 1 ... T), of the same shape.

    ``shape``: of a sample. ``classes``: how many labels it tells apart; 0: it looks at none. ``y``: int64 ``[B]``, where
    ``classes`` itself stands for no label, as None does for the whole batch.
    """

    shape: tuple[int, ...]
    classes: int

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        raise NotImplementedError


def looked_at(classes: int, conditional: bool) -> int:
    """How many classes a network tells apart. Raises UserError where it should, but the data has none."""
    checks.flag("conditional", conditional)
    if conditional and not classes:
        raise FieldError("conditional", conditional, "this data set has no classes. Leave it out, or choose another dataset.")
    return classes if conditional else 0


def image_size(shape: tuple[int, ...], network: str, group: str = "model") -> tuple[int, int]:
    """(channels, side) of square images whose side is a power of two from 8 to 256; anything else is a UserError.

    ``network``: the option of ``group`` that needs them.
    """
    if len(shape) != 3:
        raise UserError(
            f"{group}={network} needs images, but this data set's samples have shape {tuple(shape)}.\n"
            "Use model=mlp_small (or model=mlp) for points, model=cgan_mlp for points with labels,\n"
            "model=recurrent for sequences."
        )
    channels, height, width = shape
    if height != width or not 8 <= height <= 256 or height & (height - 1):
        raise UserError(
            f"{group}={network} needs square images whose side is a power of two from 8 to 256, not {height}x{width}.\n"
            "Set dataset.size=64, for instance, or use model=mlp."
        )
    return channels, height


def sequence(shape: tuple[int, ...], network: str) -> tuple[int, int]:
    """(T, F): steps and features of sequences; anything else is a UserError. ``network``: the option that needs them."""
    if len(shape) != 2:
        raise UserError(
            f"model={network} needs sequences, but this data set's samples have shape {tuple(shape)}.\n"
            "Take a data set of sequences, such as dataset=sines, or another model."
        )
    return shape[0], shape[1]
