"""The samples in the pictures of a run, which its processes make together."""

from torch import Tensor

from gan_cli import drawing
from gan_cli.data.base import Data
from gan_cli.games.base import Game
from gan_cli.games.sampling import conditions, examples, panels, picture_strips
from gan_cli.parallel.dealing import deal_rows
from gan_cli.parallel.ranks import Order, here
from gan_cli.randomness import fork_rng
from gan_cli.types import Batch

N_IMAGES = 64
"""Number of images in a sample grid."""
N_STRIPS = 24
"""Number of sources shown for a translator."""
N_POINTS = 1000
"""Number of points in a scatter plot."""


class Shown:
    """Samples of a game from latents, labels and sources that are fixed at construction.

    Args:
        game: The averaged game.
        data: Provides labels, sources and real samples.
        seed: Decides the latents, labels and sources.

    Attributes:
        real: As many real samples.
    """

    def __init__(self, game: Game, data: Data, seed: int) -> None:
        self.game, self.seed = game, seed
        images = N_IMAGES if data.source is None else N_STRIPS
        fewer = N_POINTS if len(data.shape) == 1 else images
        n = drawing.LINES if len(data.shape) == 2 else fewer  # LINES imports matplotlib
        self.y = conditions(data, n, seed)
        with fork_rng(seed, game.device):
            self.latents = game.latents(n)
        self.real = examples(data, n, seed).x
        self.targets = self.real if data.paired else None

    def strips(self) -> list[Tensor]:
        """Return the strips of the picture, as ``picture_strips`` does.

        Each process of the run makes an equal share of the samples, if their number can be divided so.
        """
        together = None if len(self.latents) % here().count else self.share()
        with fork_rng(self.seed, self.game.device):  # sampling may draw random numbers
            return picture_strips(self.game, self.latents, self.y, self.targets, together)

    def share(self) -> tuple[Tensor, ...] | None:
        """Make the share of this process, and return in process 0 what ``panels`` returns.

        Returns None in the other processes, in a run of one process, and if a process cannot make its share.
        """
        if (ranks := here()).count == 1:
            return None

        def made(rows: slice) -> tuple[Tensor, ...]:
            return panels(self.game, self.latents[rows], None if self.y is None else self.y[rows])

        with fork_rng(self.seed, self.game.device):
            return deal_rows(ranks, Order.DRAW, made, Batch(self.latents, self.y), self.game.device)
