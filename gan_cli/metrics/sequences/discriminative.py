"""Can a recurrent network that is trained for it tell generated sequences from real ones?

Yoon, Jarrett, van der Schaar: Time-series Generative Adversarial Networks (TimeGAN, 2019), section 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_cli import checks
from gan_cli.metrics.base import Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.sequences.base import validate_sequence_pair
from gan_cli.metrics.sequences.scorers import (
    SIGMAS,
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

SHARE = 0.8
"""Of either kind, what classifiers learn from; they are tested on the rest."""
SATURATED = 0.98
"""Of an accuracy above it nothing is left to learn that the score would tell, however much the loss still falls."""
LOOKS = 10
"""Times in a fifth of the training that the held-out loss is taken."""
STRONG_HIDDEN, STRONG_LR = 16, 0.01
"""Units and rate of a classifier that learns more in less time than the published one."""


class Classified(NamedTuple):
    """``accuracy``: of each classifier on its held-out sequences, ``[K]``; ``falling``: whether their mean loss there still
    falls, and the accuracy has something left to gain; ``before``, ``after``: that loss in the last two fifths of the training;
    ``losses``: of training, a mean for each fifth.
    """

    accuracy: Tensor
    falling: bool
    before: float
    after: float
    losses: list[float]


@lru_cache(maxsize=4)  # tensors are equal only to themselves: numbers and details share one training
def classified(real: Tensor, fake: Tensor, scorer: Scorer) -> Classified:
    """Classifiers of ``real [N, T, F]`` and ``fake [M, T, F]``, trained on 80 % of either and tested on the others.

    Each seed has its own division, batches and first weights, none of them from a default random stream. A batch holds
    ``batch_size`` of either kind; the logit is read from the last state. Loss: −log s(logit) of real, −log(1 − s) of fake.

    Raises UserError for fewer than 5 sequences of either kind, other shapes than these, NaN and Inf.
    """
    real, fake = validate_sequence_pair("discriminative score", real, fake, minimum=5)
    gs = scorer.generators("discriminative")
    parts = [_divided(x, gs) for x in (real, fake)]
    networks = Networks(scorer, real.shape[2], 1, gs)
    tested = _batch([x[test] for x, (_, test) in zip((real, fake), parts, strict=True)])
    total = {number: torch.zeros_like(tested.y) for number in (4, 5)}
    size = scorer.iterations // 5
    every = max(1, size // LOOKS)

    def batch() -> Batch:
        rows = [part.gather(1, drawn(part.shape[1], scorer.batch_size, gs)) for part, _ in parts]
        return _batch([real[rows[0]], fake[rows[1]]])

    def look(iteration: int) -> None:
        fifths_left, rest = divmod(scorer.iterations - iteration, size)
        if (number := 5 - fifths_left) in total and rest % every == 0:
            with torch.no_grad():
                total[number] += _losses(networks, tested)

    losses = train(networks, scorer, batch, lambda networks, batch: _losses(networks, batch).mean(0), look)
    with torch.no_grad():
        right = (networks(tested.x, last=True)[0, :, :, 0] > 0) == (tested.y > 0.5)
    looks = -(-size // every)
    before, after = total[4] / looks, total[5] / looks
    by_fifth = [float(fifth(losses, number).mean()) for number in range(1, 6)]
    accuracy = right.double().mean(0)
    falling = still_falling(before, after) and float(accuracy.mean()) < SATURATED
    return Classified(accuracy, falling, float(before.mean()), float(after.mean()), by_fifth)


def _divided(x: Tensor, gs: list[torch.Generator]) -> tuple[Tensor, Tensor]:
    """Rows to learn from and to be tested on, at random, int64 ``[K, n]`` each."""
    order = torch.stack([torch.randperm(len(x), generator=g) for g in gs])
    return order[:, : int(SHARE * len(x))], order[:, int(SHARE * len(x)) :]


def _batch(kinds: list[Tensor]) -> Batch:
    """Real and generated sequences ``[K, B, T, F]``, with labels 1 and 0 ``[2B, K]``."""
    y = torch.cat([torch.full((x.shape[1], x.shape[0]), label) for x, label in zip(kinds, (1.0, 0.0), strict=True)])
    return Batch(torch.cat(kinds, 1), y)


def _losses(networks: Networks, batch: Batch) -> Tensor:
    """Of each sequence, ``[2B, K]``."""
    return F.binary_cross_entropy_with_logits(networks(batch.x, last=True)[0, :, :, 0], batch.y, reduction="none")


@dataclass(frozen=True)
class DiscriminativeScore(ScoredByNetworks):
    """|accuracy − ½| of classifiers on sequences that they have not seen: 0 where nothing can be told apart, ½ at worst.

    The mean over ``seeds`` with its standard error; at chance it is above 0, by about 0.4/√n of n held-out sequences. As the
    published code has it: one layer (``layers``) of a GRU (``cell``) with half as many units as there are features
    (``hidden``: null) reads a sequence, ``iterations`` batches of ``batch_size`` of either kind, Adam at ``lr``, 80 % to learn
    from. The cells are torch's and not TensorFlow's, and begin as torch has them.

    A classifier that has not learnt flatters the generator, and that one is small and slow. So ``strong`` trains a second kind,
    ``discriminative_strong``: 16 units at a rate of 0.01, for half as many batches of half the size. ``details`` says of both
    whether they still learn.

    Raises UserError for data other than sequences, for fields out of range and for fewer than 5 samples.
    """

    strong: bool = True

    def __post_init__(self):
        super().__post_init__()
        checks.flag("strong", self.strong)

    def strong_scorer(self) -> Scorer:
        """The classifiers that learn more."""
        iterations, batch_size, seeds = max(5, self.iterations // 2), max(1, self.batch_size // 2), min(3, self.seeds)
        return Scorer("gru", STRONG_HIDDEN, 1, iterations, batch_size, STRONG_LR, seeds)

    @property
    def name(self) -> str:
        """``discriminative_score``."""
        return "discriminative_score"

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """``discriminative_score`` and, where it is asked for, ``discriminative_strong``."""
        return {name: Value(*over_seeds(score(found))) for name, (found, _) in self._found(real, fake).items()}

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """For each number ``accuracy`` of each seed, ``converged``, ``losses`` in training by its fifths; and ``remarks``."""
        found = self._found(real, fake)
        told = {
            name: {"accuracy": of.accuracy.tolist(), "converged": not of.falling, "losses": of.losses}
            for name, (of, _) in found.items()
        }
        return {**told, "remarks": self._remarks(found)}

    def _found(self, real: Encoded, fake: Encoded) -> dict[str, tuple[Classified, Scorer]]:
        scorers = {self.name: self.scorer(real.x.shape[-1])}
        if self.strong:
            scorers["discriminative_strong"] = self.strong_scorer()
        return {name: (classified(real.x, fake.x, scorer), scorer) for name, scorer in scorers.items()}

    def _remarks(self, found: Mapping[str, tuple[Classified, Scorer]]) -> list[str]:
        remarks = [
            not_converged(name, of.before, of.after, scorer.iterations) for name, (of, scorer) in found.items() if of.falling
        ]
        (own, error), *others = (over_seeds(score(of)) for of, _ in found.values())
        for strong, its_error in others:
            if strong - own > SIGMAS * (error**2 + its_error**2) ** 0.5:
                remarks.append(f"{self.name} flatters: {own:.3f}, where a larger classifier finds {strong:.3f}.")
        return remarks


def score(found: Classified) -> Tensor:
    """|accuracy − ½| of each classifier, ``[K]``."""
    return (found.accuracy - 0.5).abs()
