"""CycleGAN: translation between two domains without pairs."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.errors import FieldError, UserError
from gan_cli.games.base import Game, Shape, Turn, frozen
from gan_cli.games.gan import GAN
from gan_cli.games.image_buffer import ImageBuffer
from gan_cli.games.objective import Objective, Part
from gan_cli.games.pix2pix import distance
from gan_cli.models.base import Discriminator
from gan_cli.models.translators import Translator
from gan_cli.types import Batch, Critic, Stats

PAIRED = ("generator", "discriminator", "augmentation", "pool")
"""Attributes that exist once for each direction, as NAME and NAME_back."""


class BackwardGAN(GAN):
    """The GAN of the way back: its regularizers are those of ``generator_back`` and ``discriminator_back``."""

    def regularized_as(self, player: str) -> tuple[str, ...]:
        return f"{player}_back", player


class Way(NamedTuple):
    """One of the two directions: its GAN, the past fakes of its critic, and the batch as it sees it."""

    name: str
    gan: GAN
    pool: ImageBuffer
    batch: Batch


class CycleGAN(Game):
    """Two GANs, G: A -> B and F: B -> A, whose translators undo each other (Zhu et al., 2017); x is of B, y of A.

    L_G = ``adversarial`` (L_G(D_B, G(a)) + L_G(D_A, F(b)))
    + ``cycle`` (E |F(G(a)) - a| + E |G(F(b)) - b|) + ``identity`` (E |G(b) - b| + E |F(a) - a|).

    The critics are trained on new and past fakes. The turn ``generator`` moves both translators, ``discriminator`` both
    critics. A sample is the translation of a source; ``inverse()`` samples the other way. The paper's least-squares loss has
    no factor 1/2 in the generator's loss as loss=least_squares has, hence ``adversarial`` = 2. Each critic sees its domain and
    its fakes through an augmentation of its own.

    Regularizers of ``generator`` and ``discriminator`` also act on ``generator_back`` and ``discriminator_back``; so do their
    optimizer settings, unless the config has some for ``generator_back`` or ``discriminator_back``.

    Args:
        generator: G, the translator from A to B.
        generator_back: F, the translator from B to A.
        discriminator: D_B.
        discriminator_back: D_A.
        adversarial: Weight >= 0 of the adversarial losses.
        cycle: Weight >= 0 of the cycle errors; 10 in the paper.
        identity: Weight >= 0 of the identity errors; 5 in the paper where colours are to stay.
        pool: Number of past fakes kept for each critic; 0 for none.

    Raises:
        UserError: If a generator is no translator, or ``identity`` is set and the domains differ in their channels.
    """

    uses: ClassVar[tuple[Part, ...]] = ("loss", "regularizer", "augmentation")
    follows: ClassVar[Mapping[str, str]] = {"generator_back": "generator", "discriminator_back": "discriminator"}
    pool: ImageBuffer
    pool_back: ImageBuffer

    def __init__(
        self,
        generator: Translator,
        generator_back: Translator,
        discriminator: Discriminator,
        discriminator_back: Discriminator,
        objective: Objective,
        adversarial: float = 2.0,
        cycle: float = 10.0,
        identity: float = 5.0,
        pool: int = 50,
    ) -> None:
        super().__init__(objective)
        for name, weight in (("adversarial", adversarial), ("cycle", cycle), ("identity", identity)):
            checks.number(name, weight, least=0)
        self.weights = {"adversarial": adversarial, "cycle": cycle, "identity": identity}
        for translator in (generator, generator_back):
            if not isinstance(translator, Translator):
                raise UserError(
                    f"game=cyclegan needs generators that translate, and {type(translator).__name__} looks at no sources.\n"
                    "Take model=unet_translator or model=resnet_translator, or one of their smaller versions."
                )
        there = GAN(generator, discriminator, objective)
        other = replace(objective, augmentation=deepcopy(objective.augmentation))
        back = BackwardGAN(generator_back, discriminator_back, other)
        # in a tuple, so that their networks are registered once, below, under the names of this game's players
        self.gans: tuple[GAN, GAN] = (there, back)
        self.generator, self.generator_back = there.generator, back.generator
        self.discriminator, self.discriminator_back = there.discriminator, back.discriminator
        self.augmentation, self.augmentation_back = there.augmentation, back.augmentation
        if identity and generator.channels != generator_back.channels:
            raise FieldError(
                *("identity", identity),
                f"it compares the domains, but they have {generator_back.channels} and {generator.channels} channels.\n"
                "Set it to 0, or give both the same channels.",
            )
        self.pool, self.pool_back = (ImageBuffer(pool, (t.channels, t.side, t.side)) for t in (generator, generator_back))

    @classmethod
    def check(cls, data: Data) -> None:
        """Check that there are two domains.

        Raises:
            UserError: If there is only one.
        """
        if data.source is None:
            raise UserError(
                "game=cyclegan translates between two domains, and this data set has only one.\n"
                "Take dataset=shirts2inverted or dataset=unpaired_folder, for instance."
            )

    @classmethod
    def shapes(cls, player: str, shape: Shape, source: Shape | None) -> tuple[Shape, Shape | None]:
        """Return the shapes with the domains exchanged for the way back; critics see one domain only."""
        if source is not None and player.endswith("_back"):
            shape, source = source, shape
        return shape, source if player.startswith("generator") else None

    def regularized_as(self, player: str) -> tuple[str, ...]:
        """Return the player's own name and that of its counterpart on the way there."""
        return player, player.removesuffix("_back")

    def turns(self) -> Mapping[str, Turn]:
        return {
            "discriminator": self.turn(
                "discriminator", "discriminator_back", loss=self.discriminator_loss, after=self.after_discriminator
            ),
            "generator": self.turn("generator", "generator_back", loss=self.generator_loss),
        }

    def ways(self, batch: Batch) -> Iterator[Way]:
        """Yield both directions with the batch as they see it."""
        assert batch.y is not None
        there, back = self.gans
        yield Way("there", there, self.pool, batch)
        yield Way("back", back, self.pool_back, Batch(batch.y, batch.x))

    def latents(self, n: int) -> Tensor:
        return self.gans[0].latents(n)

    def sample(self, latents: Tensor, y: Tensor | None = None) -> Tensor:
        return self.gans[0].sample(latents, y)

    def panels(self, latents: Tensor, y: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the translations and their translations back."""
        fake = self.sample(latents, y)
        return fake, translated(self.gans[1], fake)

    def inverse(self) -> "CycleGAN":
        """Return a copy that translates B into A."""
        other = deepcopy(self)
        other.gans = (other.gans[1], other.gans[0])
        for name in PAIRED:
            forward, backward = getattr(other, name), getattr(other, f"{name}_back")
            setattr(other, name, backward)
            setattr(other, f"{name}_back", forward)
        return other

    def critic(self, y: Tensor | None = None) -> Critic:
        """Return D_B."""
        return self.gans[0].critic()

    def discriminator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return the sum of both critics' losses and penalties; the numbers of each way end in its name."""
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
        """Return the translators' weighted losses; ``cycle`` and ``identity`` are unweighted means of both ways."""
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
        """Return (E |F(G(a)) - a| + E |G(F(b)) - b|) / 2, given G(a) as ``there`` and F(b) as ``back``."""
        assert batch.y is not None
        there, back = self.gans
        a, b = translated(back, fakes["there"]), translated(there, fakes["back"])
        return (distance(a, batch.y) + distance(b, batch.x)) / 2

    def identity(self, batch: Batch) -> Tensor:
        """Return (E |G(b) - b| + E |F(a) - a|) / 2."""
        there, back = (distance(translated(way.gan, way.batch.x), way.batch.x) for way in self.ways(batch))
        return (there + back) / 2

    def after_discriminator(self) -> None:
        """Let the augmentations adapt; the pools keep the fakes that the critics saw."""
        for augmentation, pool in ((self.augmentation, self.pool), (self.augmentation_back, self.pool_back)):
            augmentation.adapt()
            pool.keep()

    def estimate(self, batch: Batch) -> Stats:
        """Return the estimates of both critics, and ``cycle``: the mean error of going there and back, in [0, 2]."""
        fakes = {way.name: translated(way.gan, way.batch.y) for way in self.ways(batch)}
        estimates = {
            f"{name}_{way.name}": value
            for way in self.ways(batch)
            for name, value in way.gan.estimate_on_fakes(way.batch, fakes[way.name]).items()
        }
        return estimates | {"cycle": self.cycle(batch, fakes)}


def translated(gan: GAN, y: Tensor | None) -> Tensor:
    """Return the translations by ``gan`` of sources ``[B, *source]``."""
    assert y is not None
    return gan.sample(gan.latents(len(y)), y)
