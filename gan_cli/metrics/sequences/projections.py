"""Projections of sequences to the plane, for plots of generated sequences among real ones."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

PERPLEXITY = 40
"""Perplexity of t-SNE, as published by Yoon et al. (TimeGAN, 2019); for fewer sequences, one third of their number."""

ITERATIONS = 500
"""Iterations of t-SNE; 300 were published."""


class Plane(NamedTuple):
    """Points of one plane.

    Attributes:
        real: ``[N, 2]``.
        fake: ``[M, 2]``.
    """

    real: Tensor
    fake: Tensor


def pca(real: Tensor, fake: Tensor) -> tuple[Plane, float]:
    """Project both sets to the two principal axes of the real one.

    Every sequence is one vector of T·F numbers. The published code of TimeGAN takes the mean over features first, which hides
    the dependence between features.

    Args:
        real: ``[N, T, F]``.
        fake: ``[M, T, F]``.

    Returns:
        The projections, and the share of the real set's variance along the two axes.
    """
    from sklearn.decomposition import PCA  # an optional package, imported where it is used

    axes = PCA(n_components=2, svd_solver="full").fit(_vectors(real))
    plane = Plane(*(torch.from_numpy(axes.transform(_vectors(x))) for x in (real, fake)))
    return plane, float(axes.explained_variance_ratio_.sum())


def tsne(real: Tensor, fake: Tensor) -> Plane:
    """Embed both sets together by t-SNE; neighbours stay neighbours, but distances have no meaning.

    Every sequence is one vector of T·F numbers. The embedding starts from their principal axes and uses a fixed seed. Van der
    Maaten, Hinton: Visualizing Data using t-SNE (2008).

    Args:
        real: ``[N, T, F]``.
        fake: ``[M, T, F]``.
    """
    from sklearn.manifold import TSNE

    both = np.concatenate([_vectors(real), _vectors(fake)])
    model = TSNE(perplexity=min(PERPLEXITY, (len(both) - 1) / 3), init="pca", random_state=0, max_iter=ITERATIONS)
    points = torch.from_numpy(model.fit_transform(both))
    return Plane(points[: len(real)], points[len(real) :])


def _vectors(x: Tensor) -> np.ndarray:
    return x.double().flatten(1).numpy()
