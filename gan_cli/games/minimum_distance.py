"""A game of one: a generator that minimises a distance between its samples and the batch, without an opponent."""

from abc import abstractmethod
from collections.abc import Mapping

from torch import Tensor

from gan_cli.device import in_full_precision
from gan_cli.games.base import Turn
from gan_cli.games.generator_game import GeneratorGame
from gan_cli.models.base import Generator
from gan_cli.types import Batch, Stats


class MinimumDistance(GeneratorGame):
    """min over G of a distance between the batch and as many fakes, z ~ N(0, I); a subclass names the distance.

    Fakes carry the labels of the batch where the generator uses them; the distance does not look at labels.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    @abstractmethod
    def distance(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Stats]:
        """(what G minimises, estimates by name) for samples ``[B, prod(shape)]``, in float32 whatever the autocast."""

    def turns(self) -> Mapping[str, Turn]:
        return {"generator": Turn(tuple(self.generator.parameters()), self.generator_loss)}

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """The distance."""
        fake = self.sample(self.latents(len(batch.x)), batch.y)
        with in_full_precision(self.device):
            loss, estimates = self.distance(batch.x.flatten(1), fake.flatten(1))
        return loss, {f"estimate/{name}": value for name, value in estimates.items()}

    def estimate(self, batch: Batch) -> Stats:
        return {name.removeprefix("estimate/"): value for name, value in self.generator_loss(batch)[1].items()}
