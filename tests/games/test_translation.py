"""pix2pix, CycleGAN and its pool: identities, and what each turn minimises."""

import pytest
import torch
from torch import nn

from gan_cli.data.base import Data
from gan_cli.data.images.arrays import ImageArray
from gan_cli.data.translation.degradations import Grey
from gan_cli.data.translation.paired import Degraded
from gan_cli.data.translation.unpaired import Unpaired
from gan_cli.drawing import strips
from gan_cli.errors import UserError
from gan_cli.games.cyclegan import CycleGAN
from gan_cli.games.image_buffer import ImageBuffer
from gan_cli.games.objective import Objective
from gan_cli.games.pix2pix import Pix2Pix
from gan_cli.games.protocols import Invertible
from gan_cli.games.sampling import picture_strips
from gan_cli.losses.least_squares import LeastSquares
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.models.dcgan import DCGANGenerator
from gan_cli.models.patch import PatchDiscriminator
from gan_cli.models.translators import ResNetTranslator, UNetTranslator
from gan_cli.types import Batch

SHAPE = (1, 8, 8)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def batch(n: int = 4) -> Batch:
    return Batch(2 * torch.rand(n, *SHAPE) - 1, 2 * torch.rand(n, *SHAPE) - 1)


def critic(source=None) -> PatchDiscriminator:
    return PatchDiscriminator(SHAPE, 0, source, width=4, n_layers=1, norm="instance")


def translator() -> ResNetTranslator:
    return ResNetTranslator(SHAPE, 0, SHAPE, width=4, blocks=1)


def cyclegan(**options) -> CycleGAN:
    return CycleGAN(translator(), translator(), critic(), critic(), Objective(LeastSquares()), **options)


def pix2pix(l1: float = 100.0, dropout: float = 0.0) -> Pix2Pix:
    generator = UNetTranslator(SHAPE, 0, SHAPE, width=4, norm="instance", dropout=dropout)
    return Pix2Pix(generator, critic(SHAPE), Objective(NonSaturating()), l1=l1)


class Nothing(ResNetTranslator):
    """Its output is its input."""

    def __init__(self):
        super().__init__(SHAPE, 0, SHAPE, width=1, blocks=1)

    def forward(self, z, y=None):
        return y


class Negative(Nothing):
    """Its own inverse."""

    def forward(self, z, y=None):
        return -y


def test_a_generator_that_looks_at_no_sources_is_no_translator():
    with pytest.raises(UserError, match="needs a generator that translates, and DCGANGenerator looks at no sources"):
        Pix2Pix(DCGANGenerator(SHAPE, 0, 4, 4), critic(), Objective(NonSaturating()))


# CycleGAN.


@pytest.mark.parametrize(("kind", "identity"), [(Nothing, 0.0), (Negative, None)])
def test_translators_that_undo_each_other_have_no_cycle_error(kind, identity):
    game = CycleGAN(kind(), kind(), critic(), critic(), Objective(LeastSquares()))
    b = batch()
    _, stats = game.generator_loss(b)
    assert stats["cycle"] == game.estimate(b)["cycle"] == 0
    expected = (b.x.abs().mean() + b.y.abs().mean()) if identity is None else 0.0  # (2 E|x| + 2 E|y|) / 2
    assert stats["identity"].item() == pytest.approx(float(expected))
    fake, back = game.panels(game.latents(4), b.y)
    assert torch.equal(back, b.y)
    assert torch.equal(fake, b.y if kind is Nothing else -b.y)


def test_the_translators_loss_is_the_paper_s():
    game, b = cyclegan(), batch()
    with torch.no_grad():
        (g, f), z = (game.generator, game.generator_back), game.latents(4)
        d_b, d_a = game.discriminator, game.discriminator_back
        fake_b, fake_a = g(z, b.y), f(z, b.x)
        adversarial = (d_b(fake_b) - 1).square().mean() + (d_a(fake_a) - 1).square().mean()
        cycle = (f(z, fake_b) - b.y).abs().mean() + (g(z, fake_a) - b.x).abs().mean()
        identity = (g(z, b.x) - b.x).abs().mean() + (f(z, b.y) - b.y).abs().mean()
    loss, stats = game.generator_loss(b)
    assert loss.item() == pytest.approx((adversarial + 10 * cycle + 5 * identity).item(), rel=1e-5)
    assert stats["cycle"].item() == pytest.approx(cycle.item() / 2, rel=1e-5)


