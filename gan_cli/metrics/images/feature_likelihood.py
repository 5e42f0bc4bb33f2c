"""Feature likelihood divergence (FLD): the likelihood of held-out samples under a mixture around the generated ones.

Jiralerspong et al.: Feature Likelihood Divergence: Evaluating the Generalization of Generative Models Using Samples (2023),
https://arxiv.org/abs/2302.04440.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.metrics.base import Value
from gan_cli.metrics.features.base import Encoded, validate_pair
from gan_cli.metrics.images.training_set import AgainstTraining
from gan_cli.metrics.points.mmd import squared_distances

STEPS, RATE = 50, 0.5
"""Number of steps and learning rate of Adam, the published values."""

ORIGIN = 0.9
"""While the variances are fitted, the mixture has one more component, at the mean of the fitted samples; distances to it are
multiplied by this factor."""

LOWEST, HIGHEST = -40.0, 20.0
"""Limits of the logarithm of a variance, which would be −∞ at a copy of a training sample."""


class Divergence(NamedTuple):
    """FLD and its generalisation gap.

    Attributes:
        fld: 100 times the difference between the negative log-likelihood of the held-out samples and that under a mixture
            around training samples, per dimension.
        gap: 100 times the difference between the negative log-likelihoods of the training and of the held-out samples, per
            dimension; below 0 if the generated samples are nearer to the training samples.
    """

    fld: float
    gap: float


def feature_likelihood(fake: Tensor, train: Tensor, heldout: Tensor, steps: int = STEPS) -> Divergence:
    """Return FLD of the generated samples.

    Their density is p(x) = Σ_j N(x; y_j, σ_j² I)/M around the M generated samples. The σ_j are fitted to the training samples,
    so that a copy of a training sample has a small σ_j and explains no held-out sample. Features are scaled to the mean 0 and
    the variance 1 of the held-out samples. The baseline is the density around the first training samples, as many as there
    are generated ones but at most half of them, fitted to the other training samples. FLD is about 0 for samples of the data
    distribution.

    Args:
        fake: Features of generated samples, ``[M, d]``.
        train: Features of training samples, ``[N, d]``, in random order.
        heldout: Features of held-out samples, ``[L, d]``.
        steps: Number of steps of the fit.

    Raises:
        UserError: If dimensions differ, there are fewer than 2 generated or held-out or 4 training samples, or NaN or Inf.
    """
    checks.count("steps", steps)
    fake, _ = validate_pair("Feature likelihood", fake, heldout, minimum=2)
    validate_pair("Feature likelihood", train, train, minimum=4)
    y, x, tested = (_scaled(z, heldout) for z in (fake, train, heldout))
    log_variances = fit_variances(y, x, steps)
    nll = negative_log_likelihood(tested, y, log_variances)
    baseline = _baseline_nll(train, heldout, min(len(fake), len(train) // 2), steps)
    return Divergence(100 * (nll - baseline), 100 * (negative_log_likelihood(x, y, log_variances) - nll))


def fit_variances(centres: Tensor, x: Tensor, steps: int = STEPS) -> Tensor:
    """Return log σ_j² ``[M]`` for which the mixture around ``centres`` explains ``x`` well: after ``steps`` steps of Adam.

    It starts at the σ_j² that is best for the sample nearest to the centre alone.

    Args:
        centres: ``[M, d]``.
        x: ``[N, d]``.
        steps: Number of steps.
    """
    (n, d), m = x.shape, len(centres)
    squared = torch.cat([squared_distances(x, centres), (ORIGIN * (x - x.mean(0))).square().sum(1, keepdim=True)], 1)
    nearest = ((squared[:, :m].amin(0) + 1e-3) / d).log()
    log_variances = torch.cat([nearest, nearest.new_zeros(1)])
    log_weights = torch.cat([nearest.new_full((m,), -math.log(m)), nearest.new_zeros(1)])
    optimizer = torch.optim.Adam([log_variances], lr=RATE)
    for _ in range(steps):
        precisions = (-log_variances).exp()
        responsibilities = (log_weights - (squared * precisions + d * log_variances) / 2).softmax(1)
        log_variances.grad = (d * responsibilities.sum(0) - precisions * (responsibilities * squared).sum(0)) / (2 * n * d)
        optimizer.step()
        log_variances.clamp_(LOWEST, HIGHEST)
    return log_variances[:m]


def negative_log_likelihood(x: Tensor, centres: Tensor, log_variances: Tensor) -> float:
    """Return the mean over ``x`` ``[N, d]`` of −log p(x)/d for p = Σ_j N(centres_j, σ_j² I)/M.

    Args:
        x: ``[N, d]``.
        centres: ``[M, d]``.
        log_variances: log σ_j² ``[M]``.
    """
    d = x.shape[1]
    exponents = (squared_distances(x, centres) * (-log_variances).exp() + d * log_variances) / -2
    log_likelihoods = exponents.logsumexp(1) - math.log(len(centres)) - d / 2 * math.log(2 * math.pi)
    return -float(log_likelihoods.mean()) / d


@dataclass(frozen=True)
class FeatureLikelihood(AgainstTraining):
    """FLD and its generalisation gap, in the space of ``features``.

    Args:
        features: The feature space.
        n_samples: Number of generated and of held-out samples.
        split: Part of the data set that the real samples come from: ``heldout``.
        max_train: Largest number of training samples that the variances are fitted to, drawn at random and always the same.
            Copies of other training samples are not detected.
        steps: Number of steps of the fit.

    Raises:
        UserError: If a field is out of range. In ``fitted``, if the data have no held-out part.
    """

    floor_draws: ClassVar[int] = 1
    max_train: int = 2000
    steps: int = STEPS

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.count("steps", self.steps)

    @property
    def name(self) -> str:
        """``fld_<features>``."""
        return self.features.label("fld")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``fld`` and ``fld_gap``, which is below 0 if training samples are copied."""
        found = feature_likelihood(fake.features, self.require_training().features, real.features, self.steps)
        return {self.name: Value(found.fld), self.features.label("fld_gap"): Value(found.gap, higher_is_better=True)}


@lru_cache(maxsize=2)  # tensors are hashed by identity, so that the jackknife fits the baseline of its sizes once
def _baseline_nll(train: Tensor, heldout: Tensor, size: int, steps: int) -> float:
    x, tested = _scaled(train, heldout), _scaled(heldout, heldout)
    return negative_log_likelihood(tested, x[:size], fit_variances(x[:size], x[size:], steps))


def _scaled(x: Tensor, heldout: Tensor) -> Tensor:
    heldout = heldout.detach().cpu().double()
    deviation = heldout.std(0)
    return (x.detach().cpu().double() - heldout.mean(0)) / torch.where(deviation > 0, deviation, 1.0)
