"""MinimumDistance: a generator that minimizes a distance between its samples and the data, without an opponent."""

from abc import abstractmethod
from collections.abc import Mapping

from torch import Tensor

from gan_cli.games.base import Turn
from gan_cli.games.generator_game import IndependentLatents
from gan_cli.models.base import Generator
from gan_cli.models.conditional import refuse_labels
from gan_cli.parallel.share import whole_data, whole_rows
from gan_cli.precision import in_full_precision
from gan_cli.types import Batch, Stats


class MinimumDistance(IndependentLatents):
    """min over G of a distance between the batch and as many fakes; subclasses define the distance.

    Raises:
        UserError: If the generator looks at labels, which the distance ignores.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        refuse_labels("this game compares samples without their labels", generator)
        self.generator = generator

    @abstractmethod
    def distance(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Stats]:
        """Return (the distance, estimates by name) between samples ``[B, prod(shape)]``; in float32, without autocast."""

    def turns(self) -> Mapping[str, Turn]:
        return {"generator": self.turn("generator", loss=self.generator_loss)}

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return the distance."""
        fake = self.sample(self.latents(len(batch.x)), batch.y)
        fake = whole_rows(fake, "this game compares all samples of a batch with each other")
        with in_full_precision(self.device):
            loss, estimates = self.distance(whole_data(batch.x).flatten(1), fake.flatten(1))
        return loss, {f"estimate/{name}": value for name, value in estimates.items()}

    def estimate(self, batch: Batch) -> Stats:
        return {name.removeprefix("estimate/"): value for name, value in self.generator_loss(batch)[1].items()}
