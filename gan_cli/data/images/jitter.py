"""Training images that are moved and mirrored a little each time they are shown."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from gan_cli.data.base import Dataset, DatasetWrapper
from gan_cli.errors import FieldError
from gan_cli.types import Batch


class Jittered(DatasetWrapper):
    """Another data set's images, in training enlarged and cut, and mirrored (Isola et al., 2017, section 6.2).

    ``enlarged``: each image ``[C, S, S]`` is scaled to this side, bilinearly, and S by S pixels are cut out of it, at a place
    drawn anew for each epoch; None: not. ``mirror``: half of them have left and right exchanged.
    What is drawn stands in the rows of ``epoch``: (index, top, left, mirrored). At bare indices, and in ``order``, images are
    unchanged: so they are measured.

    Raises:
        UserError: if ``enlarged`` is smaller than the images.
    """

    def __init__(self, whole: Dataset, enlarged: int | None, mirror: bool):
        super().__init__(whole)
        side = whole.shape[-1]
        if enlarged is not None and enlarged < side:
            raise FieldError(
                *("jitter", enlarged),
                f"it is smaller than the images, {side} pixels wide.\n"
                "It is the side to which they are enlarged before a random piece is cut out: 286 for 256.",
            )
        self.enlarged, self.mirror = enlarged or side, mirror

    def epoch(self, random: torch.Generator) -> Tensor:
        """Rows of (index, top, left, mirrored), int64 ``[len(self), 4]``."""
        indices = self.whole.order(random)
        corners = torch.randint(self.enlarged - self.shape[-1] + 1, (len(indices), 2), generator=random)
        mirrored = torch.randint(2, (len(indices), 1), generator=random) * self.mirror
        return torch.cat([indices[:, None], corners, mirrored], dim=1)

    def batch(self, indices: Tensor) -> Batch:
        """The images at ``indices`` (int64 ``[B]``), unchanged, or as rows of ``epoch`` say."""
        if indices.ndim == 1:
            return self.whole.batch(indices)
        x, y = self.whole.batch(indices[:, 0])
        side = self.shape[-1]
        if self.enlarged > side:
            x = interpolate(x, size=(self.enlarged, self.enlarged), mode="bilinear")
        pieces = []
        for image, (top, left, mirrored) in zip(x, indices[:, 1:].tolist(), strict=True):
            piece = image[:, top : top + side, left : left + side]
            pieces.append(piece.flip(2) if mirrored else piece)
        return Batch(torch.stack(pieces), y)
