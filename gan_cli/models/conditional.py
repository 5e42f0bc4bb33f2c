"""one_hot, embedding, embedding_fixup, projection, projection_fixup: conditional players, wrappers of unconditional ones.

The argument ``inner`` makes the wrapped network. It has all arguments but those that depend on the wrapper: it is called
with ``shape``, ``classes`` and, for a generator, ``latent_dim``.
"""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.models.base import Discriminator, Generator, Kind, require_features
from gan_cli.models.layers import embedded


class LabelEncoding(nn.Module):
    """e(y): labels ``[B]`` -> ``[B, dim]``.

    Args:
        classes: Number of classes.
        embedding_dim: Size of a learnt embedding, initialised from N(0, 1); None for a one-hot encoding.

    Raises:
        UserError: If the data set has no classes, or if ``forward`` is called without labels.
    """

    def __init__(self, classes: int, embedding_dim: int | None) -> None:
        super().__init__()
        require_classes(classes)
        self.table: Tensor
        if embedding_dim is None:
            self.register_buffer("table", torch.eye(classes), persistent=False)
        else:
            checks.count("embedding_dim", embedding_dim)
            self.table = nn.Parameter(torch.randn(classes, embedding_dim))
        self.dim = self.table.shape[1]

    def forward(self, y: Tensor | None) -> Tensor:
        return embedded(require_labels(y), self.table)


class LabelledGenerator(Generator):
    """G(z, y) = inner([z, e(y)]): the label is concatenated to the latents (Mirza and Osindero, 2014).

    For latents of sequences ``[B, T, latent_dim]`` it is concatenated at every step (Hyland et al., 2017).

    Args:
        latent_dim: Number of latents, without the label.
        embedding_dim: Size of a learnt embedding of the label; None for a one-hot encoding.
        inner: Function that makes the wrapped generator.

    Raises:
        UserError: If the data set has no classes.
    """

    kind: ClassVar[Kind] = "wrapper"
    conditional: ClassVar[bool] = True

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        latent_dim: int,
        embedding_dim: int | None,
        inner: Callable[..., Generator],
    ) -> None:
        super().__init__()
        checks.counts(latent_dim=latent_dim)
        self.latent_dim = latent_dim
        self.labels = LabelEncoding(classes, embedding_dim)
        self.inner = inner(shape=shape, classes=classes, latent_dim=latent_dim + self.labels.dim)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Latent shape of the wrapped generator without the label."""
        return (*self.inner.latent_shape[:-1], self.latent_dim)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.inner(concat_features(z, self.labels(y)))


class LabelledDiscriminator(Discriminator):
    """D(x, y) = inner([x, e(y)]): the label is concatenated to the sample (Mirza and Osindero, 2014).

    The numbers of e(y) become additional channels of images ``[B, C, H, W]``, constant over the image; additional
    coordinates of points ``[B, d]``; additional features of sequences ``[B, T, F]``, the same at every step.

    Args:
        embedding_dim: Size of a learnt embedding of the label; None for a one-hot encoding.
        inner: Function that makes the wrapped discriminator.

    Raises:
        UserError: If the data set has no classes.
    """

    kind: ClassVar[Kind] = "wrapper"
    conditional: ClassVar[bool] = True

    def __init__(
        self, shape: tuple[int, ...], classes: int, embedding_dim: int | None, inner: Callable[..., Discriminator]
    ) -> None:
        super().__init__()
        self.labels = LabelEncoding(classes, embedding_dim)
        steps = shape[:1] if len(shape) == 2 else ()
        self.inner = inner(shape=(*steps, shape[len(steps)] + self.labels.dim, *shape[len(steps) + 1 :]), classes=classes)
        self.stepwise = getattr(self.inner, "stepwise", False)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        e = self.labels(y)
        if x.ndim == 3:
            return self.inner(concat_features(x, e))
        planes = e.to(x.dtype).reshape(*e.shape, *[1] * (x.ndim - 2)).expand(-1, -1, *x.shape[2:])
        return self.inner(torch.cat([x, planes], 1))


class ProjectionDiscriminator(Discriminator):
    """D(x, y) = v_y . phi(x) + psi(phi(x)): projection of the label's embedding on the features (Miyato and Koyama, 2018).

    phi are the features of ``inner`` and psi is its last layer. The optimal logit has this form if log p(y|x) is linear in
    phi. v starts at N(0, 0.02), nearly unconditional.

    Args:
        inner: Function that makes the wrapped discriminator.

    Raises:
        UserError: If the data set has no classes, or if the wrapped discriminator does not expose its features.
    """

    kind: ClassVar[Kind] = "wrapper"
    conditional: ClassVar[bool] = True

    def __init__(self, shape: tuple[int, ...], classes: int, inner: Callable[..., Discriminator]) -> None:
        super().__init__()
        require_classes(classes)
        self.inner = require_features(inner(shape=shape, classes=classes), "model/discriminator=projection")
        self.v = nn.Embedding(classes, self.inner.feature_dim)
        nn.init.normal_(self.v.weight, 0.0, 0.02)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        phi = self.inner.features(x)
        return (self.v(require_labels(y)) * phi).sum(1) + self.inner.logits(phi)


def concat_features(x: Tensor, e: Tensor) -> Tensor:
    """Return [x, e], with e the same at every step of a sequence.

    Args:
        x: Points ``[B, d]`` or sequences ``[B, T, d]``.
        e: Numbers to append to each sample, ``[B, k]``.

    Returns:
        ``[B, d + k]`` or ``[B, T, d + k]``.
    """
    return torch.cat([x, e.to(x.dtype).reshape(e.shape[0], *[1] * (x.ndim - 2), -1).expand(*x.shape[:-1], -1)], -1)


def require_classes(classes: int) -> None:
    """Check that the data set has classes.

    Raises:
        UserError: If ``classes`` is 0.
    """
    if not classes:
        raise UserError(
            "a conditional game needs labels, but this data set has no classes.\n"
            "Use one with classes, such as fashion_mnist_mini, ring or a folder with one subfolder per class; "
            "or an unconditional model."
        )


def looks_at_labels(player: nn.Module) -> bool:
    """Return True if the output of a player depends on labels; a network of the user's own may not say so."""
    return bool(getattr(player, "conditional", False))


def refuse_labels(reason: str, *players: nn.Module) -> None:
    """Check that no player looks at labels.

    Args:
        reason: The reason why they must not, the beginning of a sentence.
        *players: The players.

    Raises:
        UserError: If one does.
    """
    for player in players:
        if looks_at_labels(player):
            raise UserError(
                f"{reason}, and {type(player).__name__} looks at them.\nTake an unconditional model, or game=cgan for labels."
            )


def require_labels(y: Tensor | None) -> Tensor:
    """Return the labels ``y``.

    Raises:
        UserError: If ``y`` is None.
    """
    if y is None:
        raise UserError("these players are conditional, but some or all samples of this data set have no labels.")
    return y
