"""Class accuracy of conditional samples, by a classifier of the data set's own classes.

Shmelkov, Schmid, Alahari: How good is my GAN? (2018), https://arxiv.org/abs/1807.09499, where it is called GAN-test.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.errors import UserError, shortened_list
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.images.neighbourhoods import neighbourhoods

NAMED = 12
"""Largest number of left-out classes that a remark names."""


def confusion_matrix(logits: Tensor, y: Tensor) -> Tensor:
    """Return how many samples of each wanted class are classified as each class (the one with the largest logit).

    Args:
        logits: ``[N, K]``.
        y: Wanted classes, int64 ``[N]``.

    Returns:
        int64 ``[K, K]``; entry (i, j) counts samples of wanted class i that are classified as j.

    Raises:
        UserError: If there are no samples, labels outside 0 … K − 1, another number of labels than samples, NaN or Inf.
    """
    predicted, K = _predicted_classes(logits), logits.shape[1]
    return torch.bincount(_matching_labels(y, logits) * K + predicted, minlength=K**2).view(K, -1)


def class_accuracy(logits: Tensor, y: Tensor) -> tuple[float, float]:
    """Return the share p of samples that are classified as the wanted class, and its standard error.

    The wanted classes are the same at every measurement, so the error is that of a stratified sample, the root of
    Σ_c n_c² p_c(1 − p_c)/(n_c − 1) divided by N, with the number n_c and the accuracy p_c of each class.

    Args:
        logits: ``[N, K]``.
        y: Wanted classes, int64 ``[N]``.

    Returns:
        p in [0, 1] and its standard error.

    Raises:
        UserError: As in ``confusion_matrix``.
    """
    confusion = confusion_matrix(logits, y).double()
    counts, right = confusion.sum(1), confusion.diagonal()
    within = right * (counts - right) / (counts - 1).clamp(min=1)
    return int(right.sum()) / len(y), float(within.sum()) ** 0.5 / len(y)


def class_tv(logits: Tensor, y: Tensor) -> float:
    """Return the total variation ½ Σₖ |qₖ − pₖ|, in [0, 1], between class shares.

    q are the shares of the classes predicted for the samples, p those of real labels. The distance is above 0 even for perfect
    samples, because of the classifier's errors and of chance.

    Args:
        logits: Logits ``[N, K]`` of the samples.
        y: Labels of real samples, int64 ``[M]``.

    Raises:
        UserError: If there are no samples or labels, labels outside 0 … K − 1, NaN or Inf.
    """
    K = logits.shape[1]
    q = torch.bincount(_predicted_classes(logits), minlength=K).double() / len(logits)
    p = torch.bincount(_valid_labels(y, K), minlength=K).double() / len(y)
    return float((q - p).abs().sum() / 2)


def class_recalls(real: Encoded, fake: Encoded, k: int = 3) -> list[Tensor | None]:
    """Return, for each class, which real samples lie among the samples generated for that class.

    A real sample lies among them if it is inside a ball around one of them that reaches to that sample's ``k``-th neighbour,
    as in ``precision_recall``.

    Args:
        real: Real samples with features and labels.
        fake: Generated samples with features, logits over K classes, and labels.
        k: Neighbour that the balls reach to.

    Returns:
        For each of the K classes float64 ``[n]`` of ones and zeros, or None if the class has at most k samples in either set.

    Raises:
        UserError: If labels or logits are missing.
    """
    if real.y is None or fake.y is None or fake.logits is None:
        raise UserError("class recall: needs logits, and labels of both real and generated samples.")
    recalls: list[Tensor | None] = []
    for c in range(fake.logits.shape[1]):
        a, b = real.features[real.y == c], fake.features[fake.y == c]
        recalls.append(neighbourhoods(a, b, k).recall(k) if min(len(a), len(b)) > k else None)
    return recalls


@dataclass(frozen=True)
class ClassAccuracy(Metric):
    """Accuracy, recall within classes, and balance of classes of conditional samples.

    The accuracy is the share of generated samples that the ``features``' classifier assigns to the wanted class. On real
    samples it is the classifier's own accuracy; differences above that value mean nothing. A single image per class could reach
    it, so the mean recall within classes is reported with it: the share of real samples of a class that lie among the samples
    generated for that class, in balls up to the ``k``-th neighbour (Kynkäänniemi et al., 2019). It depends on the number of
    samples. For a game that takes no labels only the balance of classes is reported.

    An auxiliary classifier (game=acgan) is trained on a similar score, which inflates the accuracy but not the recall.

    Args:
        features: Features with a classifier of the data's classes: features=classifier.
        n_samples: Number of samples of each kind.
        split: Part of the data set that the real samples come from, ``train`` or ``heldout``.
        k: Neighbour that the balls of the recall reach to.

    Raises:
        UserError: If k is below 1. In ``fitted``, if the data have no labels or the features have other classes than the data.
    """

    higher_is_better: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = True
    n_samples: int = 1000
    split: str = "heldout"
    k: int = 3
    class_names: Sequence[str] = field(default=(), init=False, repr=False, compare=False)
    heldout: Sequence[int | None] = field(default=(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.count("k", self.k)

    def fitted(self, data: Data, device: torch.device) -> Self:
        """Return this metric with its features fitted.

        Raises:
            UserError: If the features do not classify into the classes of ``data``.
        """
        features = self.features.fitted(data, device)
        _, logits = features(data.train.batch(torch.zeros(1, dtype=torch.int64)).x)
        classes = 0 if logits is None else logits.shape[1]
        if data.classes < 2 or classes != data.classes:
            raise UserError(
                f"metric=class_accuracy: this data set has {data.classes} classes, but features={features.name} has "
                f"{classes}.\nUse a data set with labels, and features=classifier, which is trained on them."
            )
        ready = dataclasses.replace(self, features=features)
        labels = data.heldout.known_labels()
        counts = [] if labels is None else torch.bincount(labels, minlength=data.classes).tolist()
        object.__setattr__(ready, "class_names", data.class_names)
        object.__setattr__(ready, "heldout", [count or None for count in counts])
        return ready

    @property
    def name(self) -> str:
        """``accuracy_<features>``."""
        return self.features.label("accuracy")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``accuracy``, ``class_recall`` and ``class_tv``; only the last one if the samples have no labels."""
        _, y = self._classified(real, "real")
        balance = {self.features.label("class_tv"): Value(class_tv(self._logits(fake, "generated"), y))}
        if fake.y is None:
            return balance
        recalls = [recall for recall in class_recalls(real, fake, self.k) if recall is not None]
        accuracy = Value(*class_accuracy(*self._classified(fake, "generated")), higher_is_better=True)
        return {self.name: accuracy, self.features.label("class_recall"): _mean_of_means(recalls), **balance}

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """Return the results by class if the samples have labels.

        Returns:
            ``per_class``, the accuracy by class; ``recall_per_class``, None for classes with too few samples; ``confusion``,
            for each wanted class the numbers of samples by the class that they are read as, without zeros;
            ``heldout_accuracy``, the classifier's own accuracy on held-out images; ``classes``, the number of classes that each
            number is over; ``remarks`` on the classes that a number leaves out.
        """
        if fake.y is None:
            return {}
        confusion = confusion_matrix(*self._classified(fake, "generated")).tolist()
        self._classified(real, "real")
        accuracies = [row[k] / sum(row) if sum(row) else None for k, row in enumerate(confusion)]
        recalls = [None if r is None else float(r.mean()) for r in class_recalls(real, fake, self.k)]
        names = [self._name(c) for c in range(len(confusion))]
        return {
            "per_class": dict(zip(names, accuracies, strict=True)),
            "recall_per_class": dict(zip(names, recalls, strict=True)),
            "confusion": {
                wanted: {name: count for name, count in zip(names, row, strict=True) if count}
                for wanted, row in zip(names, confusion, strict=True)
            },
            "heldout_accuracy": self.features.provenance.get("heldout_accuracy"),
            **self._coverage(accuracies, recalls, real, fake),
        }

    def values_within_a_class(self, real: Encoded, fake: Encoded) -> Mapping[str, float]:
        """Return the accuracy, that of the classifier on real samples, and the recall of the class."""
        (recall,) = (recall for recall in class_recalls(real, fake, self.k) if recall is not None)
        accuracy, _ = class_accuracy(*self._classified(fake, "generated"))
        own, _ = class_accuracy(*self._classified(real, "real"))
        recall_name, own_name = self.features.label("class_recall"), self.features.label("real_accuracy")
        return {self.name: accuracy, own_name: own, recall_name: float(recall.mean())}

    def _coverage(
        self, accuracies: Sequence[float | None], recalls: Sequence[float | None], real: Encoded, fake: Encoded
    ) -> dict[str, Any]:
        """Return how many classes each number is over, and remarks on those that it leaves out."""
        recall = self.features.label("class_recall")
        of = {
            "heldout_accuracy": (self.heldout, "the held-out part has none of"),
            self.name: (accuracies, "no sample was generated of"),
            recall: (recalls, f"it needs more than {self.k} real and {self.k} generated samples of"),
        }
        remarks = []
        for number, (values, reason) in of.items():
            if missing := [c for c, value in enumerate(values) if value is None]:
                over = f"{number} is over {len(values) - len(missing)} of {len(values)} classes"
                remarks.append(f"{over}: {reason} {self._named(missing, (real, fake) if number == recall else ())}.")
        counts = {number: sum(value is not None for value in values) for number, (values, _) in of.items() if values}
        return {"classes": counts, **({"remarks": remarks} if remarks else {})}

    def _named(self, classes: Sequence[int], sets: Sequence[Encoded]) -> str:
        """Return the names of classes, the first of many, with the numbers of their samples in ``sets``."""
        found = []
        for c in classes:
            name = self._name(c)
            counts = " and ".join(str(side.y.tolist().count(c)) for side in sets if side.y is not None)
            found.append(f"{name} ({counts})" if counts else name)
        return shortened_list(found, NAMED)

    def _name(self, c: int) -> str:
        return self.class_names[c] if self.class_names else str(c)

    def _classified(self, samples: Encoded, kind: str) -> tuple[Tensor, Tensor]:
        if samples.y is None:
            raise self._missing("labels", kind)
        return self._logits(samples, kind), samples.y

    def _logits(self, samples: Encoded, kind: str) -> Tensor:
        if samples.logits is None:
            raise self._missing("logits", kind)
        return samples.logits

    def _missing(self, what: str, kind: str) -> UserError:
        return UserError(
            f"metric=class_accuracy: the {kind} samples have no {what} (features={self.features.name}).\n"
            "Use a data set with labels, and features=classifier, which is trained on them."
        )


