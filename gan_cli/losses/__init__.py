"""Losses: one file and one pair of equations each."""

from typing import TYPE_CHECKING

from gan_cli.lazy import lazy_exports

if TYPE_CHECKING:
    from gan_cli.losses.base import Loss as Loss
    from gan_cli.losses.ebgan import EBGAN as EBGAN
    from gan_cli.losses.f_gan import KL as KL
    from gan_cli.losses.f_gan import JensenShannon as JensenShannon
    from gan_cli.losses.f_gan import Pearson as Pearson
    from gan_cli.losses.f_gan import ReverseKL as ReverseKL
    from gan_cli.losses.f_gan import SquaredHellinger as SquaredHellinger
    from gan_cli.losses.hinge import Hinge as Hinge
    from gan_cli.losses.least_squares import LeastSquares as LeastSquares
    from gan_cli.losses.minimax import Minimax as Minimax
    from gan_cli.losses.minimax import ZeroSum as ZeroSum
    from gan_cli.losses.non_saturating import NonSaturating as NonSaturating
    from gan_cli.losses.relativistic import Relativistic as Relativistic
    from gan_cli.losses.wasserstein import Wasserstein as Wasserstein
else:
    __getattr__, __dir__ = lazy_exports(__name__)
