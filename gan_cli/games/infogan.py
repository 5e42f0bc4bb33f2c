"""The game whose latents hold codes that can be read back from the samples."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, one_hot

from gan_cli import checks
from gan_cli.augmentations.base import Augmentation
from gan_cli.errors import UserError
from gan_cli.games.base import Game, Traversal, Turn
from gan_cli.games.gan import GAN
from gan_cli.losses.base import Loss
from gan_cli.models.base import Discriminator, FeatureDiscriminator, Generator, require_features
from gan_cli.regularizers.base import Regularizer
from gan_cli.types import Batch, Stats

REACH = 2.0
"""Continuous codes are drawn from U(-1, 1) and traversed from -2 to 2, as in the paper's figures."""
STEPS = 10
"""Columns of a traversal of a continuous code, at most."""


class Codes(NamedTuple):
    """What Q says: ``logits`` ``[B, K]`` of the categorical code, ``mean`` and ``log_std`` ``[B, m]`` of the others."""

    logits: Tensor
    mean: Tensor
    log_std: Tensor


class InfoGAN(GAN):
    """min over G and Q, max over D of V(D, G) - w L_I(G, Q), latents [z, c] (Chen et al., 2016).

    c: one of ``categorical`` = K values, one-hot and equally likely, then ``continuous`` = m numbers from U(-1, 1).
    L_I = E log Q(c|G(z, c)) + H(c) <= I(c; G(z, c)), in nats. The categorical part is at most H(c) = log K. The continuous
    part, of a Gaussian Q with mean and deviation of its own, has no such limit: a differential entropy is none.

    Q is a head of two layers of ``q_width`` on D's features. The trunk below it moves in D's turn alone, whose loss has no
    L_I in it; G's turn moves G and Q's head. The generator's ``latent_dim`` counts z and the codes. Under an ``augmentation``
    Q, too, sees T(x), which tells no more of c than x does: L_I <= I(c; T(x)) <= I(c; x).

    ``weight``, ``continuous_weight``: w >= 0 of either part. Raises UserError where the latents have no room for codes, or
    D does not show its features.
    """

    discriminator: FeatureDiscriminator

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        loss: Loss,
        regularizers: Mapping[str, Regularizer] | None = None,
        categorical: int = 10,
        continuous: int = 2,
        weight: float = 1.0,
        continuous_weight: float = 0.1,
        q_width: int = 128,
        augmentation: Augmentation | None = None,
    ) -> None:
        checks.count("categorical", categorical, 2)
        checks.count("continuous", continuous, 0)
        checks.number("weight", weight, least=0)
        checks.number("continuous_weight", continuous_weight, least=0)
        checks.counts(q_width=q_width)
        super().__init__(generator, discriminator, loss, regularizers, augmentation)
        self.K, self.m = categorical, continuous
        self.z_dim = generator.latent_dim - categorical - continuous
        if self.z_dim < 1:
            raise UserError(
                f"model.generator.latent_dim={generator.latent_dim} has no room for z beside {categorical + continuous} "
                f"codes:\nset it to {categorical + continuous} and the size of z, for instance {categorical + continuous + 62}."
            )
        self.weight, self.continuous_weight = weight, continuous_weight
        self.discriminator = require_features(self.discriminator, "game=infogan")
        self.q = nn.Sequential(
            nn.Linear(self.discriminator.feature_dim, q_width, bias=False),
            nn.BatchNorm1d(q_width),
            nn.LeakyReLU(0.1),
            nn.Linear(q_width, categorical + 2 * continuous),
        )

    def turns(self) -> Mapping[str, Turn]:
        turns = dict(super().turns())
        own = turns["generator"]
        turns["generator"] = own._replace(parameters=(*own.parameters, *self.q.parameters()))
        return turns

    def latents(self, n: int) -> Tensor:
        """``[n, z_dim + K + m]``: z ~ N(0, I), c ~ Cat(K) one-hot, U(-1, 1)^m."""
        z = torch.randn(n, self.z_dim, device=self.device)
        c = one_hot(torch.randint(self.K, (n,), device=self.device), self.K).to(z.dtype)
        u = 2 * torch.rand(n, self.m, device=self.device) - 1
        return torch.cat([z, c, u], 1)

    def truncated(self, n: int, threshold: float) -> Tensor:
        """UserError: codes are not normal."""
        return Game.truncated(self, n, threshold)

    def read(self, features: Tensor) -> Codes:
        """Q on D's features ``[B, feature_dim]``."""
        logits, mean, log_std = self.q(features).float().split([self.K, self.m, self.m], 1)
        return Codes(logits, mean, log_std)

    def code(self, x: Tensor) -> Tensor:
        """The categorical code that Q reads in samples ``[B, *shape]``: int64 ``[B]``, 0 ... K - 1."""
        return self.read(self.discriminator.features(x)).logits.argmax(1)

    def information(self, codes: Codes, latents: Tensor) -> tuple[Tensor, Tensor]:
        """L_I of the categorical and of the continuous codes in these latents, in nats."""
        _, c, u = latents.float().split([self.z_dim, self.K, self.m], 1)
        categorical = (c * log_softmax(codes.logits, 1)).sum(1).mean() + math.log(self.K)
        density = -0.5 * ((u - codes.mean) / codes.log_std.exp()).square() - codes.log_std - 0.5 * math.log(2 * math.pi)
        return categorical, density.sum(1).mean() + self.m * math.log(2)

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """L_G - w L_I + penalties; ``infogan/categorical`` and ``infogan/continuous`` are L_I on codes that Q has not seen."""
        latents = self.latents(len(batch.x))
        fake = self.sample(latents)
        features = self.discriminator.features(self.augmentation(fake))
        loss, stats = self.generator_loss_on_logits(
            self.critic(), batch.x, fake, self.discriminator.logits(features).to(fake.dtype)
        )
        categorical, continuous = self.information(self.read(features), latents)
        loss = loss - self.weight * categorical - self.continuous_weight * continuous
        return loss, stats | {"infogan/categorical": categorical, "infogan/continuous": continuous}

    def traversals(self, n: int) -> Sequence[Traversal]:
        """The categorical code for several z, and each continuous code under each categorical one, for one z."""
        several = max(1, n // self.K)
        z, u = torch.randn(several, self.z_dim, device=self.device), torch.zeros(self.K, self.m, device=self.device)
        c = torch.eye(self.K, device=self.device)
        names = [str(k) for k in range(self.K)]
        rows = [torch.cat([one.expand(self.K, -1), c, u], 1) for one in z]
        found = [Traversal("categorical code", torch.cat(rows), [f"z {i + 1}" for i in range(several)], names)]
        values = torch.linspace(-REACH, REACH, max(2, min(several, STEPS)), device=self.device)
        for j in range(self.m):
            columns = [torch.cat([z[:1].expand(self.K, -1), c, u.index_fill(1, _index(j, u), float(v))], 1) for v in values]
            latents = torch.stack(columns, 1).flatten(0, 1)
            found.append(Traversal(f"continuous code {j + 1}", latents, names, [f"{float(v):.1f}" for v in values]))
        return found


def _index(j: int, like: Tensor) -> Tensor:
    return torch.tensor([j], device=like.device)
