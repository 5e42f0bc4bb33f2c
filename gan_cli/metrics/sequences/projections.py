"""Sequences as points in the plane: where generated ones lie among real ones."""

from typing import NamedTuple

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from torch import Tensor

PERPLEXITY = 40
"""Of t-SNE, as Yoon et al. (TimeGAN, 2019) published it; of fewer sequences a third of them."""

ROUNDS = 500
"""Of t-SNE; published: 300."""


class Plane(NamedTuple):
    """``real``, ``fake``: points ``[N, 2]``, ``[M, 2]`` of one plane."""

    real: Tensor
    fake: Tensor


def pca(real: Tensor, fake: Tensor) -> tuple[Plane, float]:
    """Both sets ``[N, T, F]`` on the two principal axes of the real one, and the share of its variance that lies there.

    Every sequence is one vector of T·F numbers. The published code of TimeGAN takes the mean over the features first, and
    does not see then how they hang together.
    """
    axes = PCA(n_components=2, svd_solver="full").fit(_vectors(real))
    plane = Plane(*(torch.from_numpy(axes.transform(_vectors(x))) for x in (real, fake)))
    return plane, float(axes.explained_variance_ratio_.sum())


def tsne(real: Tensor, fake: Tensor) -> Plane:
    """Both sets ``[N, T, F]``, as vectors of T·F numbers, in one t-SNE: neighbours stay neighbours, distances mean nothing.

    It starts from their principal axes and draws from a seed of its own. Van der Maaten, Hinton: Visualizing Data using t-SNE
    (2008).
    """
    both = np.concatenate([_vectors(real), _vectors(fake)])
    model = TSNE(perplexity=min(PERPLEXITY, (len(both) - 1) / 3), init="pca", random_state=0, max_iter=ROUNDS)
    found = torch.from_numpy(model.fit_transform(both))
    return Plane(found[: len(real)], found[len(real) :])


def _vectors(x: Tensor) -> np.ndarray:
    return x.double().flatten(1).numpy()
