"""Authenticity: the share of generated samples that are no near copies of a training sample (AuthPct).

Alaa, van Breugel, Saveliev, van der Schaar: How Faithful is your Synthetic Data? (2022), https://arxiv.org/abs/2102.08921.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gan_cli.metrics.base import Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.images.neighbourhoods import nearest_neighbours
from gan_cli.metrics.images.training_set import AgainstTraining


def authentic(fake: Tensor, train: Tensor) -> Tensor:
    """Return which generated samples are authentic, bool ``[M]``.

    A sample is authentic if the training sample nearest to it has another training sample that is nearer to it than the
    generated one is.

    Args:
        fake: Features of generated samples, ``[M, d]``.
        train: Features of training samples, ``[N, d]``, N >= 2.

    Raises:
        UserError: As in ``nearest_neighbours``.
    """
    distances, nearest = nearest_neighbours(fake, train)
    own, inverse = nearest.unique(return_inverse=True)
    between, _ = nearest_neighbours(train[own], train, excluded=own)
    return between[inverse] < distances


@dataclass(frozen=True)
class Authenticity(AgainstTraining):
    """The percentage of authentic samples, ``authpct``, in the space of ``features``.

    The floor, that of held-out samples, is the value of a generator of the data distribution; copies have less, but samples far
    from all data, such as noise, have 100. The standard error is that of a share, with the training samples as given.

    Args:
        features: The feature space.
        n_samples: Number of generated samples, and of held-out samples for the floor.
        split: Part of the data set that the real samples come from: ``heldout``.
        max_train: Largest number of training samples that are searched, drawn at random and always the same. Copies of other
            training samples are not detected.

    Raises:
        UserError: If ``split`` is another one or ``max_train`` is below 2. In ``fitted``, if the data have no held-out part.
    """

    higher_is_better: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """``authpct_<features>``."""
        return self.features.label("authpct")

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``authpct``, in [0, 100], with its standard error."""
        share = float(authentic(fake.features, self.require_training().features).double().mean())
        return {self.name: Value(100 * share, 100 * (share * (1 - share) / len(fake)) ** 0.5, higher_is_better=True)}
