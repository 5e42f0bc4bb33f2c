"""Interfaces of the players' networks, and checks of the shapes that they support."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from torch import Tensor, nn

from gan_cli import checks
from gan_cli.contracts import LOGITS, TENSOR, Contract
from gan_cli.errors import FieldError, UserError

Kind = Literal["convolutional", "attentive", "wrapper", "other"]
"""The work of a network, by which ``precision=auto`` and ``memory_format=auto`` choose: two-dimensional convolutions alone,
convolutions and self-attention, that of the networks inside it, or anything else."""


class Generator(Contract, nn.Module, ABC):
    """G(z, y): latents ``[B, *latent_shape]`` and optional labels ``[B]`` to samples ``[B, *shape]``.

    Images lie in [-1, 1] and sequences in [0, 1]. Constructors take ``shape``, the shape of one sample, and ``classes``, the
    number of labels (0 without labels), from the data set; all other arguments are keys of the config.

    Attributes:
        kind: The work of the network.
        conditional: True if the output depends on the labels.
        latent_dim: Number of latents of a sample, or of a time step of a sequence.
    """

    contract: ClassVar = {"forward": TENSOR}
    kind: ClassVar[Kind] = "other"
    conditional: ClassVar[bool] = False
    latent_dim: int

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Shape of one sample's latents: ``(latent_dim,)``, or ``(T, latent_dim)`` if every time step has its own noise."""
        return (self.latent_dim,)

    @abstractmethod
    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return G(z, y)."""


class Discriminator(Contract, nn.Module, ABC):
    """D(x, y): samples ``[B, *shape]`` and optional labels ``[B]`` to logits ``[B]`` (or batch first, any shape).

    Constructors take ``shape`` and ``classes`` from the data set, as those of ``Generator`` do.

    Attributes:
        kind: The work of the network.
        conditional: True if the logits depend on the labels.
        source: Shape of the sources that it sees beside the samples; None if it sees samples alone.
        stepwise: True if every step of a sequence has a logit of its own.
    """

    contract: ClassVar = {"forward": LOGITS, "features": TENSOR, "logits": TENSOR}
    kind: ClassVar[Kind] = "other"
    conditional: ClassVar[bool] = False
    source: tuple[int, ...] | None = None
    stepwise: bool = False

    @abstractmethod
    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return D(x, y)."""


class FeatureDiscriminator(Discriminator):
    """D(x) = psi(phi(x)): a trunk phi and a last layer psi, separated so that other heads can use the same features.

    Attributes:
        feature_dim: Number of features in phi(x).
    """

    feature_dim: int

    @abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """Return phi(x): samples ``[B, *shape]`` to features ``[B, feature_dim]``, after the last nonlinearity."""

    @abstractmethod
    def logits(self, features: Tensor) -> Tensor:
        """Return psi(phi): features ``[B, feature_dim]`` to logits ``[B]``."""

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.logits(self.features(x))


def require_features(discriminator: nn.Module, user: str) -> FeatureDiscriminator:
    """Check that ``discriminator`` exposes its features.

    Args:
        discriminator: Any network.
        user: Name of the component that adds a head to the features, for the message.

    Returns:
        The same discriminator.

    Raises:
        UserError: If the discriminator is no ``FeatureDiscriminator``.
    """
    if not isinstance(discriminator, FeatureDiscriminator):
        raise UserError(
            f"{user} adds a head to the discriminator's features, but {type(discriminator).__name__} does not expose any.\n"
            "Use dcgan, mlp, resnet_sngan, resnet_wgan_gp or a smaller variant of these; for sequences use recurrent."
        )
    return discriminator


class Denoiser(Contract, nn.Module, ABC):
    """eps(x_t, t, y): predicts the noise in noisy samples ``[B, *shape]`` at times t, with the shape of the samples.

    The times t are int64 ``[B]``, from 1 to T. The labels y are int64 ``[B]``; the label ``classes`` means "no label", and
    None means that the whole batch has none.

    Attributes:
        kind: The work of the network.
        shape: Shape of one sample.
        classes: Number of classes the network distinguishes; 0 if it ignores labels.
    """

    contract: ClassVar = {"forward": TENSOR}
    kind: ClassVar[Kind] = "other"
    shape: tuple[int, ...]
    classes: int

    @abstractmethod
    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        """Return eps(x_t, t, y)."""


def first_parameter(module: nn.Module) -> nn.Parameter | None:
    """Return ``next(module.parameters(), None)``, which takes as long as a layer on a small batch."""
    for parameter in module._parameters.values():
        if parameter is not None:
            return parameter
    for child in module._modules.values():
        if child is not None and (found := first_parameter(child)) is not None:
            return found
    return None


def effective_classes(classes: int, conditional: bool) -> int:
    """Return the number of classes that a network distinguishes.

    Args:
        classes: Number of classes of the data set; 0 if it has none.
        conditional: True if the network depends on the labels.

    Returns:
        ``classes``, or 0 for an unconditional network.

    Raises:
        UserError: If ``conditional`` is true and the data set has no classes.
    """
    checks.flag("conditional", conditional)
    if conditional and not classes:
        raise FieldError("conditional", conditional, "this data set has no classes. Set it to false or use another data set.")
    return classes if conditional else 0


class UnfitModel(UserError):
    """A network does not fit the samples or the game; ``build_game`` adds which models do.

    Args:
        problem: What is wrong, as a sentence.
        hint: What else than another model helps, as a sentence, if anything.
    """

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__("\n".join(filter(None, (problem, hint))))
        self.problem, self.hint = problem, hint


class UnsupportedShape(UnfitModel):
    """A network does not support the shape of the samples."""


def image_size(shape: tuple[int, ...], network: str, group: str = "model", instead: str = "") -> tuple[int, int]:
    """Return (channels, side) of square images whose side is a power of two from 8 to 256.

    Args:
        shape: Shape of one sample.
        network: Option that requires such images, for the message.
        group: Config group of that option.
        instead: What to use for other samples, for the message.

    Raises:
        UnsupportedShape: If samples of this shape are no such images.
    """
    if len(shape) != 3:
        problem = f"{group}={network} needs images, but this data set's samples have shape {tuple(shape)}."
        raise UnsupportedShape(problem, instead)
    channels, height, width = shape
    if height != width or not 8 <= height <= 256 or height & (height - 1):
        raise UnsupportedShape(
            f"{group}={network} needs square images whose side is a power of two from 8 to 256, not {height}x{width}.",
            "Set dataset.size=64, for instance.",
        )
    return channels, height


def sequence_size(shape: tuple[int, ...], network: str) -> tuple[int, int]:
    """Return (T, F), the number of steps and of features of sequences.

    Args:
        shape: Shape of one sample.
        network: Option of ``model`` that requires sequences, for the message.

    Raises:
        UnsupportedShape: If samples of this shape are no sequences.
    """
    if len(shape) != 2:
        raise UnsupportedShape(
            f"model={network} needs sequences, but this data set's samples have shape {tuple(shape)}.",
            "Use a data set of sequences, such as dataset=sines.",
        )
    return shape[0], shape[1]
