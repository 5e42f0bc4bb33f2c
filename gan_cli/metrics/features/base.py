"""The base class of features, which map samples to vectors, and conversions of samples and feature sets."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from gan_cli.contracts import Contract, instance_of
from gan_cli.data.base import Data
from gan_cli.errors import UserError


@dataclass(frozen=True)
class Encoded:
    """A set of N samples as a metric receives it, on the CPU.

    Attributes:
        x: Samples ``[N, *shape]``: points float32, images float32 in [-1, 1] or uint8.
        features: ``[N, d]``, float32 or float64.
        logits: Logits ``[N, K]`` of a classifier, or None if the features have none.
        y: int64 ``[N]``: the labels of real samples, or the classes that generated samples were asked for; None without
            classes.
    """

    x: Tensor
    features: Tensor
    logits: Tensor | None = None
    y: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def without_samples(self) -> "Encoded":
        """Return the set without its samples: ``x`` is ``[N, 0]``."""
        return Encoded(self.x.new_empty(len(self.x), 0), self.features, self.logits, self.y)

    def subset(self, index: slice | Tensor) -> "Encoded":
        """Return the samples selected by ``index``: a slice, or int64 or bool ``[n]``."""
        logits = None if self.logits is None else self.logits[index]
        return Encoded(self.x[index], self.features[index], logits, None if self.y is None else self.y[index])


def concatenate(parts: list[Encoded]) -> Encoded:
    """Concatenate several encoded sets."""
    logits = [part.logits for part in parts if part.logits is not None]
    labels = [part.y for part in parts if part.y is not None]
    return Encoded(
        torch.cat([part.x for part in parts]),
        torch.cat([part.features for part in parts]),
        torch.cat(logits) if logits else None,
        torch.cat(labels) if labels else None,
    )


class Features(Contract, ABC):
    """A map from samples ``[N, *shape]`` to features ``[N, d]`` and, for a classifier, logits ``[N, K]``.

    Images are float32 in [-1, 1] or uint8 in [0, 255] and are compared as uint8, as an image file would store them. The
    features of a sample do not depend on the other samples. Numbers that were computed in different features must not be
    compared: ``name`` is part of a metric's name, and ``provenance`` part of every result.
    """

    contract: ClassVar = {"__call__": instance_of(tuple, "features and logits, or None for these")}
    name: ClassVar[str]
    trained_on_data: ClassVar[bool] = False
    """True if the features were trained on the training samples, whose features then differ from those of other samples."""

    def fitted(self, data: Data, device: torch.device) -> Self:
        """Return these features, prepared for samples of ``data`` and computed on ``device``.

        Raises:
            UserError: If these features are not defined for such data.
        """
        return self

    @property
    def provenance(self) -> dict[str, Any]:
        """All settings that determine the features of a sample, as plain data.

        Always holds ``extractor``; for networks also ``weights`` (SHA-256) and ``resizing``.
        """
        return {"extractor": self.name}

    def label(self, measure: str) -> str:
        """Return the name of ``measure`` in these features: ``<measure>_<name>``."""
        return f"{measure}_{self.name}"

    @abstractmethod
    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the features and logits of any number of samples, computed in batches.

        Args:
            x: Samples ``[N, *shape]``.

        Returns:
            Features ``[N, d]`` and logits ``[N, K]`` (None without a classifier), on the CPU.
        """

    def encode(self, x: Tensor, y: Tensor | None = None) -> Encoded:
        """Return the samples ``x``, ``[N, *shape]``, and their labels ``y``, int64 ``[N]``, with features and logits."""
        features, logits = self(x)
        return Encoded(x, features, logits, y)


@contextmanager
def deterministic_convolutions() -> Iterator[None]:
    """Make cuDNN's convolutions deterministic and as precise as float32 allows, as on a CPU."""
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        yield


def quantize_images(x: Tensor, extractor: str) -> Tensor:
    """Convert images to uint8, the 256 levels of an image file, on the same device.

    Args:
        x: Images ``[N, 1 | 3, H, W]``, float in [-1, 1] or uint8.
        extractor: Name of the features for error messages.

    Returns:
        uint8 ``[N, 1 | 3, H, W]``.

    Raises:
        UserError: If ``x`` does not hold grey or colour images, or holds NaN or Inf.
    """
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        raise UserError(
            f"features={extractor} needs grey or colour images [N, 1 or 3, H, W] and got {list(x.shape)}.\n"
            "For other data use features=identity."
        )
    if x.dtype == torch.uint8:
        return x
    if not x.isfinite().all():  # the clamp would hide an Inf
        raise UserError(f"features={extractor} got images that hold NaN or Inf.")
    return x.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def to_metric_input(x: Tensor, features: Features) -> Tensor:
    """Convert samples to the form that metrics store: images to uint8, others to float32, on the CPU."""
    return (quantize_images(x, features.name) if x.ndim == 4 and x.shape[1] in (1, 3) else x.float()).cpu()


def validate_pair(measure: str, x: Tensor, y: Tensor, minimum: int = 1) -> tuple[Tensor, Tensor]:
    """Check that two sets of samples can be compared and return them, detached and on the CPU.

    Args:
        measure: Name of the measure for error messages.
        x: ``[N, d]``.
        y: ``[M, d]``.
        minimum: Smallest number of samples allowed in each set.

    Raises:
        UserError: If the sets are not matrices with the same number of columns, are too small, or hold NaN or Inf.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise UserError(f"{measure}: needs samples [N, d] of equal dimension and got {list(x.shape)}, {list(y.shape)}.")
    if min(len(x), len(y)) < minimum:
        raise UserError(f"{measure}: needs at least {minimum} samples of each kind and got {len(x)} and {len(y)}.")
    if not (x.isfinite().all() and y.isfinite().all()):
        raise UserError(f"{measure}: the samples hold NaN or Inf.")
    return x.detach().cpu(), y.detach().cpu()
