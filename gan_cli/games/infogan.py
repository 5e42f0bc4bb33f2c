"""infogan, infogan_joint: latents that hold codes which can be read back from the samples (InfoGAN)."""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, one_hot

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.games.adversarial import AdversarialGame
from gan_cli.games.base import Turn, frozen
from gan_cli.games.objective import Objective
from gan_cli.games.protocols import Traversal
from gan_cli.models.base import Discriminator, FeatureDiscriminator, Generator, require_features
from gan_cli.models.conditional import refuse_labels
from gan_cli.parallel import draws
from gan_cli.regularizers.base import Judged
from gan_cli.types import Batch, Stats

REACH = 2.0
"""Continuous codes are drawn from U(-1, 1) and traversed from -2 to 2, as in the paper's figures."""
STEPS = 10
"""Columns of a traversal of a continuous code, at most."""


class Codes(NamedTuple):
    """Output of Q: ``logits`` ``[B, K]`` of the categorical code, ``mean`` and ``log_std`` ``[B, m]`` of the others."""

    logits: Tensor
    mean: Tensor
    log_std: Tensor


class InfoGAN(AdversarialGame):
    """min over G and Q, max over D of V(D, G) - w L_I(G, Q), latents [z, c] (Chen et al., 2016).

    The codes c are one of K values, one-hot and equally likely, and m numbers from U(-1, 1).
    L_I = E log Q(c|G(z, c)) + H(c) <= I(c; G(z, c)), in nats. The categorical part is at most H(c) = log K. The continuous
    part, for a Gaussian Q with its own mean and deviation, has no such limit, because a differential entropy is no bound.

    Q is a head of two layers on D's features. The features move in D's turn alone, whose loss does not contain L_I; G's turn
    moves G and the head. With an augmentation Q sees T(x) as well, which contains no more of c than x does:
    L_I <= I(c; T(x)) <= I(c; x).

    Args:
        generator: Its ``latent_dim`` counts z and the codes.
        categorical: K >= 2.
        continuous: m >= 0.
        weight: w >= 0 of the categorical part.
        continuous_weight: w >= 0 of the continuous part.
        q_width: Width of the hidden layer of Q.
        fixed_deviation: If true, Q's deviation of each continuous code is 1, as in the published code, and only its mean is
            learned.

    Raises:
        UserError: If the latents have no room for the codes, D has no features, or a player looks at labels.
    """

    follows: ClassVar[Mapping[str, str]] = {"q": "generator"}
    discriminator: FeatureDiscriminator

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        objective: Objective,
        categorical: int = 10,
        continuous: int = 2,
        weight: float = 1.0,
        continuous_weight: float = 0.1,
        q_width: int = 128,
        fixed_deviation: bool = False,
    ) -> None:
        checks.count("categorical", categorical, 2)
        checks.count("continuous", continuous, 0)
        checks.number("weight", weight, least=0)
        checks.number("continuous_weight", continuous_weight, least=0)
        checks.counts(q_width=q_width)
        checks.flag("fixed_deviation", fixed_deviation)
        if len(generator.latent_shape) > 1:
            raise UserError(
                "game=infogan joins its codes to one z, and this generator takes new noise at every step.\n"
                "Take another one, such as model=conv1d or model=mlp_small."
            )
        super().__init__(generator, discriminator, objective)
        self.K, self.m = categorical, continuous
        self.z_dim = generator.latent_dim - categorical - continuous
        if self.z_dim < 1:
            raise UserError(
                f"model.generator.latent_dim={generator.latent_dim} has no room for z beside {categorical + continuous} "
                f"codes:\nset it to {categorical + continuous} and the size of z, for instance {categorical + continuous + 62}."
            )
        self.weight, self.continuous_weight, self.fixed_deviation = weight, continuous_weight, fixed_deviation
        self.discriminator = require_features(self.discriminator, "game=infogan")
        self.q = nn.Sequential(
            nn.Linear(self.discriminator.feature_dim, q_width, bias=False),
            nn.BatchNorm1d(q_width),
            nn.LeakyReLU(0.1),
            nn.Linear(q_width, categorical + 2 * continuous),
        )

    @classmethod
    def check_labels(cls, generator: Generator, discriminator: Discriminator) -> None:
        """Check that neither player looks at labels: the codes are found without them.

        Raises:
            UserError: If one does.
        """
        refuse_labels("game=infogan finds its codes without labels", generator, discriminator)

    def turns(self) -> Mapping[str, Turn]:
        return {**super().turns(), "generator": self.turn("generator", "q", loss=self.generator_loss)}

    @property
    def law(self) -> str:
        return f"{self.z_dim} numbers from N(0, 1), a one-hot code of {self.K}, and {self.m} numbers from U(-1, 1), joined"

    def latents(self, n: int) -> Tensor:
        """Draw ``[n, z_dim + K + m]``: z ~ N(0, I), a one-hot code ~ Cat(K), and U(-1, 1)^m."""
        z = draws.randn(n, self.z_dim, device=self.device)
        c = one_hot(draws.randint(0, self.K, n, device=self.device), self.K).to(z.dtype)
        u = 2 * draws.rand(n, self.m, device=self.device) - 1
        return torch.cat([z, c, u], 1)

    def read(self, features: Tensor) -> Codes:
        """Return the output of Q for D's features ``[B, feature_dim]``."""
        logits, mean, log_std = _single_at_least(self.q(features)).split([self.K, self.m, self.m], 1)
        return Codes(logits, mean, torch.zeros_like(log_std) if self.fixed_deviation else log_std)

    def code(self, x: Tensor) -> Tensor:
        """Return the most likely categorical code of samples ``[B, *shape]`` under Q: int64 ``[B]``, 0 ... K - 1."""
        return self.read(self.discriminator.features(x)).logits.argmax(1)

    def information(self, codes: Codes, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Return L_I of the categorical and of the continuous codes in these latents, in nats."""
        _, c, u = _single_at_least(latents).split([self.z_dim, self.K, self.m], 1)
        categorical = (c * log_softmax(codes.logits, 1)).sum(1).mean() + math.log(self.K)
        density = -0.5 * ((u - codes.mean) / codes.log_std.exp()).square() - codes.log_std - 0.5 * math.log(2 * math.pi)
        return categorical, density.sum(1).mean() + self.m * math.log(2)

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return L_G - w L_I + penalties; both parts of L_I, on fresh codes, are reported as ``infogan/<part>``."""
        latents = self.latents(len(batch.x))
        fake = self.sample(latents)
        features = self.discriminator.features(self.augmentation(fake))
        loss, stats = self.generator_loss_on_logits(
            self.critic(), batch.x, fake, self.discriminator.logits(features).to(fake.dtype)
        )
        return self.informed(loss, stats, features, latents)

    def informed(self, loss: Tensor, stats: Stats, features: Tensor, latents: Tensor) -> tuple[Tensor, Stats]:
        """Return loss - w L_I with both parts of L_I reported, for D's features of the fakes of these latents."""
        categorical, continuous = self.information(self.read(features), latents)
        loss = loss - self.weight * categorical - self.continuous_weight * continuous
        return loss, stats | {"infogan/categorical": categorical, "infogan/continuous": continuous}

    def traversals(self, n: int) -> Sequence[Traversal]:
        """Return the categorical code for several z, and each continuous code under each categorical one, for one z."""
        several = max(1, n // self.K)
        z, u = torch.randn(several, self.z_dim, device=self.device), torch.zeros(self.K, self.m, device=self.device)
        c = torch.eye(self.K, device=self.device)
        names = [str(k) for k in range(self.K)]
        rows = [torch.cat([one.expand(self.K, -1), c, u], 1) for one in z]
        traversals = [Traversal("categorical code", torch.cat(rows), [f"z {i + 1}" for i in range(several)], names)]
        values = torch.linspace(-REACH, REACH, max(2, min(several, STEPS)), device=self.device)
        for j in range(self.m):
            columns = [torch.cat([z[:1].expand(self.K, -1), c, u.index_fill(1, _index(j, u), float(v))], 1) for v in values]
            latents = torch.stack(columns, 1).flatten(0, 1)
            traversals.append(Traversal(f"continuous code {j + 1}", latents, names, [f"{float(v):.1f}" for v in values]))
        return traversals


class JointInfoGAN(InfoGAN):
    """InfoGAN as in its published code: L_I is in the losses of both turns, and Q moves in D's turn.

    D's turn descends L_D - w L_I and moves D, the features that Q reads included, and Q, at D's learning rate. G's turn
    descends L_G - w L_I and moves G alone.
    """

    follows: ClassVar[Mapping[str, str]] = {"q": "discriminator"}

    def turns(self) -> Mapping[str, Turn]:
        turns = super().turns()
        discriminator = self.turn("discriminator", "q", loss=self.discriminator_loss, after=self.augmentation.adapt)
        return {**turns, "discriminator": discriminator, "generator": self.turn("generator", loss=self.generator_loss)}

    def discriminator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return L_D - w L_I + penalties."""
        latents = self.latents(len(batch.x))
        with frozen():
            fake = self.sample(latents)
        critic = self.critic()
        features = self.discriminator.features(self.augmentation(fake))
        d_fake = self.discriminator.logits(features).to(fake.dtype)
        loss, stats = self.discriminator_loss_on_logits(critic, Judged(batch.x, fake, critic(batch.x), d_fake))
        return self.informed(loss, stats, features, latents)


def _index(j: int, like: Tensor) -> Tensor:
    return torch.tensor([j], device=like.device)


def _single_at_least(x: Tensor) -> Tensor:
    """Return ``x`` in single precision, or in double if it is; autocast leaves it in bfloat16."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
