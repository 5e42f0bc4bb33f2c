"""Do conditional samples show the class that was asked for, as a classifier of the data set's own classes reads them?

Shmelkov, Schmid, Alahari: How good is my GAN? (2018), https://arxiv.org/abs/1807.09499, where it is called GAN-test.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from gan_cli.data.base import Data
from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features import Encoded


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


@dataclass(frozen=True)
class ClassAccuracy(Metric):
    """The share of generated samples that the ``features``' classifier reads as the wanted class, and the balance of classes.

    Between real samples the accuracy is the classifier's own: nothing above it means anything. A generator that takes no
    labels has the accuracy of chance, 1/K for balanced classes; the balance means something for it, too. What is varied
    within a class is not seen.

    Raises UserError for data without labels and for features whose classes are not the data's.
    """

    higher_is_better: ClassVar[bool] = True

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
        """``class_accuracy`` and ``class_tv`` of the generated samples."""
        logits, wanted = self._classified(fake, "generated")
        _, y = self._classified(real, "real")
        return {
            self.name: Value(*class_accuracy(logits, wanted), higher_is_better=True),
            self.features.label("class_tv"): Value(class_tv(logits, y)),
        }

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """``confusion``: counts, a row for each wanted class; ``per_class``: the accuracy of each, None without samples."""
        confusion = confusion_matrix(*self._classified(fake, "generated")).tolist()
        return {
            "per_class": [row[k] / sum(row) if sum(row) else None for k, row in enumerate(confusion)],
            "confusion": confusion,
        }

    def _classified(self, samples: Encoded, whose: str) -> tuple[Tensor, Tensor]:
        if samples.logits is None or samples.y is None:
            lacking = "logits" if samples.logits is None else "labels"
            raise UserError(
                f"metric=class_accuracy: the {whose} samples have no {lacking} (features={self.features.name}).\n"
                "It needs a data set with labels, and features=classifier, which learns them."
            )
        return samples.logits, samples.y


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
