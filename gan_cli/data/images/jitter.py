"""Random crops and flips of training images."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from gan_cli.data.base import Dataset, DatasetWrapper
from gan_cli.data.content import Content
from gan_cli.errors import FieldError
from gan_cli.types import Batch


class Jittered(DatasetWrapper):
    """Another data set's images, randomly cropped and flipped in training (Isola et al., 2017, section 6.2).

    The random choices are columns of the rows of ``epoch``: (index, top, left, mirrored). ``order`` and plain indices leave the
    images unchanged, and so do all measurements.

    Args:
        dataset: The other data set.
        enlarged: Side in pixels to which images ``[C, S, S]`` are scaled bilinearly before S × S pixels are cropped at a
            random position; None for no cropping.
        mirror: Flip images left-right with probability 1/2.

    Raises:
        UserError: If ``enlarged`` is smaller than the images.
    """

    def __init__(self, dataset: Dataset, enlarged: int | None, mirror: bool):
        super().__init__(dataset)
        side = dataset.shape[-1]
        if enlarged is not None and enlarged < side:
            raise FieldError(
                *("jitter", enlarged),
                f"it must not be smaller than the images, which have {side} pixels.\n"
                "It is the side to which they are enlarged before a random crop, for instance 286 for 256.",
            )
        self.enlarged, self.mirror = enlarged or side, mirror

    def content(self) -> Content | None:
        return self.dataset.content()

    def epoch(self, random: torch.Generator) -> Tensor:
        """Draw rows of (index, top, left, mirrored), int64 ``[len(self), 4]``."""
        indices = self.dataset.order(random)
        corners = torch.randint(self.enlarged - self.shape[-1] + 1, (len(indices), 2), generator=random)
        mirrored = torch.randint(2, (len(indices), 1), generator=random) * self.mirror
        return torch.cat([indices[:, None], corners, mirrored], dim=1)

    def batch(self, indices: Tensor) -> Batch:
        """Return the images at indices int64 ``[B]`` unchanged, or those of rows of ``epoch`` with their changes."""
        if indices.ndim == 1:
            return self.dataset.batch(indices)
        x, y = self.dataset.batch(indices[:, 0])
        side = self.shape[-1]
        if self.enlarged > side:
            x = interpolate(x, size=(self.enlarged, self.enlarged), mode="bilinear")
        crops = []
        for image, (top, left, mirrored) in zip(x, indices[:, 1:].tolist(), strict=True):
            crop = image[:, top : top + side, left : left + side]
            crops.append(crop.flip(2) if mirrored else crop)
        return Batch(torch.stack(crops), y)
