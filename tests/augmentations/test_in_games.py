"""Every game with a discriminator augments data and fakes, in the turns of both players."""

from functools import partial
from itertools import repeat

import pytest
import torch
from support.players import alternating
from torch import Tensor

from gan_cli.augmentations.adaptive import Adaptive
from gan_cli.augmentations.base import Augmentation
from gan_cli.augmentations.diff_augment import DiffAugment
from gan_cli.augmentations.none import NoAugmentation
from gan_cli.games.acgan import ACGAN
from gan_cli.games.cyclegan import CycleGAN
from gan_cli.games.ebgan import EBGAN
from gan_cli.games.gan import GAN
from gan_cli.games.infogan import InfoGAN
from gan_cli.games.mmd_gan import MMDGAN
from gan_cli.games.objective import Objective
from gan_cli.games.pix2pix import Pix2Pix
from gan_cli.games.sliced import SlicedGAN
from gan_cli.losses.ebgan import EBGAN as EBGANLoss
from gan_cli.losses.hinge import Hinge
from gan_cli.losses.least_squares import LeastSquares
from gan_cli.models.autoencoder import ConvAutoEncoder
from gan_cli.models.conditional import LabelledGenerator
from gan_cli.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_cli.models.patch import PatchDiscriminator
from gan_cli.models.translators import ResNetTranslator
from gan_cli.types import Batch

IMAGE = (1, 8, 8)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def images(n: int = 4) -> Tensor:
    return torch.rand(n, *IMAGE) * 2 - 1


class Recording(Augmentation):
    """T(x) = 2 x; keeps its inputs in ``seen``."""

    def __init__(self):
        super().__init__()
        self.seen: list[Tensor] = []

    def transform(self, x):
        self.seen.append(x)
        return 2 * x


def dcgan(outputs=1, latent_dim=5):
    return DCGANGenerator(IMAGE, 0, latent_dim, 4), DCGANDiscriminator(IMAGE, 0, 4, outputs=outputs)


def labelled_generator():
    return LabelledGenerator(IMAGE, 3, 5, None, partial(DCGANGenerator, width=4))


def translators(n):
    return [ResNetTranslator(IMAGE, 0, IMAGE, width=4, blocks=1) for _ in range(n)]


def patches(source=None):
    return PatchDiscriminator(IMAGE, 0, source, width=4, n_layers=1, norm="none")


GAMES = {
    "gan": lambda a: GAN(*dcgan(), Objective(Hinge(), augmentation=a)),
    "acgan": lambda a: ACGAN(labelled_generator(), dcgan()[1], Objective(Hinge(), augmentation=a), 3),
    "infogan": lambda a: InfoGAN(
        *dcgan(latent_dim=9), Objective(Hinge(), augmentation=a), categorical=3, continuous=1, q_width=4
    ),
    "ebgan": lambda a: EBGAN(dcgan()[0], ConvAutoEncoder(IMAGE, 0, 4), Objective(EBGANLoss(), augmentation=a), 0.1),
    "mmd_gan": lambda a: MMDGAN(*dcgan(outputs=4), Objective(augmentation=a), [1.0]),
    "sliced_gan": lambda a: SlicedGAN(*dcgan(), Objective(Hinge(), augmentation=a), 5),
    "pix2pix": lambda a: Pix2Pix(*translators(1), patches(IMAGE), Objective(Hinge(), augmentation=a)),
    "cyclegan": lambda a: CycleGAN(*translators(2), patches(), patches(), Objective(LeastSquares(), augmentation=a), pool=0),
}
USES_DATA = ("mmd_gan", "sliced_gan")
"""Games whose generator's loss uses real samples."""


def batch(name: str) -> Batch:
    return Batch(images(), images() if name in ("pix2pix", "cyclegan") else torch.arange(4) % 3)


@pytest.mark.parametrize("name", GAMES)
def test_data_and_fakes_in_both_turns(name):
    game, data = GAMES[name](Recording()), batch(name)
    augmentation = game.augmentation
    expected = torch.cat([data.x, data.y], 1) if name == "pix2pix" else data.x
    for player in ("discriminator", "generator"):
        augmentation.seen.clear()
        game.turns()[player].loss(data)
        with_data = player == "discriminator" or name in USES_DATA
        assert sum(torch.equal(x, expected) for x in augmentation.seen) == with_data
        assert [x.shape for x in augmentation.seen] == [expected.shape] * (1 + with_data), "once each"


@pytest.mark.parametrize("name", GAMES)
def test_none_is_the_identity(name):
    data, plain = batch(name), GAMES[name](NoAugmentation())
    neutral = GAMES[name](DiffAugment(True, 0.125, 0.5, 0.0))
    neutral.load_state_dict(plain.state_dict())
    for player in ("discriminator", "generator"):
        losses = []
        for game in (plain, neutral):
            torch.manual_seed(1)
            losses.append(game.turns()[player].loss(data)[0])
        if player == "discriminator" or name != "sliced_gan":  # its directions are drawn after the augmentation's draws
            torch.testing.assert_close(*losses)


def test_source_and_sample_are_transformed_together():
    game, x, seen = GAMES["pix2pix"](DiffAugment(False, 0.25, 0.0)), images(20), []
    game.discriminator.forward = lambda a, b: seen.append((a, b)) or a.mean((1, 2, 3))
    game.critic(x)(x)
    a, b = seen[0]
    assert torch.equal(a, b)
    assert not torch.equal(a, x)


def test_each_critic_of_cyclegan_has_its_own():
    adaptive = Adaptive(flip=True, translation=0.1, scale=0.1, rotation=0.1, color=True, interval=1, images=100)
    game = GAMES["cyclegan"](adaptive)
    for gan, logit in zip(game.gans, (100.0, -100.0), strict=True):
        gan.discriminator.body[-1].bias.data.fill_(logit)
    turns = ["discriminator", "discriminator", "generator"]
    stats = alternating(game, lr=0.0).round(turns, repeat(batch("cyclegan")))
    assert (game.augmentation.p.item(), game.augmentation_back.p.item()) == (pytest.approx(0.08), 0.0)
    assert {"augmentation/p_there", "augmentation/p_back"} <= set(stats)
    assert game.inverse().augmentation_back.p.item() == pytest.approx(0.08)
