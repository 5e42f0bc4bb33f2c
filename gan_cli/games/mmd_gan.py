"""MMD-GAN: a generator that matches moments of learned features."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from gan_cli import checks
from gan_cli.games.gan import GAN
from gan_cli.games.gmmn import positive
from gan_cli.games.objective import Objective, Part
from gan_cli.losses.base import Loss
from gan_cli.metrics.points.mmd import mmd2_of_kernel, rational_quadratic, squared_distances
from gan_cli.models.base import Discriminator, Generator
from gan_cli.parallel.share import whole_rows
from gan_cli.precision import in_full_precision
from gan_cli.regularizers.base import Judged
from gan_cli.types import Critic, Stats


@dataclass(frozen=True)
class LearnedMMD(Loss):
    """min over G, max over D of MMD^2 between D(x) and D(G(z)), codes ``[B, d]`` (or ``[B]``), by a rational quadratic kernel.

    The gradients for the generator are unbiased (Binkowski et al., 2018, section 3).

    Args:
        alphas: Exponents of the kernels that are summed.
        linear: Weight of the linear kernel <a, b>, which is added to them.
    """

    alphas: Sequence[float]
    linear: float = 0.0
    looks_at_real: ClassVar[bool] = True

    def kernel(self, a: Tensor, b: Tensor) -> Tensor:
        """Return k between two sets of codes, ``[A, B]``."""
        with in_full_precision(a.device):
            kernel = rational_quadratic(squared_distances(_codes(a), _codes(b)), self.alphas)
            return kernel + self.linear * _codes(a) @ _codes(b).T if self.linear else kernel

    def mmd2(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return MMD^2 of the codes, a scalar."""
        real, fake = whole_codes(real), whole_codes(fake)
        return mmd2_of_kernel(self.kernel(real, real), self.kernel(fake, fake), self.kernel(real, fake))

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -self.mmd2(real, fake)

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return self.mmd2(real, fake)

    def estimate(self, real: Tensor, fake: Tensor) -> Stats:
        return {"mmd2": self.mmd2(real, fake)}

    def judgement(self, real: Tensor, fake: Tensor) -> Stats:
        return {}  # no single code says what D takes a sample for


class MMDGAN(GAN):
    """A GAN on the MMD of learned features (Li et al., 2017), with the kernel and the critic of Binkowski et al., 2018.

    The discriminator's outputs are the features, 16 in the paper. Its regularizers act on the critic that the MMD implies,
    the witness f(x) = E k(D(x), D(data)) - E k(D(x), D(G(z))), which a gradient penalty keeps Lipschitz. ``estimate/mmd2`` is
    MMD^2 of the features, in units that D itself sets.

    Args:
        alphas: Exponents > 0 of the rational quadratic kernels that are summed.
        linear: Weight >= 0 of the linear kernel <a, b>, which is added to them: with it the means of the features also count
            where the features are far apart.
    """

    uses: ClassVar[tuple[Part, ...]] = ("regularizer", "augmentation")

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        objective: Objective,
        alphas: Sequence[float],
        linear: float = 0.0,
    ) -> None:
        checks.number("linear", linear, least=0)
        loss = LearnedMMD(positive("alphas", alphas), linear)
        super().__init__(generator, discriminator, replace(objective, loss=loss))
        self.kernel = loss.kernel

    def regularized_critic(self, critic: Critic, judged: Judged) -> tuple[Critic, Judged]:
        """Return the witness f, x -> ``[B]``, and its values: high where the kernel finds data denser than fakes."""
        codes = judged.real_logits, judged.fake_logits
        whole = [whole_codes(code) for code in codes]

        def f(code: Tensor) -> Tensor:
            real, fake = (self.kernel(code, other).mean(1) for other in whole)
            return real - fake

        d_real, d_fake = map(f, codes)
        return lambda x: f(critic(x)), judged._replace(real_logits=d_real, fake_logits=d_fake)


def whole_codes(codes: Tensor) -> Tensor:
    """Return the codes of the whole batch."""
    return whole_rows(codes, "MMD compares all samples of a batch with each other")


def _codes(logits: Tensor) -> Tensor:
    return logits.flatten(1) if logits.ndim > 1 else logits[:, None]
