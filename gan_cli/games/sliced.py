"""sliced, sliced_gan: generators that minimize a sliced Wasserstein distance."""

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.games.base import frozen, penalized
from gan_cli.games.gan import GAN
from gan_cli.games.minimum_distance import MinimumDistance
from gan_cli.games.objective import Objective
from gan_cli.metrics.points.sliced_wasserstein import projected_costs
from gan_cli.models.base import Discriminator, Generator, require_features
from gan_cli.parallel import draws
from gan_cli.parallel.share import whole_rows
from gan_cli.precision import in_full_precision
from gan_cli.regularizers.base import Judged
from gan_cli.types import Batch, Stats


class SlicedWasserstein(MinimumDistance):
    """min over G of SW_2^2 between samples, without opponent or features (Deshpande, Zhang and Schwing, 2018, section 3).

    Args:
        directions: Number of random directions, drawn anew at every step; 10 000 in the paper.
    """

    def __init__(self, generator: Generator, directions: int) -> None:
        super().__init__(generator)
        checks.count("directions", directions)
        self.directions = directions

    def distance(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Stats]:
        loss = sliced_cost(real, fake, self.directions)
        return loss, {"sw2": loss.detach().sqrt()}


class SlicedGAN(GAN):
    """min over G of SW_2^2 between features of a discriminator (Deshpande, Zhang and Schwing, 2018, section 4).

    The discriminator is trained by the loss of a GAN; the features are the input of its last layer. ``features_sw2`` is the
    distance that the generator minimizes; the estimates are those of the loss.

    Args:
        directions: Number of random directions, drawn anew at every step.
    """

    def __init__(self, generator: Generator, discriminator: Discriminator, objective: Objective, directions: int) -> None:
        super().__init__(generator, require_features(discriminator, "game=sliced_gan"), objective)
        checks.count("directions", directions)
        self.directions = directions

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return SW_2^2 of the features + penalties."""
        fake = self.sample(self.latents(len(batch.x)), batch.y)
        critic = require_features(self.discriminator, "game=sliced_gan")
        with frozen():
            real_features = critic.features(self.augmentation(batch.x)).to(fake.dtype)
        fake_features = critic.features(self.augmentation(fake)).to(fake.dtype)
        reason = "the sliced distance compares all samples of a batch with each other"
        real_features, fake_features = (whole_rows(features, reason) for features in (real_features, fake_features))
        with in_full_precision(self.device):
            loss = sliced_cost(real_features, fake_features, self.directions)
        no_logits = fake.new_empty(0)
        penalties = self.penalties("generator", self.critic(batch.y), Judged(batch.x, fake, no_logits, no_logits))
        return penalized(loss, penalties), penalties | {"features_sw2": loss.detach().sqrt()}


def sliced_cost(real: Tensor, fake: Tensor, directions: int) -> Tensor:
    """Return SW_2^2, the mean of W_2^2 over random directions, between samples ``[B, d]``; draws from torch's streams."""
    theta = draws.common(lambda: torch.randn(directions, real.shape[1], device=real.device, dtype=real.dtype))
    return projected_costs(real, fake, theta / theta.norm(dim=1, keepdim=True)).mean()
