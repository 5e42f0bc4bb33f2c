"""ImageBuffer: past fakes that a discriminator is trained on beside new ones (Shrivastava et al., 2017)."""

import torch
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.parallel import draws
from gan_cli.parallel.share import own_rows, whole_rows


class ImageBuffer(nn.Module):
    """A pool of past fakes, held in a buffer, so that it is in every checkpoint.

    ``query`` answers a batch of fakes. While the pool is filling, each fake enters it and is returned. Later each fake is
    returned with probability ½; otherwise it takes the place of a random past one, which is returned instead. Places within a
    batch of up to ``size`` fakes are distinct. Nothing changes until ``keep``. Random numbers come from torch's default
    generators.

    Args:
        size: Number of fakes that are kept; 0 for no pool.
        shape: Shape of one fake.
    """

    images: Tensor
    filled: Tensor

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        checks.count("pool", size, least=0)
        self.size = size
        self.register_buffer("images", torch.zeros(size, *shape))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))
        self.next: tuple[Tensor, Tensor] | None = None

    def query(self, fakes: Tensor) -> Tensor:
        """Return a batch ``[B, *shape]`` of new and past fakes for these new ones."""
        if not self.size:
            return fakes
        fakes = whole_rows(fakes, "the pool of past fakes takes in whole batches (game.pool=0: none)")
        images, filled, answers = self.images, self.filled, []
        for chunk in fakes.split(self.size):
            answer, images, filled = self._step(images, filled, chunk)
            answers.append(answer)
        self.next = images.detach(), filled
        return own_rows(torch.cat(answers))

    def keep(self) -> None:
        """Make the pool hold what the last ``query`` made of it."""
        if self.next is not None:
            with torch.no_grad():
                self.images.copy_(self.next[0])
                self.filled.copy_(self.next[1])
            self.next = None

    def _step(self, images: Tensor, filled: Tensor, fakes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (answers, images, filled) after at most ``size`` fakes, without waiting for the device."""
        n, device = len(fakes), fakes.device
        place = filled + torch.arange(n, device=device)
        enters = place < self.size
        past = draws.common(lambda: torch.randperm(self.size, device=device))[:n]
        # in the batch that fills the pool a past place may only now be filled: such a fake is returned as it is
        swaps = ~enters & (past < filled) & (draws.common(lambda: torch.rand(n, device=device)) < 0.5)
        answers = torch.where(swaps.view(-1, *[1] * (fakes.ndim - 1)), images[past].to(fakes.dtype), fakes)
        # fakes that stay outside go to an additional place, which is cut off again
        place = torch.where(enters, place, torch.where(swaps, past, self.size))
        longer = torch.cat([images, images[:1]]).index_copy(0, place, fakes.detach().to(images.dtype))
        return answers, longer[: self.size], (filled + n).clamp(max=self.size)
