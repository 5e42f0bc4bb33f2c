"""MMD-GAN: a generator that matches moments of learnt features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gan_cli.augmentations.base import Augmentation
from gan_cli.device import in_full_precision
from gan_cli.games.gan import GAN
from gan_cli.games.gmmn import positive
from gan_cli.losses.base import Loss
from gan_cli.metrics.points.mmd import mmd2_of_kernel, rational_quadratic, squared_distances
from gan_cli.models.base import Discriminator, Generator
from gan_cli.regularizers.base import Regularizer
from gan_cli.types import Critic, Stats


@dataclass(frozen=True)
class LearntMMD(Loss):
    """min over G, max over D of MMD^2 between D(x) and D(G(z)), codes ``[B, d]`` (or ``[B]``), by a rational quadratic kernel.

    Unbiased: its gradients for the generator are (Binkowski et al., 2018, section 3).
    """

    alphas: Sequence[float]
    looks_at_real: ClassVar[bool] = True

    def kernel(self, a: Tensor, b: Tensor) -> Tensor:
        """k between two sets of codes, ``[A, B]``."""
        with in_full_precision(a.device):
            return rational_quadratic(squared_distances(_codes(a), _codes(b)), self.alphas)

    def mmd2(self, real: Tensor, fake: Tensor) -> Tensor:
        """MMD^2 of the codes, 0-d."""
        return mmd2_of_kernel(self.kernel(real, real), self.kernel(fake, fake), self.kernel(real, fake))

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -self.mmd2(real, fake)

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return self.mmd2(real, fake)

    def estimate(self, real: Tensor, fake: Tensor) -> Stats:
        return {"mmd2": self.mmd2(real, fake)}


class MMDGAN(GAN):
    """A GAN on the MMD of learnt features (Li et al., 2017), with the kernel and the critic of Binkowski et al., 2018.

    The discriminator's outputs are the features, 16 in the paper. Its regularizers look at the critic that the MMD stands
    for, the witness f(x) = E k(D(x), D(data)) - E k(D(x), D(G(z))), which a gradient penalty keeps Lipschitz. ``alphas``: of
    the kernel. ``estimate/mmd2``: MMD^2 of the features, in units that D itself sets.
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        regularizers: Mapping[str, Regularizer],
        alphas: Sequence[float],
        augmentation: Augmentation | None = None,
    ) -> None:
        loss = LearntMMD(positive("game.alphas", alphas))
        super().__init__(generator, discriminator, loss, regularizers, augmentation)
        self.kernel = loss.kernel

    def regularized(self, critic: Critic, d_real: Tensor, d_fake: Tensor) -> Critic:
        """The witness f, x -> ``[B]``: where it is high, data is denser than fakes, as the kernel sees it."""

        def f(x: Tensor) -> Tensor:
            code = critic(x)
            return self.kernel(code, d_real).mean(1) - self.kernel(code, d_fake).mean(1)

        return f


def _codes(logits: Tensor) -> Tensor:
    return logits.flatten(1) if logits.ndim > 1 else logits[:, None]
