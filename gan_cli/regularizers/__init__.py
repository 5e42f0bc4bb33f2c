"""Regularizers: penalties on a player's loss, constraints on its weights, changes to its layers."""

from typing import TYPE_CHECKING

from gan_cli.lazy import lazy_exports

if TYPE_CHECKING:
    from gan_cli.regularizers.base import GradientRegularizer as GradientRegularizer
    from gan_cli.regularizers.base import Judged as Judged
    from gan_cli.regularizers.base import Regularizer as Regularizer
    from gan_cli.regularizers.dragan import Dragan as Dragan
    from gan_cli.regularizers.gradient_penalty import GradientPenalty as GradientPenalty
    from gan_cli.regularizers.none import NoRegularizer as NoRegularizer
    from gan_cli.regularizers.orthogonal import Orthogonal as Orthogonal
    from gan_cli.regularizers.r1 import R1 as R1
    from gan_cli.regularizers.r1 import R2 as R2
    from gan_cli.regularizers.spectral_norm import SpectralNorm as SpectralNorm
    from gan_cli.regularizers.weight_clipping import WeightClipping as WeightClipping
else:
    __getattr__, __dir__ = lazy_exports(__name__)
