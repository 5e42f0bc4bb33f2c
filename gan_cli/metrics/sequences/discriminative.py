"""Discriminative score: how well recurrent networks can be trained to tell generated sequences from real ones.

Yoon, Jarrett, van der Schaar: Time-series Generative Adversarial Networks (TimeGAN, 2019), section 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_cli import checks
from gan_cli.metrics.base import Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.sequences.base import validate_sequence_pair
from gan_cli.metrics.sequences.scorers import (
    SIGMAS,
    ParallelNetworks,
    Scorer,
    ScorerBatch,
    TrainedScore,
    convergence_remark,
    draw_rows,
    fifth,
    loss_still_falls,
    mean_and_error,
    train_scorers,
)

TRAIN_SHARE = 0.8
"""Share of the sequences of each kind that classifiers are trained on; they are tested on the rest."""
SATURATED = 0.98
"""Accuracy above which training longer would hardly change the score, even if the loss still falls."""
HELDOUT_EVALUATIONS = 10
"""Number of evaluations of the held-out loss in each fifth of the training."""
STRONG_HIDDEN, STRONG_LR = 16, 0.01
"""Units and learning rate of a classifier that learns more in less time than the published one."""


class ClassifierResult(NamedTuple):
    """Results of K classifiers.

    Attributes:
        accuracy: Accuracy of each classifier on its held-out sequences, ``[K]``.
        falling: True if their mean held-out loss still falls and the accuracy is not saturated.
        before: Mean held-out loss in the fourth fifth of the training.
        after: Mean held-out loss in the last fifth.
        losses: Mean training loss in each fifth.
    """

    accuracy: Tensor
    falling: bool
    before: float
    after: float
    losses: list[float]


@lru_cache(maxsize=4)  # tensors are hashed by identity: numbers and details share one training
def train_classifiers(real: Tensor, fake: Tensor, scorer: Scorer) -> ClassifierResult:
    """Train classifiers on 80 % of both sets and test them on the rest.

    Each seed has its own split, batches and initial weights; default random streams are not used. A batch holds ``batch_size``
    sequences of each kind. The logit is read from the last state; the loss is −log s(logit) for real sequences and
    −log(1 − s(logit)) for generated ones.

    Args:
        real: ``[N, T, F]``.
        fake: ``[M, T, F]``.
        scorer: Architecture and training of the classifiers.

    Raises:
        UserError: If a set has fewer than 5 sequences, shapes differ, or there are NaN or Inf.
    """
    real, fake = validate_sequence_pair("discriminative score", real, fake, minimum=5)
    gs = scorer.generators("discriminative")
    parts = [_split(x, gs) for x in (real, fake)]
    networks = ParallelNetworks(scorer, real.shape[2], 1, gs)
    tested = _batch([x[test] for x, (_, test) in zip((real, fake), parts, strict=True)])
    total = {number: torch.zeros_like(tested.y) for number in (4, 5)}
    size = scorer.iterations // 5
    every = max(1, size // HELDOUT_EVALUATIONS)

    def batch() -> ScorerBatch:
        rows = [part.gather(1, draw_rows(part.shape[1], scorer.batch_size, gs)) for part, _ in parts]
        return _batch([real[rows[0]], fake[rows[1]]])

    def record_heldout_loss(iteration: int) -> None:
        fifths_left, rest = divmod(scorer.iterations - iteration, size)
        if (number := 5 - fifths_left) in total and rest % every == 0:
            with torch.no_grad():
                total[number] += _losses(networks, tested)

    losses = train_scorers(
        networks, scorer, batch, lambda networks, batch: _losses(networks, batch).mean(0), record_heldout_loss
    )
    with torch.no_grad():
        correct = (networks(tested.x, last=True)[0, :, :, 0] > 0) == (tested.y > 0.5)
    evaluations = -(-size // every)
    before, after = total[4] / evaluations, total[5] / evaluations
    by_fifth = [float(fifth(losses, number).mean()) for number in range(1, 6)]
    accuracy = correct.double().mean(0)
    falling = loss_still_falls(before, after) and float(accuracy.mean()) < SATURATED
    return ClassifierResult(accuracy, falling, float(before.mean()), float(after.mean()), by_fifth)


def _split(x: Tensor, gs: list[torch.Generator]) -> tuple[Tensor, Tensor]:
    """Return random rows for training and for testing, int64 ``[K, n]`` each."""
    order = torch.stack([torch.randperm(len(x), generator=g) for g in gs])
    return order[:, : int(TRAIN_SHARE * len(x))], order[:, int(TRAIN_SHARE * len(x)) :]


def _batch(kinds: list[Tensor]) -> ScorerBatch:
    """Return real and generated sequences ``[K, B, T, F]`` as one batch with labels 1 and 0, ``[2B, K]``."""
    y = torch.cat([torch.full((x.shape[1], x.shape[0]), label) for x, label in zip(kinds, (1.0, 0.0), strict=True)])
    return ScorerBatch(torch.cat(kinds, 1), y)


def _losses(networks: ParallelNetworks, batch: ScorerBatch) -> Tensor:
    """Return the loss of each sequence, ``[2B, K]``."""
    return F.binary_cross_entropy_with_logits(networks(batch.x, last=True)[0, :, :, 0], batch.y, reduction="none")


@dataclass(frozen=True)
class DiscriminativeScore(TrainedScore):
    """|accuracy − ½| of classifiers on held-out sequences: 0 if the sets are indistinguishable, ½ at worst.

    The score is the mean over ``seeds`` with its standard error. Even at chance level it is above 0, by about 0.4/√n for n
    held-out sequences. By default, networks and training are those of the published code, except that the cells and their
    initialisation are PyTorch's instead of TensorFlow's.

    A classifier that has not converged underestimates the difference, and the published one is small and learns slowly.
    Therefore ``strong`` trains a second kind, reported as ``discriminative_strong``: 16 units at a learning rate of 0.01, for
    half as many batches of half the size. ``details`` reports for both whether they have converged.

    Args:
        features: Not used.
        n_samples: Number of sequences of each kind.
        split: Part of the data set that the real sequences come from, ``train`` or ``heldout``.
        cell: ``gru`` or ``lstm``.
        hidden: Units of each layer; None for half as many as there are features.
        layers: Number of layers.
        iterations: Training batches, at least 5.
        batch_size: Sequences of each kind in a batch.
        lr: Learning rate of Adam.
        seeds: Number of classifiers, at least 2.
        strong: True to train the second kind of classifiers.

    Raises:
        UserError: If a field is out of range. In ``fitted``, if the data are not sequences. In ``measure``, if there are fewer
            than 5 sequences of a kind.
    """

    least_samples: ClassVar[int] = 5
    equal_sizes: ClassVar[bool] = True  # chance is ½ only if both kinds are equally frequent
    strong: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.flag("strong", self.strong)

    def strong_scorer(self) -> Scorer:
        """Return the settings of the second kind of classifiers."""
        iterations, batch_size, seeds = max(5, self.iterations // 2), max(1, self.batch_size // 2), min(3, self.seeds)
        return Scorer("gru", STRONG_HIDDEN, 1, iterations, batch_size, STRONG_LR, seeds)

    @property
    def name(self) -> str:
        """``discriminative_score``."""
        return "discriminative_score"

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``discriminative_score`` and, if ``strong``, ``discriminative_strong``."""
        results = self._results(real, fake)
        return {name: Value(*mean_and_error(score_per_classifier(result))) for name, (result, _) in results.items()}

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """Return, for each number, ``accuracy`` per seed, ``converged`` and training ``losses`` by fifths; and ``remarks``."""
        results = self._results(real, fake)
        details = {
            name: {"accuracy": result.accuracy.tolist(), "converged": not result.falling, "losses": result.losses}
            for name, (result, _) in results.items()
        }
        return {**details, "remarks": self._remarks(results)}

    def _results(self, real: Encoded, fake: Encoded) -> dict[str, tuple[ClassifierResult, Scorer]]:
        scorers = {self.name: self.scorer(real.x.shape[-1])}
        if self.strong:
            scorers["discriminative_strong"] = self.strong_scorer()
        return {name: (train_classifiers(real.x, fake.x, scorer), scorer) for name, scorer in scorers.items()}

    def _remarks(self, results: Mapping[str, tuple[ClassifierResult, Scorer]]) -> list[str]:
        remarks = [
            convergence_remark(name, result.before, result.after, scorer.iterations)
            for name, (result, scorer) in results.items()
            if result.falling
        ]
        (score, error), *others = (mean_and_error(score_per_classifier(result)) for result, _ in results.values())
        for strong, strong_error in others:
            if strong - score > SIGMAS * (error**2 + strong_error**2) ** 0.5:
                remarks.append(f"{self.name} is too low: {score:.3f}, whereas a larger classifier reaches {strong:.3f}.")
        return remarks


def score_per_classifier(result: ClassifierResult) -> Tensor:
    """Return |accuracy − ½| of each classifier, ``[K]``."""
    return (result.accuracy - 0.5).abs()
