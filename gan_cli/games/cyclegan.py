"""Translation between two domains without pairs (Zhu et al., 2017)."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.augmentations.base import Augmentation
from gan_cli.data.base import Data
from gan_cli.errors import FieldError, UserError
from gan_cli.games.base import Game, Shape, Turn, frozen
from gan_cli.games.gan import GAN
from gan_cli.games.image_buffer import ImageBuffer
from gan_cli.games.pix2pix import distance
from gan_cli.losses.base import Loss
from gan_cli.models.base import Discriminator
from gan_cli.models.translators import Translator
from gan_cli.regularizers.base import Regularizer
from gan_cli.types import Batch, Critic, Stats


class Way(NamedTuple):
    """One of the two directions: its translator and critic, what the critic looks back at, and the batch as it sees it."""

    name: str
    gan: GAN
    pool: ImageBuffer
    batch: Batch


class CycleGAN(Game):
    """Two GANs, G: A -> B and F: B -> A, whose translators undo each other; x is of B and y of A, independent.

    L_G = ``adversarial`` (L_G(D_B, G(a)) + L_G(D_A, F(b)))
    + ``cycle`` (E |F(G(a)) - a| + E |G(F(b)) - b|) + ``identity`` (E |G(b) - b| + E |F(a) - a|),
    the critics against new and past fakes, a ``pool`` of 50 for each. The paper: least squares without the half that
    loss=least_squares has in the generator's, so ``adversarial`` 2; cycle 10; identity 5, where colours shall stay.
    Each critic sees its domain and its fakes through an ``augmentation`` of its own.

    Turns: ``generator`` moves both translators, ``discriminator`` both critics. A sample is the translation of a source;
    ``inverse()`` samples the other way. Raises UserError for ``identity`` between domains of different channels.
    """

    def __init__(
        self,
        generator: Translator,
        generator_back: Translator,
        discriminator: Discriminator,
        discriminator_back: Discriminator,
        loss: Loss,
        regularizers: Mapping[str, Regularizer] | None = None,
        adversarial: float = 2.0,
        cycle: float = 10.0,
        identity: float = 5.0,
        pool: int = 50,
        augmentation: Augmentation | None = None,
    ) -> None:
        super().__init__()
        for name, weight in (("adversarial", adversarial), ("cycle", cycle), ("identity", identity)):
            checks.number(name, weight, least=0)
        self.weights = {"adversarial": adversarial, "cycle": cycle, "identity": identity}
        self.there = GAN(generator, discriminator, loss, regularizers, augmentation)
        self.back = GAN(generator_back, discriminator_back, loss, regularizers, deepcopy(augmentation))
        if identity and generator.channels != generator_back.channels:
            raise FieldError(
                *("identity", identity),
                f"it compares the domains, but they have {generator_back.channels} and {generator.channels} channels.\n"
                "Set it to 0, or give both the same channels.",
            )
        self.pool, self.pool_back = (ImageBuffer(pool, (t.channels, t.side, t.side)) for t in (generator, generator_back))

    @classmethod
    def check(cls, data: Data) -> None:
        """UserError unless there are two domains."""
        if data.source is None:
            raise UserError(
                "game=cyclegan translates between two domains, and this data set is one.\n"
                "Take dataset=shirts2inverted or dataset=unpaired_folder, for instance."
            )

    @classmethod
    def shapes(cls, player: str, shape: Shape, source: Shape | None) -> tuple[Shape, Shape | None]:
        """The players of the way back see the domains in each other's place; critics see one domain alone."""
        if source is not None and player.endswith("_back"):
            shape, source = source, shape
        return shape, source if player.startswith("generator") else None

    @property
    def generator(self) -> nn.Module:
        """Both translators."""
        return nn.ModuleList([self.there.generator, self.back.generator])

    @property
    def discriminator(self) -> nn.Module:
        """Both critics."""
        return nn.ModuleList([self.there.discriminator, self.back.discriminator])

    def turns(self) -> Mapping[str, Turn]:
        turns = {
            "discriminator": (self.discriminator_loss, self.after_discriminator),
            "generator": (self.generator_loss, self.after_generator),
        }
        return {player: Turn(tuple(getattr(self, player).parameters()), loss, after) for player, (loss, after) in turns.items()}

    def ways(self, batch: Batch) -> Iterator[Way]:
        """Both ways through a batch."""
        assert batch.y is not None
        yield Way("there", self.there, self.pool, batch)
        yield Way("back", self.back, self.pool_back, Batch(batch.y, batch.x))

    def latents(self, n: int) -> Tensor:
        return self.there.latents(n)

    def sample(self, latents: Tensor, y: Tensor | None = None) -> Tensor:
        return self.there.sample(latents, y)

    def panels(self, latents: Tensor, y: Tensor | None = None) -> tuple[Tensor, ...]:
        """The translations, and what the way back makes of them."""
        fake = self.sample(latents, y)
        return fake, translated(self.back, fake)

    def inverse(self) -> "CycleGAN":
        """A copy of the players, B translated into A."""
        other = deepcopy(self)
        other.there, other.back = other.back, other.there
        other.pool, other.pool_back = other.pool_back, other.pool
        return other

    def critic(self, y: Tensor | None = None) -> Critic:
        """D_B."""
        return self.there.critic()

    def discriminator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Both critics' losses and penalties, of each way under ``<number>/<critic>``."""
        losses: list[Tensor] = []
        stats: Stats = {}
        for way in self.ways(batch):
            with frozen():
                fake = way.pool.query(translated(way.gan, way.batch.y))
            loss, reported = way.gan.discriminator_loss_on_fakes(way.batch, fake)
            losses.append(loss)
            stats |= {f"{name}_{way.name}": value for name, value in reported.items()}
        return sum(losses, torch.zeros_like(losses[0])), stats

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """The translators' weighted losses; reported are ``cycle`` and ``identity``, means of both ways, unweighted."""
        losses: list[Tensor] = []
        stats: Stats = {}
        fakes: dict[str, Tensor] = {}
        for way in self.ways(batch):
            fakes[way.name] = translated(way.gan, way.batch.y)
            loss, reported = way.gan.generator_loss_on_fakes(way.batch, fakes[way.name])
            losses.append(self.weights["adversarial"] * loss)
            stats |= {f"{name}_{way.name}": value for name, value in reported.items()}
        errors = {"cycle": self.cycle(batch, fakes)}
        if self.weights["identity"]:
            errors["identity"] = self.identity(batch)
        losses += [2 * self.weights[name] * error for name, error in errors.items()]
        return sum(losses, torch.zeros_like(losses[0])), stats | errors

    def cycle(self, batch: Batch, fakes: Mapping[str, Tensor]) -> Tensor:
        """(E |F(G(a)) - a| + E |G(F(b)) - b|) / 2, given G(a) as ``there`` and F(b) as ``back``."""
        assert batch.y is not None
        a, b = translated(self.back, fakes["there"]), translated(self.there, fakes["back"])
        return (distance(a, batch.y) + distance(b, batch.x)) / 2

    def identity(self, batch: Batch) -> Tensor:
        """(E |G(b) - b| + E |F(a) - a|) / 2."""
        kept = [distance(translated(way.gan, way.batch.x), way.batch.x) for way in self.ways(batch)]
        return (kept[0] + kept[1]) / 2

    def after_discriminator(self) -> None:
        """What follows the turn of each critic; then the pools keep the fakes that it saw."""
        self.there.after_discriminator()
        self.back.after_discriminator()
        self.pool.keep()
        self.pool_back.keep()

    def after_generator(self) -> None:
        """Lets the regularizers put both translators' weights back."""
        self.there.constrain("generator")
        self.back.constrain("generator")

    def estimate(self, batch: Batch) -> Stats:
        """What the critics say of the two ways, and ``cycle``: the mean error of going there and back, in [0, 2]."""
        fakes = {way.name: translated(way.gan, way.batch.y) for way in self.ways(batch)}
        said = {
            f"{name}_{way.name}": value
            for way in self.ways(batch)
            for name, value in way.gan.estimated(way.batch, fakes[way.name]).items()
        }
        return said | {"cycle": self.cycle(batch, fakes)}


def translated(gan: GAN, y: Tensor | None) -> Tensor:
    """What the translator of ``gan`` makes of sources ``[B, *source]``."""
    assert y is not None
    return gan.sample(gan.latents(len(y)), y)
