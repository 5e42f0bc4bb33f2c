"""Networks of the players, independent of any loss."""

from typing import TYPE_CHECKING

from gan_cli.lazy import lazy_exports

if TYPE_CHECKING:
    from gan_cli.models.affine import Affine as Affine
    from gan_cli.models.autoencoder import ConvAutoEncoder as ConvAutoEncoder
    from gan_cli.models.autoencoder import MLPAutoEncoder as MLPAutoEncoder
    from gan_cli.models.base import Denoiser as Denoiser
    from gan_cli.models.base import Discriminator as Discriminator
    from gan_cli.models.base import FeatureDiscriminator as FeatureDiscriminator
    from gan_cli.models.base import Generator as Generator
    from gan_cli.models.biggan import BigGANDiscriminator as BigGANDiscriminator
    from gan_cli.models.biggan import BigGANGenerator as BigGANGenerator
    from gan_cli.models.conditional import LabelledDiscriminator as LabelledDiscriminator
    from gan_cli.models.conditional import LabelledGenerator as LabelledGenerator
    from gan_cli.models.conditional import ProjectionDiscriminator as ProjectionDiscriminator
    from gan_cli.models.conv1d import Conv1dDiscriminator as Conv1dDiscriminator
    from gan_cli.models.conv1d import Conv1dGenerator as Conv1dGenerator
    from gan_cli.models.dcgan import DCGANDiscriminator as DCGANDiscriminator
    from gan_cli.models.dcgan import DCGANGenerator as DCGANGenerator
    from gan_cli.models.log_linear import LogLinear as LogLinear
    from gan_cli.models.mlp import MLPDenoiser as MLPDenoiser
    from gan_cli.models.mlp import MLPDiscriminator as MLPDiscriminator
    from gan_cli.models.mlp import MLPGenerator as MLPGenerator
    from gan_cli.models.patch import PatchDiscriminator as PatchDiscriminator
    from gan_cli.models.recurrent import AutoregressiveGenerator as AutoregressiveGenerator
    from gan_cli.models.recurrent import AveragingDiscriminator as AveragingDiscriminator
    from gan_cli.models.recurrent import RecurrentDiscriminator as RecurrentDiscriminator
    from gan_cli.models.recurrent import RecurrentGenerator as RecurrentGenerator
    from gan_cli.models.recurrent import StepwiseDiscriminator as StepwiseDiscriminator
    from gan_cli.models.resnet import ResNetDiscriminator as ResNetDiscriminator
    from gan_cli.models.resnet import ResNetGenerator as ResNetGenerator
    from gan_cli.models.timegan import Embedder as Embedder
    from gan_cli.models.timegan import LatentDiscriminator as LatentDiscriminator
    from gan_cli.models.timegan import LatentGenerator as LatentGenerator
    from gan_cli.models.timegan import Recovery as Recovery
    from gan_cli.models.timegan import Supervisor as Supervisor
    from gan_cli.models.translators import ResNetTranslator as ResNetTranslator
    from gan_cli.models.translators import UNetTranslator as UNetTranslator
    from gan_cli.models.unet import UNet as UNet
else:
    __getattr__, __dir__ = lazy_exports(__name__)
