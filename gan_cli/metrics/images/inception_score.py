"""Inception Score: are samples of one clear class each, and of many classes together?

Salimans et al.: Improved Techniques for Training GANs (2016), https://arxiv.org/abs/1606.03498.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded


class Score(NamedTuple):
    """A mean over splits, and its standard error (None for a single split)."""

    value: float
    error: float | None


def inception_score(logits: Tensor, splits: int = 10) -> Score:
    """exp(mean_x KL(p(y|x) ‖ p(y))) of a classifier's ``logits`` ``[N, K]``: the mean over ``splits`` parts of the samples.

    The parts are consecutive and p(y) is the mean of p(y|x) within a part, so the order must be random. Between 1 (all
    samples look alike to the classifier) and K (clear, and equally many of each class), and never above N/splits: it grows
    with N, compare only numbers from the same N. In float64 on the CPU.

    The error is the standard deviation (with 1/(splits − 1)) over √splits. Published scores, and torchmetrics and
    torch-fidelity, give the standard deviation itself, about three times as much with ten splits.

    Raises UserError for fewer than two samples a split, NaN or Inf.
    """
    checks.count("splits", splits)
    if logits.ndim != 2:
        raise UserError(f"Inception Score: the logits must be [N, K] and are {list(logits.shape)}.")
    if len(logits) < 2 * splits:
        raise UserError(f"Inception Score: needs at least {2 * splits} samples for {splits} splits and got {len(logits)}.")
    if not logits.isfinite().all():
        raise UserError("Inception Score: the logits hold NaN or Inf.")
    n, classes = logits.shape
    bounds = [split * n // splits for split in range(splits + 1)]
    parts = [logits[start:stop].detach().cpu().double() for start, stop in itertools.pairwise(bounds)]
    scores = torch.stack([_mean_divergence(part) for part in parts]).exp().clamp(1, classes)
    return Score(float(scores.mean()), float(scores.std()) / splits**0.5 if splits > 1 else None)


@dataclass(frozen=True)
class InceptionScore(Metric):
    """The Inception Score of the generated samples, by the classifier that the ``features`` belong to.

    Real samples do not enter it: it cannot see memorised or missing variety within a class. Raises UserError for ``splits``
    out of range.
    """

    splits: int = 10
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self):
        super().__post_init__()
        checks.count("splits", self.splits)

    def fitted(self, data: Data, device: torch.device) -> Self:
        """This metric with its features fitted; UserError now, not after hours of training, where they have no logits."""
        features = self.features.fitted(data, device)
        _classified(features.encode(data.train.batch(torch.zeros(1, dtype=torch.int64)).x), features.name)
        return dataclasses.replace(self, features=features)

    @property
    def name(self) -> str:
        """``is_<features>``."""
        return self.features.label("is")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """``inception_score`` of the generated samples' logits."""
        score = inception_score(_classified(fake, self.features.name), self.splits)
        return {self.name: Value(score.value, score.error, higher_is_better=True)}


def _classified(samples: Encoded, extractor: str) -> Tensor:
    if samples.logits is None:
        raise UserError(
            f"metric=inception_score needs a classifier's logits, and features={extractor} has none.\n"
            "Choose features=inception, efficientnet_lite0 or classifier."
        )
    return samples.logits


def _mean_divergence(logits: Tensor) -> Tensor:
    """mean_x KL(p(y|x) ‖ p(y)) for float64 logits ``[n, K]``; finite for any, since no probability's logarithm is taken."""
    log_p = logits.log_softmax(1)
    log_marginal = log_p.logsumexp(0) - math.log(len(logits))
    return (log_p.exp() * (log_p - log_marginal)).sum(1).mean()
