"""Players that look at labels, each around one that does not.

``inner`` is that one, with all its arguments but the data's shape, which the wrapper changes: it is called with ``shape``,
``classes`` and, a generator, with ``latent_dim``.
"""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.models.base import Discriminator, Generator, with_features


class Labels(nn.Module):
    """e(y): labels ``[B]`` -> ``[B, dim]``. ``embedding_dim``: of a learnt table that starts at N(0, 1); None: one-hot.

    Raises UserError for data without classes, and where it is asked without labels.
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
        return embedding(given(y), self.table)


class LabelledGenerator(Generator):
    """G(z, y) = inner([z, e(y)]): the label joined to the latents (Mirza and Osindero, 2014).

    Latents of sequences ``[B, T, latent_dim]`` are joined by it at every step (Hyland et al., 2017). ``latent_dim``: of z
    alone. ``embedding_dim``: see ``Labels``.
    """

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
        self.labels = Labels(classes, embedding_dim)
        self.inner = inner(shape=shape, classes=classes, latent_dim=latent_dim + self.labels.dim)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """As the network inside has it, without the label."""
        return (*self.inner.latent_shape[:-1], self.latent_dim)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.inner(joined(z, self.labels(y)))


class LabelledDiscriminator(Discriminator):
    """D(x, y) = inner([x, e(y)]): the label joined to the sample (Mirza and Osindero, 2014).

    To images ``[B, C, H, W]`` each number of e(y) is a further channel, constant over the image; to points ``[B, d]`` a
    further coordinate; to sequences ``[B, T, F]`` a further feature, at every step. ``embedding_dim``: see ``Labels``.
    """

    conditional: ClassVar[bool] = True

    def __init__(
        self, shape: tuple[int, ...], classes: int, embedding_dim: int | None, inner: Callable[..., Discriminator]
    ) -> None:
        super().__init__()
        self.labels = Labels(classes, embedding_dim)
        steps = shape[:1] if len(shape) == 2 else ()
        self.inner = inner(shape=(*steps, shape[len(steps)] + self.labels.dim, *shape[len(steps) + 1 :]), classes=classes)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        e = self.labels(y)
        if x.ndim == 3:
            return self.inner(joined(x, e))
        planes = e.to(x.dtype).reshape(*e.shape, *[1] * (x.ndim - 2)).expand(-1, -1, *x.shape[2:])
        return self.inner(torch.cat([x, planes], 1))


class ProjectionDiscriminator(Discriminator):
    """D(x, y) = v_y . phi(x) + psi(phi(x)), phi the features of ``inner`` and psi its last layer (Miyato and Koyama, 2018).

    The form that the optimal logit has where log p(y|x) is linear in phi. v starts at N(0, 0.02), nearly unconditional.
    Raises UserError for data without classes.
    """

    conditional: ClassVar[bool] = True

    def __init__(self, shape: tuple[int, ...], classes: int, inner: Callable[..., Discriminator]) -> None:
        super().__init__()
        require_classes(classes)
        self.inner = with_features(inner(shape=shape, classes=classes), "A projection")
        self.v = nn.Embedding(classes, self.inner.feature_dim)
        nn.init.normal_(self.v.weight, 0.0, 0.02)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        phi = self.inner.features(x)
        return (self.v(given(y)) * phi).sum(1) + self.inner.judge(phi)


def joined(x: Tensor, e: Tensor) -> Tensor:
    """[x, e]: ``[B, d]``, or ``[B, T, d]`` at every step, with ``[B, k]`` -> d + k numbers instead of d."""
    return torch.cat([x, e.to(x.dtype).reshape(len(e), *[1] * (x.ndim - 2), -1).expand(*x.shape[:-1], -1)], -1)


def require_classes(classes: int) -> None:
    """UserError for data without classes."""
    if not classes:
        raise UserError(
            "a conditional game needs labels, and this data set has no classes.\n"
            "Take one that has, such as fashion_mnist_mini, ring or a folder with a subfolder for each class; "
            "or an unconditional model."
        )


def given(y: Tensor | None) -> Tensor:
    """The labels; UserError where there are none."""
    if y is None:
        raise UserError("these players look at labels, and none were given: some samples of this data set, or all, have none.")
    return y
