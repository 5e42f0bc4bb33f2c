"""Do generated sequences teach what real ones do? A predictor is trained on generated and tested on real sequences.

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
    SIGMAS,
    SLACK,
    Batch,
    Networks,
    ScoredByNetworks,
    Scorer,
    drawn,
    fifth,
    not_converged,
    over_seeds,
    still_falling,
    train,
)


class Task(NamedTuple):
    """What is predicted from what: ``given [N, T − 1, inputs]``, ``wanted [N, T − 1, outputs]``."""

    given: Tensor
    wanted: Tensor


def task(x: Tensor, one_step_ahead: bool) -> Task:
    """Of sequences ``[N, T, F]``: the last feature at t from the others up to t − 1, or all at t from all up to t − 1.

    t = 2 … T. Raises UserError for one step, and for one feature, which has no others.
    """
    if x.shape[1] < 2:
        raise UserError("predictive score: sequences of one step leave nothing to predict.")
    if one_step_ahead:
        return Task(x[:, :-1], x[:, 1:])
    if x.shape[2] < 2:
        raise UserError(
            "predictive score: the last feature is predicted from the others, and there is one feature only.\n"
            "Take metric.one_step_ahead=true."
        )
    return Task(x[:, :-1, :-1], x[:, 1:, -1:])


def median_errors(wanted: Tensor) -> Tensor:
    """Mean absolute error of each sequence ``[N, T, F]`` where the median of all is predicted at each step, ``[N]``.

    Nothing that does not look at the sequence can do better. Of independent sines the other features say nothing about the
    last one, so that no predictor can.
    """
    centre = torch.from_numpy(np.median(wanted.double().numpy(), axis=0))
    return (wanted - centre).abs().mean((1, 2))


class Predicted(NamedTuple):
    """``errors``: mean absolute error of each predictor on the real sequences, ``[K]``; ``falling``: whether their mean
    training loss still falls; ``losses``: of training, the mean of all in each fifth.
    """

    errors: Tensor
    falling: bool
    losses: list[float]


@lru_cache(maxsize=4)  # tensors are equal only to themselves: numbers and details share one training
@torch.no_grad()
def predicted(real: Tensor, fake: Tensor, scorer: Scorer, one_step_ahead: bool) -> Predicted:
    """Predictors trained on all of ``fake [M, T, F]`` and tested on all of ``real [N, T, F]``, values in [0, 1].

    A sigmoid of a linear function of the state at each step; loss and error: mean |prediction − value|. No default random
    stream moves. Raises UserError where ``task`` does, for fewer than 2 sequences, other shapes than these, NaN and Inf.
    """
    real, fake = validate_sequence_pair("predictive score", real, fake, minimum=2)
    learnt, tested = task(fake, one_step_ahead), task(real, one_step_ahead)
    gs = scorer.generators("predictive")
    networks = Networks(scorer, learnt.given.shape[2], learnt.wanted.shape[2], gs)

    def batch() -> Batch:
        rows = drawn(len(fake), scorer.batch_size, gs)
        return Batch(learnt.given[rows], learnt.wanted[rows])

    losses = train(networks, scorer, batch, _errors)
    chunks = zip(*(part.split(scorer.batch_size) for part in tested), strict=True)
    K = len(gs)
    summed = sum(_errors(networks, Batch(*(part.expand(K, *part.shape) for part in both))) * len(both[0]) for both in chunks)
    by_fifth = [float(fifth(losses, number).mean()) for number in range(1, 6)]
    return Predicted(torch.as_tensor(summed).double() / len(real), still_falling(fifth(losses, 4), fifth(losses, 5)), by_fifth)


def _errors(networks: Networks, batch: Batch) -> Tensor:
    """The mean absolute error of each network, ``[K]``."""
    return (networks(batch.x).sigmoid() - batch.y.permute(2, 1, 0, 3)).abs().mean((0, 1, 3))


@dataclass(frozen=True)
class PredictiveScore(ScoredByNetworks):
    """Mean absolute error on real sequences of predictors that have learnt from generated ones; in model units, [0, 1].

    The mean over ``seeds`` with its standard error. As the published code has it: the last feature at t from the others up to
    t − 1, by one layer (``layers``) of a GRU (``cell``) with half as many units as there are features (``hidden``: null), for
    ``iterations`` batches of ``batch_size``, Adam at ``lr``. ``one_step_ahead``: all features at t from all up to t − 1, as the
    paper's text has it. The cells are torch's and not TensorFlow's, and begin as torch has them.

    Its floor is the error of predictors that have learnt from other real sequences. Beside it stands ``predictive_median``,
    that of the real values' own median at each step: a score that is no lower says nothing of the dynamics.

    Raises UserError for data other than sequences, of one feature unless ``one_step_ahead``, and for fields out of range.
    """

    iterations: int = 5000
    one_step_ahead: bool = False

    def __post_init__(self):
        super().__post_init__()
        checks.flag("one_step_ahead", self.one_step_ahead)

    def fitted(self, data: Data, device: torch.device) -> Self:
        """This metric for samples such as these."""
        ready = super().fitted(data, device)
        task(torch.empty(0, *data.shape), self.one_step_ahead)
        return ready

    @property
    def name(self) -> str:
        """``predictive_score``."""
        return "predictive_score"

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """``predictive_score``, and ``predictive_median`` of the real samples."""
        found = self._predicted(real, fake)
        errors = median_errors(task(real.x, self.one_step_ahead).wanted)
        median = Value(float(errors.mean()), float(errors.std() / len(errors) ** 0.5), higher_is_better=None)
        return {self.name: Value(*over_seeds(found.errors)), "predictive_median": median}

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """``errors`` of each seed, ``converged``, ``losses`` in training by its fifths; and ``remarks``."""
        found = self._predicted(real, fake)
        remarks = []
        if found.falling:
            remarks.append(not_converged(self.name, found.losses[3], found.losses[4], self.iterations))
        (value, error), (median, _) = (of[:2] for of in self.measure(real, fake).values())
        if error is not None and value + SIGMAS * error > (1 - SLACK) * median:
            remarks.append(
                f"{self.name} is not below predictive_median: nothing was learnt that the median of each step does not know."
            )
        told = {"errors": found.errors.tolist(), "converged": not found.falling, "losses": found.losses}
        return {**told, "remarks": remarks}

    def _predicted(self, real: Encoded, fake: Encoded) -> Predicted:
        return predicted(real.x, fake.x, self.scorer(real.x.shape[-1]), self.one_step_ahead)