def _mean_of_means(scores: list[Tensor]) -> Value:
    """Return the mean over classes of the mean score of each class, and its standard error; NaN if there are no classes."""
    if not scores:
        return Value(math.nan, higher_is_better=True)
    mean = sum(float(score.mean()) for score in scores) / len(scores)
    variance = sum(float(score.var(correction=0)) / len(score) for score in scores)
    return Value(mean, variance**0.5 / len(scores), higher_is_better=True)


def _predicted_classes(logits: Tensor) -> Tensor:
    if logits.ndim != 2 or not len(logits):
        raise UserError(f"class accuracy: needs logits [N, K] of at least 1 sample and got {list(logits.shape)}.")
    if not logits.isfinite().all():
        raise UserError("class accuracy: the logits hold NaN or Inf.")
    return logits.detach().cpu().argmax(1)


def _matching_labels(y: Tensor, logits: Tensor) -> Tensor:
    if len(y) != len(logits):
        raise UserError(f"class accuracy: {len(logits)} samples have {len(y)} labels.")
    return _valid_labels(y, logits.shape[1])


def _valid_labels(y: Tensor, classes: int) -> Tensor:
    if not len(y) or y.is_floating_point() or y.ndim != 1 or int(y.min()) < 0 or int(y.max()) >= classes:
        raise UserError(f"class accuracy: labels must be whole numbers [N] from 0 to {classes - 1}, one at least.")
    return y.detach().cpu().long()
