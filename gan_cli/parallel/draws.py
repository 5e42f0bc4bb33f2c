"""Random numbers of a turn, drawn from torch's default generators for the whole batch.

Everything that draws while the loss of a turn is computed draws here: the functions have the names and, with an undivided
batch, the results of torch's. If the batch is divided they return the numbers of the current part's samples.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from gan_cli.parallel.share import current

Device = torch.device | str | None


def randn(n: int, *shape: int, device: Device = None, dtype: torch.dtype | None = None) -> Tensor:
    """Draw from N(0, 1) for each of ``n`` samples: ``[n, *shape]``."""
    return _rows(partial(torch.randn, device=device, dtype=dtype), n, *shape)


def rand(n: int, *shape: int, device: Device = None, dtype: torch.dtype | None = None) -> Tensor:
    """Draw from U[0, 1) for each of ``n`` samples: ``[n, *shape]``."""
    return _rows(partial(torch.rand, device=device, dtype=dtype), n, *shape)


def randint(low: int, high: int, n: int, *shape: int, device: Device = None) -> Tensor:
    """Draw one of ``low`` ... ``high`` - 1 for each of ``n`` samples: int64 ``[n, *shape]``."""
    return _rows(partial(torch.randint, low, high, device=device), n, *shape)


def randn_like(x: Tensor) -> Tensor:
    """Draw from N(0, 1) for each number of samples ``[B, *shape]``."""
    share = current()
    return torch.randn_like(x) if share is None else share.own_rows(len(x), lambda n: _more_rows(x, n).normal_())


def rand_like(x: Tensor) -> Tensor:
    """Draw from U[0, 1) for each number of samples ``[B, *shape]``."""
    share = current()
    return torch.rand_like(x) if share is None else share.own_rows(len(x), lambda n: _more_rows(x, n).uniform_())


def dropout(x: Tensor, p: float) -> Tensor:
    """Set each number of samples ``[B, *shape]`` to 0 with probability ``p``, and divide the others by 1 - ``p``."""
    share = current()
    if share is None or not p:
        return functional.dropout(x, p)
    return x * share.own_rows(len(x), lambda n: functional.dropout(_more_rows(x, n).fill_(1.0), p))


def common(draw: Callable[[], Tensor]) -> Tensor:
    """Return ``draw()``, numbers of the batch rather than of its samples, such as directions: the same in every part."""
    share = current()
    return draw() if share is None else share.drawn(draw)


class Dropout(torch.nn.Dropout):
    """``dropout`` as a layer, in training only."""

    @property
    def active(self) -> bool:
        """True if the layer drops anything."""
        return self.training and self.p > 0

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p) if self.training else x


def _rows(draw: Callable[..., Tensor], n: int, *shape: int) -> Tensor:
    share = current()
    return draw((n, *shape)) if share is None else share.own_rows(n, lambda whole: draw((whole, *shape)))


def _more_rows(x: Tensor, n: int) -> Tensor:
    """Return an empty tensor of ``n`` rows that lies in memory as ``torch.empty_like`` of ``n`` rows of ``x`` would."""
    row = torch.empty_like(x).stride()[1:]
    return torch.empty_strided((n, *x.shape[1:]), (x[0].numel(), *row), dtype=x.dtype, device=x.device)
