"""Where samples are compared: a map from samples to feature vectors."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from gan_cli.data.base import Data
from gan_cli.errors import UserError


@dataclass(frozen=True)
class Encoded:
    """A set of N samples as a metric sees it, everything on the CPU.

    ``x``: the samples ``[N, *shape]``, points float32, images float32 in [-1, 1] or uint8; ``features``: ``[N, d]``,
    float32 or float64; ``logits``: ``[N, K]`` of a classifier, where the features have one; ``y``: int64 ``[N]``, the true
    labels of real samples and the wanted ones of generated samples, None without classes.
    """

    x: Tensor
    features: Tensor
    logits: Tensor | None = None
    y: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def bare(self) -> "Encoded":
        """The same without the samples: ``x`` is ``[N, 0]``."""
        return Encoded(self.x.new_empty(len(self.x), 0), self.features, self.logits, self.y)

    def part(self, index: slice | Tensor) -> "Encoded":
        """The samples that ``index`` picks: a slice, or int64 or bool ``[n]``."""
        logits = None if self.logits is None else self.logits[index]
        return Encoded(self.x[index], self.features[index], logits, None if self.y is None else self.y[index])


class Features(ABC):
    """A map from samples, ``[N, *shape]``, to features ``[N, d]`` and, for a classifier, its logits ``[N, K]``.

    ``name`` becomes part of a metric's name, ``provenance`` part of every result: numbers taken in different features must
    not be compared. Images come float32 in [-1, 1] or uint8 in [0, 255] and are compared as uint8, as a file would hold
    them. The features of a sample do not depend on the other samples.
    """

    name: ClassVar[str]

    def fitted(self, data: Data, device: torch.device) -> Self:
        """These features, ready for samples of ``data``, computed on ``device``; most need to know nothing.

        Raises UserError where they cannot be taken of such data.
        """
        return self

    @property
    def provenance(self) -> dict[str, Any]:
        """All that decides the features of a sample, as plain data: ``extractor``, and for networks ``weights`` (SHA-256)
        and ``resizing``."""
        return {"extractor": self.name}

    def label(self, measure: str) -> str:
        """What a measure is called when it is taken in these features: ``<measure>_<name>``."""
        return f"{measure}_{self.name}"

    @abstractmethod
    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """``[N, *shape]`` -> features ``[N, d]``, logits ``[N, K]`` or None, on the CPU; any N, in batches of its own."""

    def encode(self, x: Tensor, y: Tensor | None = None) -> Encoded:
        """The samples with their features and logits."""
        features, logits = self(x)
        return Encoded(x, features, logits, y)


@contextmanager
def reproducible() -> Iterator[None]:
    """Inside, cuDNN's convolutions give what a CPU gives, as near as float32 goes, and the same every time."""
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        yield


def levels(x: Tensor, extractor: str) -> Tensor:
    """Images float in [-1, 1] or uint8 -> uint8 ``[N, 1 | 3, H, W]``, where ``x`` is: the 256 levels of a file.

    Raises UserError, in the name of ``extractor``, for anything but grey or colour images and for NaN and Inf in them.
    """
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        raise UserError(
            f"features={extractor} needs grey or colour images [N, 1 or 3, H, W] and got {list(x.shape)}.\n"
            "For other data take features=identity."
        )
    if x.dtype == torch.uint8:
        return x
    if not x.isfinite().all():  # the clamp would hide an Inf
        raise UserError(f"features={extractor} got images that hold NaN or Inf.")
    return x.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def stored(x: Tensor, features: Features) -> Tensor:
    """Samples as a metric takes them: images as uint8, as a file would hold them, others float32; on the CPU."""
    return (levels(x, features.name) if x.ndim == 4 and x.shape[1] in (1, 3) else x.float()).cpu()


def comparable(measure: str, x: Tensor, y: Tensor, least: int = 1) -> tuple[Tensor, Tensor]:
    """Two sets of samples ``[N, d]``, ``[M, d]`` without their gradients, on the CPU, once they are fit to be compared.

    Raises UserError in the name of ``measure`` where they are not matrices of equally many columns, hold fewer than
    ``least`` samples, NaN or Inf.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise UserError(f"{measure}: needs samples [N, d] of equal dimension and got {list(x.shape)}, {list(y.shape)}.")
    if min(len(x), len(y)) < least:
        raise UserError(f"{measure}: needs at least {least} samples of either kind and got {len(x)} and {len(y)}.")
    if not (x.isfinite().all() and y.isfinite().all()):
        raise UserError(f"{measure}: the samples hold NaN or Inf.")
    return x.detach().cpu(), y.detach().cpu()
