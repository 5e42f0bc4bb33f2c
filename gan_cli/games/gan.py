"""GAN: one generator of normal latents against one discriminator."""

from gan_cli.games.adversarial import AdversarialGame
from gan_cli.games.generator_game import NormalLatents


class GAN(NormalLatents, AdversarialGame):
    """min over D of L_D, min over G of L_G, z ~ N(0, I) (Goodfellow et al., 2014).

    Conditional if the players use labels: fakes then carry the labels of the real batch, which follow the law of the data.
    """
