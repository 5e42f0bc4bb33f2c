"""Inception Score: each sample should belong clearly to one class, and all samples together to many classes.

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
    """A mean over splits.

    Attributes:
        value: The mean.
        error: Its standard error; None for a single split.
    """

    value: float
    error: float | None


def inception_score(logits: Tensor, splits: int = 10) -> Score:
    """Return exp(mean_x KL(p(y|x) ‖ p(y))), averaged over ``splits`` parts of the samples.

    The parts are consecutive and p(y) is the mean of p(y|x) within a part, so the samples must be in random order. The score is
    1 if the classifier predicts the same for all samples, and K if each sample clearly belongs to one class and all classes are
    equally frequent. It never exceeds N/splits and grows with N: compare only numbers from the same N. It is computed in
    float64 on the CPU.

    The error is the standard deviation over the parts (with 1/(splits − 1)), divided by √splits. Published scores, torchmetrics
    and torch-fidelity report the standard deviation itself, about three times as much with ten splits.

    Args:
        logits: Logits of a classifier, ``[N, K]``.
        splits: Number of parts.

    Raises:
        UserError: If there are fewer than two samples per split, NaN or Inf.
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
    """The Inception Score of the generated samples, by the classifier of the ``features``.

    Real samples are not used, so the score detects neither memorised samples nor a lack of variety within a class.

    Args:
        features: Features with logits.
        n_samples: Number of generated samples.
        split: Unused, since real samples are not used.
        splits: Number of parts that the score is averaged over.

    Raises:
        UserError: If ``splits`` is below 1. In ``fitted``, if the features have no logits.
    """

    splits: int = 10
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.count("splits", self.splits)

    def fitted(self, data: Data, device: torch.device) -> Self:
        """Return this metric with its features fitted; missing logits are reported now, before any training."""
        features = self.features.fitted(data, device)
        _require_logits(features.encode(data.train.batch(torch.zeros(1, dtype=torch.int64)).x), features.name)
        return dataclasses.replace(self, features=features)

    @property
    def least_samples(self) -> int:  # type: ignore[override]
        """Two samples in each split."""
        return 2 * self.splits

    @property
    def name(self) -> str:
        """``is_<features>``."""
        return self.features.label("is")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return the Inception Score of the generated samples."""
        score = inception_score(_require_logits(fake, self.features.name), self.splits)
        return {self.name: Value(score.value, score.error, higher_is_better=True)}


def _require_logits(samples: Encoded, extractor: str) -> Tensor:
    if samples.logits is None:
        raise UserError(
            f"metric=inception_score needs the logits of a classifier, but features={extractor} has none.\n"
            "Use features=inception, efficientnet_lite0 or classifier."
        )
    return samples.logits


def _mean_divergence(logits: Tensor) -> Tensor:
    """Return mean_x KL(p(y|x) ‖ p(y)) for float64 logits ``[n, K]``; log-softmax keeps it finite."""
    log_p = logits.log_softmax(1)
    log_marginal = log_p.logsumexp(0) - math.log(len(logits))
    return (log_p.exp() * (log_p - log_marginal)).sum(1).mean()
