"""No data, for games that need none."""

import torch
from torch import Tensor

from gan_cli.data.base import Data, Dataset
from gan_cli.types import Batch


class Nothing(Dataset):
    """A data set without samples: every row of every batch is the point 0 of the line."""

    shape, classes, unlimited = (1,), 0, True

    def __len__(self) -> int:
        return 0

    def batch(self, indices: Tensor) -> Batch:
        return Batch(torch.zeros(len(indices), 1))


def nothing() -> Data:
    """Return two parts without samples, for games that use no data."""
    return Data(Nothing(), Nothing())
