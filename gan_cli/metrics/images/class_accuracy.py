"""Do conditional samples show the class that was asked for, as a classifier of the data set's own classes reads them?

Shmelkov, Schmid, Alahari: How good is my GAN? (2018), https://arxiv.org/abs/1807.09499, where it is called GAN-test.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.images.precision_recall import neighbourhoods


def confusion_matrix(logits: Tensor, y: Tensor) -> Tensor:
    """Samples of class i read as class j, int64 ``[K, K]``, from ``logits`` ``[N, K]`` and wanted classes ``y``, int64 ``[N]``.

    A sample is read as the class of its largest logit. Raises UserError for no samples, labels that are not in 0 … K − 1 or
    not one a sample, and NaN or Inf.
    """
    read = _read(logits)
    return torch.bincount(_labels(y, logits) * logits.shape[1] + read, minlength=logits.shape[1] ** 2).view(logits.shape[1], -1)


def class_accuracy(logits: Tensor, y: Tensor) -> tuple[float, float]:
    """The share p of samples read as the wanted class, in [0, 1], and its binomial standard error √(p(1 − p)/N).

    ``logits`` ``[N, K]``, ``y`` int64 ``[N]``. Errors: those of ``confusion_matrix``.
    """
    p = int(confusion_matrix(logits, y).trace()) / len(y)
    return p, (p * (1 - p) / len(y)) ** 0.5


def class_tv(logits: Tensor, y: Tensor) -> float:
    """Total variation ½ Σₖ|qₖ − pₖ|, in [0, 1]: q the shares of classes read in samples, p those of real labels.

    ``logits`` ``[N, K]`` of the samples, ``y`` int64 ``[M]`` of real ones. Above 0 even for perfect samples, by the
    classifier's own errors and by chance. Errors: those of ``confusion_matrix``, but for one label a sample.
    """
    K = logits.shape[1]
    q = torch.bincount(_read(logits), minlength=K).double() / len(logits)
    p = torch.bincount(_known(y, K), minlength=K).double() / len(y)
    return float((q - p).abs().sum() / 2)


def class_recalls(real: Encoded, fake: Encoded, k: int = 3) -> list[Tensor | None]:
    """Which real samples of each class lie among those that were asked for it: 1 or 0, float64 ``[n]`` for each of K classes.

    Among them: in a ball around one of them, up to its ``k``-th neighbour, as in ``neighbours.precision_recall``. None for a
    class with k samples of either kind or fewer. Raises UserError for samples without logits or labels.
    """
    if real.y is None or fake.y is None or fake.logits is None:
        raise UserError("class recall: needs logits, and labels of both kinds of samples.")
    found: list[Tensor | None] = []
    for c in range(fake.logits.shape[1]):
        a, b = real.features[real.y == c], fake.features[fake.y == c]
        found.append(neighbourhoods(a, b, k).recall(k) if min(len(a), len(b)) > k else None)
    return found


@dataclass(frozen=True)
class ClassAccuracy(Metric):
    """Do samples show the class that was asked for, do they show all of it, and are the classes in balance?

    The accuracy is the share of generated samples that the ``features``' classifier reads as the wanted class. Between real
    samples it is the classifier's own: nothing above that means anything, and one image a class could have it all. So there
    is the recall within each class beside it, and their mean: the share of real samples of a class that lie among the
    generated ones that were asked for it, in balls up to the ``k``-th neighbour (Kynkäänniemi et al., 2019). It depends on
    the number of samples. Of a game that takes no labels only the balance can be told.

    An auxiliary classifier (game=acgan) trains on such a score: its accuracy is flattered, its recall is not.

    Raises UserError for data without labels, for features whose classes are not the data's, and for a k below 1.
    """

    higher_is_better: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = True
    n_samples: int = 1000
    split: str = "heldout"
    k: int = 3

    def __post_init__(self):
        super().__post_init__()
        checks.count("k", self.k)

    def fitted(self, data: Data, device: torch.device) -> Self:
        """This metric with its features fitted, once they are known to tell the classes of ``data`` apart."""
        features = self.features.fitted(data, device)
        _, logits = features(data.train.batch(torch.zeros(1, dtype=torch.int64)).x)
        classes = 0 if logits is None else logits.shape[1]
        if data.classes < 2 or classes != data.classes:
            raise UserError(
                f"metric=class_accuracy: this data set has {data.classes} classes, features={features.name} tell {classes} "
                "apart.\nIt needs labels, and features=classifier, which learns them."
            )
        return dataclasses.replace(self, features=features)

    @property
    def name(self) -> str:
        """``accuracy_<features>``."""
        return self.features.label("accuracy")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """``class_accuracy``, the mean ``class_recall`` and ``class_tv``; of samples without labels only the last."""
        _, y = self._classified(real, "real")
        balance = {self.features.label("class_tv"): Value(class_tv(self._logits(fake, "generated"), y))}
        if fake.y is None:
            return balance
        recalls = [recall for recall in class_recalls(real, fake, self.k) if recall is not None]
        accuracy = Value(*class_accuracy(*self._classified(fake, "generated")), higher_is_better=True)
        return {self.name: accuracy, self.features.label("class_recall"): _mean_of_means(recalls), **balance}

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """Of samples with labels: ``confusion``, counts with a row for each wanted class; ``per_class``, the accuracy, and
        ``recall_per_class``, None without samples enough; ``heldout_accuracy``, the classifier's own on real test images.
        """
        if fake.y is None:
            return {}
        confusion = confusion_matrix(*self._classified(fake, "generated")).tolist()
        self._classified(real, "real")
        return {
            "per_class": [row[k] / sum(row) if sum(row) else None for k, row in enumerate(confusion)],
            "recall_per_class": [None if r is None else float(r.mean()) for r in class_recalls(real, fake, self.k)],
            "confusion": confusion,
            "heldout_accuracy": self.features.provenance.get("heldout_accuracy"),
        }

    def _classified(self, samples: Encoded, whose: str) -> tuple[Tensor, Tensor]:
        if samples.y is None:
            raise self._lacking("labels", whose)
        return self._logits(samples, whose), samples.y

    def _logits(self, samples: Encoded, whose: str) -> Tensor:
        if samples.logits is None:
            raise self._lacking("logits", whose)
        return samples.logits

    def _lacking(self, what: str, whose: str) -> UserError:
        return UserError(
            f"metric=class_accuracy: the {whose} samples have no {what} (features={self.features.name}).\n"
            "It needs a data set with labels, and features=classifier, which learns them."
        )


def _mean_of_means(scores: list[Tensor]) -> Value:
    """The mean over classes of the mean score in each, and its standard error; not a number without classes."""
    if not scores:
        return Value(math.nan, higher_is_better=True)
    mean = sum(float(score.mean()) for score in scores) / len(scores)
    variance = sum(float(score.var(correction=0)) / len(score) for score in scores)
    return Value(mean, variance**0.5 / len(scores), higher_is_better=True)


def _read(logits: Tensor) -> Tensor:
    if logits.ndim != 2 or not len(logits):
        raise UserError(f"class accuracy: needs logits [N, K] of at least 1 sample and got {list(logits.shape)}.")
    if not logits.isfinite().all():
        raise UserError("class accuracy: the logits hold NaN or Inf.")
    return logits.detach().cpu().argmax(1)


def _labels(y: Tensor, logits: Tensor) -> Tensor:
    if len(y) != len(logits):
        raise UserError(f"class accuracy: {len(logits)} samples have {len(y)} labels.")
    return _known(y, logits.shape[1])


def _known(y: Tensor, classes: int) -> Tensor:
    if not len(y) or y.is_floating_point() or y.ndim != 1 or int(y.min()) < 0 or int(y.max()) >= classes:
        raise UserError(f"class accuracy: labels must be whole numbers [N] from 0 to {classes - 1}, one at least.")
    return y.detach().cpu().long()
