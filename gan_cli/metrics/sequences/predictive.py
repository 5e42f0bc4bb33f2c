"""Predictive score: error on real sequences of predictors that were trained on generated ones.

Yoon, Jarrett, van der Schaar: Time-series Generative Adversarial Networks (TimeGAN, 2019), section 5; train on synthetic, test
on real: Esteban, Hyland, Rätsch: Real-valued (Medical) Time Series Generation with Recurrent Conditional GANs (2017).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.errors import UserError
from gan_cli.metrics.base import Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.sequences.base import validate_sequence_pair
from gan_cli.metrics.sequences.scorers import (
    MIN_RELATIVE_FALL,
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


class PredictionTask(NamedTuple):
    """Inputs and targets of a predictor.

    Attributes:
        inputs: ``[N, T − 1, inputs]``.
        targets: ``[N, T − 1, outputs]``.
    """

    inputs: Tensor
    targets: Tensor


def prediction_task(x: Tensor, one_step_ahead: bool) -> PredictionTask:
    """Return inputs and targets of sequences for t = 2 … T.

    Args:
        x: Sequences ``[N, T, F]``.
        one_step_ahead: True to predict all features at t from all features up to t − 1, false to predict the last feature at t
            from the others up to t − 1.

    Raises:
        UserError: If there is only one step, or only one feature and ``one_step_ahead`` is false.
    """
    if x.shape[1] < 2:
        raise UserError("predictive score: sequences of one step leave nothing to predict.")
    if one_step_ahead:
        return PredictionTask(x[:, :-1], x[:, 1:])
    if x.shape[2] < 2:
        raise UserError(
            "predictive score: the last feature is predicted from the others, but there is only one feature.\n"
            "Use metric.one_step_ahead=true."
        )
    return PredictionTask(x[:, :-1, :-1], x[:, 1:, -1:])


def median_errors(targets: Tensor) -> Tensor:
    """Return the mean absolute error of each sequence if the median over all sequences is predicted at each step.

    No predictor that ignores its inputs can do better. For independent sines the other features say nothing about the last one,
    so no predictor at all can do better.

    Args:
        targets: ``[N, T, F]``.

    Returns:
        float64 ``[N]``.
    """
    median = torch.from_numpy(np.median(targets.double().numpy(), axis=0))
    return (targets - median).abs().mean((1, 2))


class PredictorResult(NamedTuple):
    """Results of K predictors.

    Attributes:
        errors: Mean absolute error of each predictor on the real sequences, ``[K]``.
        falling: True if their mean training loss still falls.
        losses: Mean training loss in each fifth.
    """

    errors: Tensor
    falling: bool
    losses: list[float]


@lru_cache(maxsize=4)  # tensors are hashed by identity: numbers and details share one training
@torch.no_grad()
def train_predictors(real: Tensor, fake: Tensor, scorer: Scorer, one_step_ahead: bool) -> PredictorResult:
    """Train predictors on all generated sequences and test them on all real ones.

    The prediction is a sigmoid of a linear function of the state at each step. Loss and error are the mean of
    |prediction − value|. Default random streams are not used.

    Args:
        real: ``[N, T, F]``, values in [0, 1].
        fake: ``[M, T, F]``, values in [0, 1].
        scorer: Architecture and training of the predictors.
        one_step_ahead: See ``prediction_task``.

    Raises:
        UserError: As in ``prediction_task``, and if a set has fewer than 2 sequences, shapes differ, or there are NaN or Inf.
    """
    real, fake = validate_sequence_pair("predictive score", real, fake, minimum=2)
    train, test = prediction_task(fake, one_step_ahead), prediction_task(real, one_step_ahead)
    gs = scorer.generators("predictive")
    networks = ParallelNetworks(scorer, train.inputs.shape[2], train.targets.shape[2], gs)

    def batch() -> ScorerBatch:
        rows = draw_rows(len(fake), scorer.batch_size, gs)
        return ScorerBatch(train.inputs[rows], train.targets[rows])

    losses = train_scorers(networks, scorer, batch, _errors)
    chunks = zip(*(part.split(scorer.batch_size) for part in test), strict=True)
    K = len(gs)
    total = sum(
        _errors(networks, ScorerBatch(*(part.expand(K, *part.shape) for part in pair))) * len(pair[0]) for pair in chunks
    )
    by_fifth = [float(fifth(losses, number).mean()) for number in range(1, 6)]
    return PredictorResult(
        torch.as_tensor(total).double() / len(real), loss_still_falls(fifth(losses, 4), fifth(losses, 5)), by_fifth
    )


def _errors(networks: ParallelNetworks, batch: ScorerBatch) -> Tensor:
    """Return the mean absolute error of each network, ``[K]``."""
    return (networks(batch.x).sigmoid() - batch.y.permute(2, 1, 0, 3)).abs().mean((0, 1, 3))


@dataclass(frozen=True)
class PredictiveScore(TrainedScore):
    """Mean absolute error on real sequences of predictors trained on generated ones, in [0, 1], the range of the scaled values.

    The score is the mean over ``seeds`` with its standard error. By default, networks and training are those of the published
    code, except that the cells and their initialisation are PyTorch's instead of TensorFlow's.

    The floor is the error of predictors trained on other real sequences. ``predictive_median`` is reported with the score: the
    error of predicting the median of the real values at each step. A score that is not lower says nothing about the dynamics.

    Args:
        features: Not used.
        n_samples: Number of sequences of each kind.
        split: Part of the data set that the real sequences come from, ``train`` or ``heldout``.
        cell: ``gru`` or ``lstm``.
        hidden: Units of each layer; None for half as many as there are features.
        layers: Number of layers.
        iterations: Training batches, at least 5.
        batch_size: Sequences in a batch.
        lr: Learning rate of Adam.
        seeds: Number of predictors, at least 2.
        one_step_ahead: True to predict all features at t from all up to t − 1, as described in the paper. False to predict the
            last feature at t from the others up to t − 1, as in the published code.

    Raises:
        UserError: If a field is out of range. In ``fitted``, if the data are not sequences, or have only one feature and
            ``one_step_ahead`` is false.
    """

    iterations: int = 5000
    one_step_ahead: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.flag("one_step_ahead", self.one_step_ahead)

    def fitted(self, data: Data, device: torch.device) -> Self:
        ready = super().fitted(data, device)
        prediction_task(torch.empty(0, *data.shape), self.one_step_ahead)
        return ready

    @property
    def name(self) -> str:
        """``predictive_score``."""
        return "predictive_score"

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``predictive_score``, and ``predictive_median`` of the real samples."""
        result = self._result(real, fake)
        errors = median_errors(prediction_task(real.x, self.one_step_ahead).targets)
        median = Value(float(errors.mean()), float(errors.std() / len(errors) ** 0.5), higher_is_better=None)
        return {self.name: Value(*mean_and_error(result.errors)), "predictive_median": median}

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """Return ``errors`` per seed, ``converged`` and training ``losses`` by fifths; and ``remarks``."""
        result = self._result(real, fake)
        remarks = []
        if result.falling:
            remarks.append(convergence_remark(self.name, result.losses[3], result.losses[4], self.iterations))
        (value, error), (median, _) = (number[:2] for number in self.measure(real, fake).values())
        if error is not None and value + SIGMAS * error > (1 - MIN_RELATIVE_FALL) * median:
            remarks.append(
                f"{self.name} is not below predictive_median: the predictors do no better than the median at each step."
            )
        details = {"errors": result.errors.tolist(), "converged": not result.falling, "losses": result.losses}
        return {**details, "remarks": remarks}

    def _result(self, real: Encoded, fake: Encoded) -> PredictorResult:
        return train_predictors(real.x, fake.x, self.scorer(real.x.shape[-1]), self.one_step_ahead)
