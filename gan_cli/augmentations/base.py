"""The contract of an augmentation, which is also the neutral one."""

from torch import Tensor, nn

from gan_cli.types import Stats


class Augmentation(nn.Module):
    """Shows the discriminator what it is given (``augmentation=none``); an augmentation shows it something else.

    The same random T goes before D for data and for fakes, in the turns of both players, and is differentiable in x (twice,
    where a penalty looks through it): the generator learns to make what looks right under T. It acts in training mode alone.
    What it remembers lies in buffers, so that a resumed run goes on exactly.
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """T(x): ``[B, *shape] -> [B, *shape]``, drawn anew for each sample, from torch's default generator."""
        return self.transform(x) if self.training else x

    def transform(self, x: Tensor) -> Tensor:
        """T(x) in training mode."""
        return x

    def observe(self, d_real: Tensor) -> None:
        """Takes note of the logits of the data in a discriminator's turn; never fetches them from the device."""

    def adapt(self) -> None:
        """Called after each of the discriminator's steps."""

    def stats(self) -> Stats:
        """Numbers to log, as ``augmentation/<name>``."""
        return {}
