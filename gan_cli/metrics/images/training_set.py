"""The base class of metrics that compare generated samples with training samples, and with held-out ones as the baseline."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data, Dataset, seeded_generator
from gan_cli.errors import FieldError, UserError
from gan_cli.metrics.base import Metric
from gan_cli.metrics.features.base import to_metric_input
from gan_cli.metrics.features.cache import content_key, encode_cached

BATCH = 500
"""Number of training samples read at a time."""


class TrainingSet(NamedTuple):
    """The training samples that are looked at.

    Attributes:
        samples: The training data set.
        indices: Indices of these samples in it, int64 ``[N]``.
        features: Features of these samples, ``[N, d]``.
    """

    samples: Dataset
    indices: Tensor
    features: Tensor


@dataclass(frozen=True)
class AgainstTraining(Metric):
    """A metric of generated, training and held-out samples; the real samples are held-out ones, never trained on.

    Args:
        features: The feature space.
        n_samples: Number of generated and of held-out samples.
        split: Part of the data set that the real samples come from: ``heldout``.
        max_train: Largest number of training samples that are looked at, drawn at random and always the same.

    Raises:
        UserError: If ``split`` is another one or ``max_train`` is below 2. In ``fitted``, if the data have no held-out part.
    """

    n_samples: int = 1000
    split: str = "heldout"
    selects_checkpoint: ClassVar[bool] = False  # an untrained generator copies least
    max_train: int = 10_000
    training: TrainingSet | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.count("max_train", self.max_train, least=2)
        if self.split != "heldout":
            reason = f"it must be heldout: {self.short_name} compares generated samples with training and held-out ones."
            raise FieldError("split", self.split, reason)

    def fitted(self, data: Data, device: torch.device) -> Self:
        """Return this metric with the features of the training samples that it looks at."""
        if not len(data.heldout):
            raise UserError(f"{self.name} compares with held-out samples, but this data set has none.")
        ready = replace(self, features=self.features.fitted(data, device))
        order = torch.randperm(len(data.train), generator=seeded_generator("memorisation"))
        indices = order[: self.max_train]
        batches = (to_metric_input(data.train.batch(chunk).x, ready.features) for chunk in indices.split(BATCH))
        features = torch.cat([encode_cached(ready.features, x).features for x in batches])
        object.__setattr__(ready, "training", TrainingSet(data.train, indices, features))
        return ready

    @property
    def has_seen_training_samples(self) -> bool:
        """True: it looks at them."""
        return True

    def settings(self) -> dict[str, Any]:
        """Return the fields, and which training samples are looked at, as their number and a hash of their features."""
        if self.training is None:
            return super().settings()
        features = self.training.features
        return {**super().settings(), "searched": len(features), "training": content_key("training", features)[:12]}

    def require_training(self) -> TrainingSet:
        """Return the training samples.

        Raises:
            UserError: If the metric is not fitted.
        """
        if self.training is None:
            raise UserError(f"{self.name} has no training samples yet: call metric.fitted(data, device) first.")
        return self.training
