"""GMMN: a generator that matches all moments of the data, without a discriminator."""

from collections.abc import Sequence

from torch import Tensor

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.games.minimum_distance import MinimumDistance
from gan_cli.metrics.points.mmd import gaussian_kernel, mmd2_of_kernel, squared_distances
from gan_cli.models.base import Generator
from gan_cli.types import Stats


class GMMN(MinimumDistance):
    """min over G of MMD, the root of MMD^2, with a sum of Gaussian kernels on the samples themselves (Li et al., 2015).

    The loss is the biased estimate, which is never negative; ``estimate/mmd2`` is the unbiased one, whose expectation is 0 if
    the laws are equal.

    Args:
        bandwidths: The kernels' sigma > 0; in the paper 2, 5, 10, 20, 40, 80 for images with values in [0, 1].
        scaled: If true, sigma is in units of the median distance within each batch of data, otherwise in units of the data.
    """

    def __init__(self, generator: Generator, bandwidths: Sequence[float], scaled: bool) -> None:
        super().__init__(generator)
        self.bandwidths = positive("bandwidths", bandwidths)
        checks.flag("scaled", scaled)
        self.scaled = scaled

    def distance(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Stats]:
        within = squared_distances(real, real)
        unit = within.median().clamp(min=1e-12) if self.scaled else 1.0
        xx, yy, xy = (
            gaussian_kernel(squared / unit, self.bandwidths)
            for squared in (within, squared_distances(fake, fake), squared_distances(real, fake))
        )
        # the slope of a root is unbounded at 0, and rounding may even make the value negative
        loss = mmd2_of_kernel(xx, yy, xy, biased=True).clamp(min=1e-12).sqrt()
        return loss, {"mmd2": mmd2_of_kernel(xx, yy, xy).detach()}


def positive(name: str, values: Sequence[float]) -> list[float]:
    """Return ``values`` as a list of floats.

    Raises:
        UserError: If there is none, or one is not above 0.
    """
    checks.listed(name, values)
    if not values:
        raise FieldError(name, values, "it needs at least one number.")
    for value in values:
        checks.number(name, value, above=0)
    return [float(value) for value in values]
