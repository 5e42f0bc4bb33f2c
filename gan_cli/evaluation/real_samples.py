"""Real samples with their features, which the processes of a run compute together."""

from collections.abc import Callable

import torch
from torch import Tensor

from gan_cli.activity import counted
from gan_cli.data.base import Data, Dataset
from gan_cli.games.sampling import CHUNK
from gan_cli.metrics.features.base import Encoded, Features, to_metric_input
from gan_cli.metrics.features.cache import encode_cached
from gan_cli.parallel.dealing import Results, deal
from gan_cli.parallel.ranks import Order, here

BLOCK = 128
"""Samples whose features one of several processes computes at a time; the batches of the networks here divide it."""


class RealSamples:
    """The samples of a data set, in the form of ``to_metric_input``.

    Args:
        data: The data set.
        features: The feature space.
    """

    def __init__(self, data: Data, features: Features) -> None:
        self.data, self.features = data, features

    def read(self, dataset: Dataset, indices: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the samples of one split with these indices, and their labels or sources."""
        batches = [dataset.batch(chunk) for chunk in counted("reading real samples", indices.split(CHUNK))]
        labels = [batch.y for batch in batches if batch.y is not None]
        return torch.cat([to_metric_input(batch.x, self.features) for batch in batches]), torch.cat(labels) if labels else None

    def encoded(self, dataset: Dataset, indices: Tensor) -> Encoded:
        """Return these samples with their features, which are cached on disk.

        Features that are not in the cache are computed by all processes of the run, if there are several.
        """
        ranks, (x, y) = here(), self.read(dataset, indices)

        def apply(x: Tensor) -> tuple[Tensor, Tensor | None]:
            is_heldout, message = dataset is self.data.heldout, indices.numpy().tobytes()
            features, logits = zip(*self._dealt(len(x), lambda rows: x[rows], is_heldout, message), strict=True)
            return torch.cat(features), None if logits[0] is None else torch.cat(logits)

        return encode_cached(self.features, x, y, self.features if ranks.count == 1 else apply)

    def help(self, is_heldout: bool, message: bytes) -> None:
        """Compute the share of this process in the features that process 0 asks for.

        Args:
            is_heldout: True if the samples are held out, False if they are training samples.
            message: Their indices.
        """
        dataset: Dataset = self.data.heldout if is_heldout else self.data.train
        indices = torch.frombuffer(bytearray(message), dtype=torch.int64)
        self._dealt(len(indices), lambda rows: self.read(dataset, indices[rows])[0])

    def _dealt(self, n: int, read: Callable[[slice], Tensor], is_heldout: bool = False, message: bytes = b"") -> list[Results]:
        """Return the features and logits of ``n`` samples, block by block, in process 0."""

        def compute(i: int) -> Results:
            return self.features(read(slice(i * BLOCK, (i + 1) * BLOCK)))

        return deal(here(), Order.ENCODE, -(-n // BLOCK), compute, is_heldout, message)
