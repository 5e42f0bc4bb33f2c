"""Diversity within classes: the mean distance between two generated samples of a class.

Choi, Uh, Yoo, Ha: StarGAN v2 (2020), https://arxiv.org/abs/1912.01865, report such a mean of LPIPS distances. These distances
are Euclidean ones in the features that are given, so the numbers are not LPIPS.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.images.kid import Estimate

ROWS = 256
"""Rows of the distance matrix that are held at a time."""


def mean_distance(x: Tensor) -> Estimate:
    """Return the mean Euclidean distance between two different samples, and its standard error.

    Its derivative with respect to the weight of a sample is twice the sample's mean distance to the others, so that the error
    is 2 · √(Var/N) of these means.

    Args:
        x: ``[N, d]``.

    Raises:
        UserError: If there are fewer than two samples, or NaN or Inf.
    """
    if x.ndim != 2 or len(x) < 2 or not x.isfinite().all():
        raise UserError(f"Class diversity: needs finite features [N, d] of at least 2 samples and got {list(x.shape)}.")
    x = x.detach().cpu().double()
    x = x - x.mean(0)  # a common offset would cost digits of every distance
    means = torch.cat([torch.cdist(rows, x).sum(1) for rows in x.split(ROWS)]) / (len(x) - 1)
    return Estimate(float(means.mean()), 2 * float(means.std()) / len(x) ** 0.5)


@dataclass(frozen=True)
class ClassDiversity(Metric):
    """The mean over classes of the mean distance between two generated samples of the class, in the space of ``features``.

    Samples without labels count as one class. The floor is the diversity of real samples, which a good generator has; variety
    that the data do not have counts, too.
    """

    within_classes: ClassVar[bool] = True
    higher_is_better: ClassVar[bool] = True
    selects_checkpoint: ClassVar[bool] = False  # variety that the data do not have counts, too

    @property
    def name(self) -> str:
        """``class_diversity_<features>``."""
        return self.features.label("class_diversity")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``class_diversity`` over the classes with at least two samples; NaN if there is none."""
        y = torch.zeros(len(fake), dtype=torch.int64) if fake.y is None else fake.y
        sets = [fake.features[y == label] for label in y.unique()]
        found = [mean_distance(x) for x in sets if len(x) > 1]
        if not found:
            return {self.name: Value(math.nan, higher_is_better=True)}
        mean = sum(each.value for each in found) / len(found)
        error = sum(each.error**2 for each in found) ** 0.5 / len(found)
        return {self.name: Value(mean, error, higher_is_better=True)}
