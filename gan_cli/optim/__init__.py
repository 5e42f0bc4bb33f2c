"""Optimizers that torch lacks."""

from typing import TYPE_CHECKING

from gan_cli.lazy import lazy_exports

if TYPE_CHECKING:
    from gan_cli.optim.clipped import ClippedAdam as ClippedAdam
    from gan_cli.optim.clipped import ClippedSGD as ClippedSGD
    from gan_cli.optim.optimistic import Optimistic as Optimistic
else:
    __getattr__, __dir__ = lazy_exports(__name__)
