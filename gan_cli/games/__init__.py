"""Games: they own their players and return losses."""

from typing import TYPE_CHECKING

from gan_cli.lazy import lazy_exports

if TYPE_CHECKING:
    from gan_cli.games.acgan import ACGAN as ACGAN
    from gan_cli.games.adversarial import AdversarialGame as AdversarialGame
    from gan_cli.games.analytic.earth_mover import EarthMover as EarthMover
    from gan_cli.games.analytic.gaussian_gan import GaussianGAN as GaussianGAN
    from gan_cli.games.analytic.ideal_gan import IdealGAN as IdealGAN
    from gan_cli.games.analytic.parallel_lines import ParallelLines as ParallelLines
    from gan_cli.games.analytic.two_gaussians import TwoGaussians as TwoGaussians
    from gan_cli.games.analytic.two_parameter import Bilinear as Bilinear
    from gan_cli.games.analytic.two_parameter import DiracGAN as DiracGAN
    from gan_cli.games.analytic.two_parameter import Saddle as Saddle
    from gan_cli.games.base import Game as Game
    from gan_cli.games.base import Turn as Turn
    from gan_cli.games.c_rnn_gan import CRNNGAN as CRNNGAN
    from gan_cli.games.cgan import ConditionalGAN as ConditionalGAN
    from gan_cli.games.cgan import EmbeddingGAN as EmbeddingGAN
    from gan_cli.games.cgan import ProjectionGAN as ProjectionGAN
    from gan_cli.games.cyclegan import CycleGAN as CycleGAN
    from gan_cli.games.ddpm import DDPM as DDPM
    from gan_cli.games.ebgan import EBGAN as EBGAN
    from gan_cli.games.gan import GAN as GAN
    from gan_cli.games.gmmn import GMMN as GMMN
    from gan_cli.games.infogan import InfoGAN as InfoGAN
    from gan_cli.games.infogan import JointInfoGAN as JointInfoGAN
    from gan_cli.games.linear_dual import LinearDual as LinearDual
    from gan_cli.games.linear_dual import LinearPrimal as LinearPrimal
    from gan_cli.games.mmd_gan import MMDGAN as MMDGAN
    from gan_cli.games.noise_schedule import Cosine as Cosine
    from gan_cli.games.noise_schedule import Linear as Linear
    from gan_cli.games.noise_schedule import Noise as Noise
    from gan_cli.games.objective import Objective as Objective
    from gan_cli.games.pix2pix import Pix2Pix as Pix2Pix
    from gan_cli.games.protocols import Traversal as Traversal
    from gan_cli.games.rcgan import RCGAN as RCGAN
    from gan_cli.games.retrained_discriminator import RetrainedDiscriminatorGAN as RetrainedDiscriminatorGAN
    from gan_cli.games.sliced import SlicedGAN as SlicedGAN
    from gan_cli.games.sliced import SlicedWasserstein as SlicedWasserstein
    from gan_cli.games.timegan import TimeGAN as TimeGAN
else:
    __getattr__, __dir__ = lazy_exports(__name__)
