"""Vendi score: the effective number of different samples.

Friedman, Dieng: The Vendi Score: A Diversity Evaluation Metric for Machine Learning (2023), https://arxiv.org/abs/2210.02410.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded


def vendi_score(features: Tensor) -> float:
    """Return exp H(λ), H = −Σ λ log λ, with the eigenvalues λ of K/N and the cosine similarities K_ij = x_iᵀx_j/‖x_i‖‖x_j‖.

    The score is 1 if all samples point in one direction, k for equally many samples in each of k orthogonal directions, and
    at most min(N, d). It grows with N; compare only scores from the same N. The nonzero eigenvalues of K/N are those of
    Σ x xᵀ/N, which is of order d.

    Args:
        features: ``[N, d]``; a vector that is 0 is similar to none.

    Raises:
        UserError: If there are fewer than two samples, or NaN or Inf.
    """
    if features.ndim != 2 or len(features) < 2 or not features.isfinite().all():
        raise UserError(f"Vendi score: needs finite features [N, d] of at least 2 samples and got {list(features.shape)}.")
    x = torch.nn.functional.normalize(features.detach().cpu().double())
    n, d = x.shape
    eigenvalues = torch.linalg.eigvalsh((x.T @ x if d < n else x @ x.T) / n).clamp(min=0)
    return float(torch.special.entr(eigenvalues).sum().exp())


@dataclass(frozen=True)
class Vendi(Metric):
    """The Vendi score of the generated samples in the space of ``features``; the floor is that of real samples.

    Real samples are not used, so variety that the data do not have counts, too.
    """

    within_classes: ClassVar[bool] = True
    higher_is_better: ClassVar[bool] = True
    selects_checkpoint: ClassVar[bool] = False  # variety that the data do not have counts, too

    @property
    def name(self) -> str:
        """``vendi`` for the samples themselves, ``vendi_<features>`` for other features."""
        return self.features.label("vendi")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``vendi``."""
        return {self.name: Value(vendi_score(fake.features), higher_is_better=True)}
