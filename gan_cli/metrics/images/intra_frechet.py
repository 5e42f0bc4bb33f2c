"""Fréchet distance within classes, called intra-class FID (iFID) in the features of the Inception network.

Miyato, Koyama: cGANs with Projection Discriminator (2018), https://arxiv.org/abs/1802.05637.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.images.frechet import frechet_distance


def frechet_within_classes(real: Encoded, fake: Encoded) -> Mapping[int, float]:
    """Return the Fréchet distance between the real and the generated samples of each class, by label.

    Classes with fewer than two samples of either kind are left out; none is returned if either set has no labels.
    """
    if real.y is None or fake.y is None:
        return {}
    found = {}
    for label in real.y.unique().tolist():
        x, y = real.features[real.y == label], fake.features[fake.y == label]
        if min(len(x), len(y)) > 1:
            found[label] = frechet_distance(x, y)
    return found


@dataclass(frozen=True)
class IntraFrechet(Metric):
    """The mean over classes of the Fréchet distance within each class, in the space of ``features``.

    It is far more biased than the distance of all samples, since each class has few of them. A generator that ignores its
    labels has a large value, whatever its Fréchet distance is. For a game that takes no labels it is not defined.
    """

    needs_labels: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """``intra_fd_<features>``, or ``intra_fid`` in the features of the Inception network."""
        return self.features.label("intra_fd")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``intra_fd``, NaN if no class has two samples of each kind; no number if the samples have no labels."""
        if fake.y is None:
            return {}
        distances = frechet_within_classes(real, fake).values()
        return {self.name: Value(sum(distances) / len(distances) if distances else math.nan)}

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """Return the number of classes that the mean is over, and a remark if any is left out."""
        if real.y is None or fake.y is None:
            return {}
        classes, found = len(real.y.unique()), len(frechet_within_classes(real, fake))
        remark = f"{self.name} is over {found} of {classes} classes: the others have fewer than 2 real or generated samples."
        return {"classes": {self.name: found}, **({"remarks": [remark]} if found < classes else {})}
