"""Where samples are compared: a map from samples to feature vectors."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor


class Features(ABC):
    """A map from samples, float32 ``[N, *shape]``, to features ``[N, d]``, float32 or float64, on the samples' device.

    ``name`` becomes part of a metric's name: numbers taken in different features must not be compared.
    """

    name: ClassVar[str]

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """The features of each sample, whatever the other samples in ``x`` are."""


@dataclass(frozen=True)
class Identity(Features):
    """The samples themselves, flattened to ``[N, d]``: for points, and for pixels."""

    name: ClassVar[str] = "identity"

    def __call__(self, x: Tensor) -> Tensor:
        """``[N, *shape]`` -> ``[N, prod(shape)]``."""
        return x.flatten(1)
