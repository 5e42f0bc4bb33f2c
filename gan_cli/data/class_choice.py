"""Some of the classes of a data set."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.base import Data, Dataset, Subset
from gan_cli.data.classes import labels_of
from gan_cli.data.content import Content
from gan_cli.errors import FieldError
from gan_cli.types import Batch


class ClassChoice(Subset):
    """The samples of some classes, numbered anew in the order in which these are listed.

    Args:
        dataset: The other data set, with labels.
        chosen: Labels of the classes, all different.
    """

    def __init__(self, dataset: Dataset, chosen: Sequence[int]):
        labels = dataset.known_labels()
        assert labels is not None
        self.new = torch.full((dataset.classes,), -1)
        self.new[list(chosen)] = torch.arange(len(chosen))
        super().__init__(dataset, (self.new[labels] >= 0).nonzero().flatten())
        self.classes = len(chosen)
        self.class_names = tuple(dataset.class_names[label] for label in chosen) if dataset.class_names else ()

    def known_labels(self) -> Tensor | None:
        labels = super().known_labels()
        return None if labels is None else self.new[labels]

    def content(self) -> Content | None:
        whole = super().content()
        if whole is None or whole.labels is None:
            return whole
        return whole._replace(labels=self.new.numpy()[np.asarray(whole.labels)])

    def batch(self, indices: Tensor) -> Batch:
        x, y = super().batch(indices)
        return Batch(x, None if y is None else self.new[y])


def of_classes(dataset: Dataset, classes: Sequence[str | int] | None) -> Dataset:
    """Return the samples of ``dataset`` of these classes, by name or number, or all of them if ``classes`` is None.

    Raises:
        FieldError: If the data set has no labels, or there is no such class.
    """
    if classes is None:
        return dataset
    if not dataset.classes or dataset.known_labels() is None:
        raise FieldError("classes", classes, "these samples have no labels. Leave it out.")
    chosen = list(dict.fromkeys(labels_of(classes, dataset.class_names, dataset.classes, "classes")))
    return ClassChoice(dataset, chosen)


def data_of_classes(data: Data, classes: Sequence[str | int] | None) -> Data:
    """Return both parts with the samples of these classes alone, see ``of_classes``."""
    return Data(of_classes(data.train, classes), of_classes(data.heldout, classes), series=data.series)
