"""Generators that minimise a sliced Wasserstein distance."""

from collections.abc import Mapping

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.augmentations.base import Augmentation
from gan_cli.device import in_full_precision
from gan_cli.games.base import frozen
from gan_cli.games.gan import GAN
from gan_cli.games.minimum_distance import MinimumDistance
from gan_cli.losses.base import Loss
from gan_cli.metrics.points.sliced_wasserstein import projected_costs
from gan_cli.models.base import Discriminator, Generator, require_features
from gan_cli.regularizers.base import Regularizer
from gan_cli.types import Batch, Stats


class SlicedWasserstein(MinimumDistance):
    """min over G of SW_2^2 between samples: no opponent, no features (Deshpande, Zhang and Schwing, 2018, section 3).

    ``directions``: drawn anew at every step, 10 000 in the paper.
    """

    def __init__(self, generator: Generator, directions: int) -> None:
        super().__init__(generator)
        checks.count("directions", directions)
        self.directions = directions

    def distance(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Stats]:
        loss = sliced_cost(real, fake, self.directions)
        return loss, {"sw2": loss.detach().sqrt()}


class SlicedGAN(GAN):
    """min over G of SW_2^2 between features of a discriminator that learns by the loss of a GAN (ibid., section 4).

    The features are what the discriminator's last layer looks at. ``directions`` as above. ``features_sw2`` is the distance
    that the generator saw; the estimates are the loss's own.
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        loss: Loss,
        regularizers: Mapping[str, Regularizer],
        directions: int,
        augmentation: Augmentation | None = None,
    ) -> None:
        super().__init__(generator, require_features(discriminator, "game=sliced_gan"), loss, regularizers, augmentation)
        checks.count("directions", directions)
        self.directions = directions

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """SW_2^2 of the features + penalties."""
        fake = self.sample(self.latents(len(batch.x)), batch.y)
        features = require_features(self.discriminator, "game=sliced_gan").features
        with frozen():
            real_features = features(self.augmentation(batch.x)).to(fake.dtype)
        fake_features = features(self.augmentation(fake)).to(fake.dtype)
        with in_full_precision(self.device):
            loss = sliced_cost(real_features, fake_features, self.directions)
        penalties = self.penalties("generator", self.critic(batch.y), batch.x, fake)
        return loss + sum(penalties.values()), penalties | {"features_sw2": loss.detach().sqrt()}


def sliced_cost(real: Tensor, fake: Tensor, directions: int) -> Tensor:
    """SW_2^2, the mean of W_2^2 over ``directions`` random ones, for samples ``[B, d]`` each; draws from torch's streams."""
    theta = torch.randn(directions, real.shape[1], device=real.device, dtype=real.dtype)
    return projected_costs(real, fake, theta / theta.norm(dim=1, keepdim=True)).mean()