def test_the_critics_loss_is_the_paper_s_halved():
    game, b = cyclegan(pool=0), batch()
    with torch.no_grad():
        fake_b, fake_a = game.generator(game.latents(4), b.y), game.generator_back(game.latents(4), b.x)
        d_b, d_a = game.discriminator, game.discriminator_back
        parts = [(d_b(b.x) - 1), d_b(fake_b), (d_a(b.y) - 1), d_a(fake_a)]
        expected = sum(part.square().mean() for part in parts) / 2
    loss, stats = game.discriminator_loss(b)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    names = ("adversarial", "estimate/triangular", "D/real", "D/fake", "accuracy/real", "accuracy/fake")
    assert set(stats) == {f"{name}_{way}" for name in names for way in ("there", "back")}


def test_turns_own_both_networks_each_and_nothing_else():
    game = cyclegan()
    owned = {player: set(map(id, turn.parameters)) for player, turn in game.turns().items()}
    assert set(owned) == {"generator", "discriminator"}
    assert not owned["generator"] & owned["discriminator"]
    assert owned["generator"] | owned["discriminator"] == set(map(id, game.parameters()))


def test_the_way_back_is_the_other_translator():
    game, b = cyclegan(), batch()
    other = game.inverse()
    assert torch.equal(other.sample(game.latents(4), b.x), game.generator_back(game.latents(4), b.x))
    assert torch.equal(other.inverse().sample(game.latents(4), b.y), game.sample(game.latents(4), b.y))
    assert isinstance(game, Invertible)
    assert not isinstance(pix2pix(), Invertible)


def test_only_the_critics_turn_fills_the_pools_and_only_when_it_is_over():
    game, b = cyclegan(pool=6), batch()
    turns = game.turns()
    turns["generator"].loss(b)
    turns["generator"].finish()
    for _ in range(3):  # a loss may be asked for any number of times
        turns["discriminator"].loss(b)
    assert game.pool.filled == game.pool_back.filled == 0
    turns["discriminator"].finish()
    turns["discriminator"].finish()
    assert game.pool.filled == game.pool_back.filled == 4
    assert torch.equal(game.pool.images[:4], game.generator(game.latents(4), b.y))


def test_domains_of_different_channels():
    def game(identity: float) -> CycleGAN:
        there, back = ((ResNetTranslator((o, 8, 8), 0, (i, 8, 8), 4, 1)) for o, i in ((3, 1), (1, 3)))
        critics = (PatchDiscriminator((c, 8, 8), 0, None, 4, 1, "none") for c in (3, 1))
        return CycleGAN(there, back, *critics, Objective(LeastSquares()), identity=identity)

    with pytest.raises(UserError, match=r"identity=5.0: .* 1 and 3 channels"):
        game(5.0)
    b = Batch(torch.zeros(2, 3, 8, 8), torch.zeros(2, 1, 8, 8))
    one = game(0.0)
    for turn in one.turns().values():
        loss, stats = turn.loss(b)
        assert loss.isfinite()
        assert "identity" not in stats
        turn.finish()
    picture = strips(picture_strips(one, one.latents(2), b.y))
    assert picture.ndim == 3


def test_who_sees_what():
    shapes = {player: CycleGAN.shapes(player, (3, 8, 8), (1, 8, 8)) for player in ("generator", "discriminator")}
    assert shapes == {"generator": ((3, 8, 8), (1, 8, 8)), "discriminator": ((3, 8, 8), None)}
    assert CycleGAN.shapes("generator_back", (3, 8, 8), (1, 8, 8)) == ((1, 8, 8), (3, 8, 8))
    assert CycleGAN.shapes("discriminator_back", (3, 8, 8), (1, 8, 8)) == ((1, 8, 8), None)


