"""Classification accuracy scores: a classifier trained on generated samples and tested on real ones, and the reverse.

Ravuri, Vinyals: Classification Accuracy Score for Conditional Generative Models (2019), https://arxiv.org/abs/1905.10887.
Shmelkov, Schmid, Alahari: How good is my GAN? (2018), https://arxiv.org/abs/1807.09499, call the two GAN-train and GAN-test.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.activity import counted
from gan_cli.data.base import Data, seeded_generator
from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, quantize_images
from gan_cli.metrics.features.classifier import (
    MIN_SIDE,
    Classifier,
    ClassifierNetwork,
    classifier_accuracy,
    train_classifier,
)


def accuracy_across(train: Encoded, test: Encoded, settings: Classifier) -> float:
    """Return the accuracy on ``test`` of a network that learnt the labels of ``train``.

    Args:
        train: Labelled images.
        test: Labelled images of the same size.
        settings: Network and training: all fields but ``max_samples``.
    """
    x, y = _labelled(train)
    network = ClassifierNetwork(
        x.shape[1],
        min(x.shape[2:]),
        int(max(y.max(), _labelled(test)[1].max())) + 1,
        settings.width,
        seeded_generator("classification score", settings.seed),
    )
    train_classifier(network, x, y, settings)
    return classifier_accuracy(network, *_labelled(test), settings.batch_size)


@dataclass(frozen=True)
class ClassificationScore(Metric):
    """GAN-train, the accuracy on real samples of classifiers trained on generated ones, and GAN-test, the reverse.

    GAN-train sees what a classifier needs: classes that are missing, wrong or of little variety lower it. GAN-test sees samples
    that do not show their class, and is high for a single good sample of each. The floor of GAN-train is the accuracy of
    classifiers trained on other real samples. The features do not affect the scores.

    The standard error is that of the mean over seeds of the network and of its training, with the samples fixed.

    Args:
        features: Unused.
        n_samples: Number of samples of each kind.
        split: Part of the data set that the real samples come from, ``train`` or ``heldout``.
        seeds: Number of networks for each score.
        epochs: Passes over the samples.
        batch_size: Samples per batch.
        lr: Highest learning rate of the one-cycle schedule.
        width: Channels of the first stage, see ``ClassifierNetwork``.
        flip: True to mirror half of the samples during training.

    Raises:
        UserError: If a field is out of range. In ``fitted``, if the data are no labelled images of 8 pixels or more.
    """

    needs_samples: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = True
    higher_is_better: ClassVar[bool] = True
    floor_draws: ClassVar[int] = 1
    split: str = "heldout"
    seeds: int = 3
    epochs: int = 8
    batch_size: int = 128
    lr: float = 0.01
    width: int = 32
    flip: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.count("seeds", self.seeds)
        self._settings(0)  # checks the other fields

    def fitted(self, data: Data, device: torch.device) -> Self:
        """Return this metric with its features fitted.

        Raises:
            UserError: If the data are no labelled images of 8 pixels or more.
        """
        if len(data.shape) != 3 or min(data.shape[1:]) < MIN_SIDE or data.classes < 2:
            raise UserError(
                f"metric=classification_score needs images of {MIN_SIDE} pixels or more with labels of 2 classes or more; "
                f"these samples are {list(data.shape)}, with {data.classes} classes."
            )
        return super().fitted(data, device)  # type: ignore[return-value]

    @property
    def name(self) -> str:
        """``gan_train``."""
        return "gan_train"

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``gan_train`` and ``gan_test``, in [0, 1], with their standard errors over seeds."""
        seeds = counted("seeds of the classification score", range(self.seeds))
        found = [
            (accuracy_across(fake, real, self._settings(seed)), accuracy_across(real, fake, self._settings(seed)))
            for seed in seeds
        ]
        scores = torch.tensor(found, dtype=torch.float64)
        errors = scores.std(0) / math.sqrt(self.seeds) if self.seeds > 1 else [None, None]
        return {
            name: Value(float(mean), None if error is None else float(error), higher_is_better=True)
            for name, mean, error in zip(("gan_train", "gan_test"), scores.mean(0), errors, strict=True)
        }

    def jackknife_values(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return no number: for one seed there is no error, and ten further networks would not give it."""
        return {}

    def _settings(self, seed: int) -> Classifier:
        return Classifier(self.epochs, self.batch_size, self.lr, self.width, self.flip, seed=seed)


def _labelled(samples: Encoded) -> tuple[Tensor, Tensor]:
    if samples.y is None:
        raise UserError("metric=classification_score needs labels of the real and of the generated samples.")
    return quantize_images(samples.x, "classification_score"), samples.y
