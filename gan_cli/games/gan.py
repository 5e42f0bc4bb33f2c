"""GAN: one generator against one discriminator."""

from gan_cli.games.adversarial import AdversarialGame
from gan_cli.games.generator_game import IndependentLatents


class GAN(IndependentLatents, AdversarialGame):
    """min over D of L_D, min over G of L_G, z ~ N(0, I) or U(-1, 1)^d (Goodfellow et al., 2014).

    Conditional if the players use labels: fakes then carry the labels of the real batch, which follow the law of the data.
    """