# The pool.


def numbered(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None]


def test_a_pool_returns_what_it_takes_in_until_it_is_full():
    pool = ImageBuffer(5, (1,))
    for values in ((1.0, 2, 3), (4.0, 5)):
        assert torch.equal(pool.query(numbered(*values)), numbered(*values))
        pool.keep()
    assert torch.equal(pool.images, numbered(1, 2, 3, 4, 5))
    assert pool.filled == 5


def test_a_full_pool_gives_half_of_the_time_a_past_fake_for_a_new_one():
    pool, returned_new = ImageBuffer(10, (1,)), 0
    pool.query(numbered(*range(10)))
    pool.keep()
    places = torch.zeros(10)
    for start in range(10, 1610, 4):
        before, new = pool.images.clone(), numbered(*range(start, start + 4))
        answer = pool.query(new)
        pool.keep()
        past = ~torch.isin(answer, new)
        returned_new += int((~past).sum())
        gone, come = before[before != pool.images], pool.images[before != pool.images]
        assert sorted(answer[past].tolist()) == sorted(gone.tolist()), "a past fake is given away"
        assert sorted(new[past].tolist()) == sorted(come.tolist()), "and the new one takes its place"
        places += (before != pool.images)[:, 0]
    assert returned_new / 1600 == pytest.approx(0.5, abs=4 * (0.25 / 1600) ** 0.5)
    assert (places / places.sum() - 0.1).abs().max() < 0.03, "every place alike"


@pytest.mark.parametrize(("size", "n"), [(3, 8), (5, 3), (7, 4)])
def test_a_pool_never_loses_or_makes_a_fake(size, n):
    """Whatever goes in comes out or stays, also when a batch is larger than the pool or fills it half way."""
    pool = ImageBuffer(size, (1,))
    given, taken = [], []
    for start in range(0, 20 * n, n):
        new = torch.arange(start, start + n).float()[:, None]
        filled = int(pool.filled)
        answer = pool.query(new)
        pool.keep()
        given += new.flatten().tolist()
        taken += answer.flatten().tolist()
        assert int(pool.filled) == min(size, filled + n)
    kept = pool.images.flatten().tolist()
    assert set(given) == set(taken) | set(kept)
    assert len(set(kept)) == size


def test_no_pool_returns_the_fakes():
    pool, fakes = ImageBuffer(0, (1,)), numbered(1, 2)
    assert pool.query(fakes) is fakes
    pool.keep()
    assert pool.state_dict()["images"].shape == (0, 1)


# pix2pix.


def test_pix2pix_adds_the_weighted_distance_to_the_target():
    game, b = pix2pix(l1=7.0), batch()
    with torch.no_grad():
        fake = game.generator(game.latents(4), b.y)
        logits = game.discriminator(fake, b.y)
        expected = nn.functional.softplus(-logits).mean() + 7 * (fake - b.x).abs().mean()
    loss, stats = game.generator_loss(b)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert stats["l1"].item() == pytest.approx(game.estimate(b)["l1"].item())
    assert set(game.estimate(b)) == {"js", "l1"}


def test_without_l1_it_is_a_gan_given_sources():
    game, b = pix2pix(l1=0.0), batch()
    plain = super(Pix2Pix, game).generator_loss(b)[0]
    assert game.generator_loss(b)[0].item() == pytest.approx(plain.item())


def test_games_say_what_data_they_need():
    images = ImageArray(torch.zeros(4, *SHAPE, dtype=torch.uint8).numpy())
    alone, unpaired = Data(images, images), Data(Unpaired(images, images), Unpaired(images, images))
    paired = Data(Degraded(images, Grey()), Degraded(images, Grey()))
    for kind, good, bad in ((Pix2Pix, [paired], [alone, unpaired]), (CycleGAN, [paired, unpaired], [alone])):
        for data in good:
            kind.check(data)
        for data in bad:
            with pytest.raises(UserError, match=r"game=(pix2pix|cyclegan) .*\nTake dataset="):
                kind.check(data)
