"""Data from arrays and tensors that are in memory already, without a data set class."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data, Dataset, seeded_generator
from gan_cli.data.images.arrays import ImageArray
from gan_cli.data.points.toy import Points
from gan_cli.errors import UserError


def from_arrays(
    x: np.ndarray | Tensor,
    y: np.ndarray | Tensor | None = None,
    *,
    heldout: int | None = None,
    class_names: Sequence[str] = (),
) -> Data:
    """Return the data of samples in memory, ``heldout`` of them held out, always the same ones.

    Args:
        x: Samples: images uint8 ``[N, C, H, W]`` or float in [-1, 1], points ``[N, d]`` or sequences ``[N, T, F]`` in [0, 1].
        y: Labels from 0, whole numbers ``[N]``. None: no labels.
        heldout: Number of samples that are held out. None: a tenth, at most 5 000.
        class_names: Names of the classes in the order of the labels; empty if they have none.

    Raises:
        UserError: If the shapes, types or numbers do not fit.
    """
    samples = torch.as_tensor(x)
    if samples.ndim not in (2, 3, 4) or not len(samples):
        raise UserError(
            f"x has the shape {[*samples.shape]}: it must be [N, C, H, W], [N, d] or [N, T, F], with N of 1 or more."
        )
    if samples.dtype == torch.uint8 and samples.ndim != 4:
        raise UserError(f"x is uint8 of the shape {[*samples.shape]}: images are [N, C, H, W], with C = 1 if they are grey.")
    if samples.ndim == 4 and samples.shape[1] not in (1, 3):
        raise UserError(f"x has the shape {[*samples.shape]}: images are [N, C, H, W] with 1 or 3 channels; permute it.")
    if samples.dtype != torch.uint8:
        samples = samples.to(torch.float32)
        if not samples.isfinite().all():
            raise UserError("x holds values that are not finite.")
    labels = None if y is None else _labels(torch.as_tensor(y), len(samples))
    classes = 0 if labels is None else max(int(labels.max()) + 1, len(class_names))
    if class_names and len(class_names) != classes:
        raise UserError(f"class_names holds {len(class_names)} names, and there are {classes} classes.")
    n_heldout = min(len(samples) // 10, 5000) if heldout is None else heldout
    checks.count("heldout", n_heldout, least=0)
    if n_heldout >= len(samples):
        raise UserError(f"heldout={n_heldout} leaves nothing of {len(samples)} samples to train on.")
    order = torch.randperm(len(samples), generator=seeded_generator("held out"))
    parts = (order[n_heldout:].sort().values, order[:n_heldout].sort().values)
    train, held = (_part(samples[rows], None if labels is None else labels[rows], classes, class_names) for rows in parts)
    return Data(train, held)


def _labels(y: Tensor, n: int) -> Tensor:
    if y.shape != (n,) or y.is_floating_point() or y.is_complex() or int(y.min()) < 0:
        raise UserError(f"y must hold a whole number, 0 or more, for each of the {n} samples; it is {y.dtype} {[*y.shape]}.")
    return y.to(torch.int64)


def _part(x: Tensor, y: Tensor | None, classes: int, names: Sequence[str]) -> Dataset:
    if x.dtype == torch.uint8:
        return ImageArray(x.numpy(), None if y is None else y.numpy(), classes, names)
    points = Points(x, y, classes)
    points.class_names = tuple(names)
    return points
