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

    @property
    def goes_by_verdicts(self) -> bool:
        """Whether it depends on what D takes for data, so that the loss must have a ``boundary``."""
        return False

    def observe(self, d_real: Tensor) -> None:
        """Takes note of D's logits of the data, less the loss's boundary; never fetches them from the device.

        Called whenever the discriminator's loss is taken, which a solver may do several times for one step: what counts is
        the last time before ``adapt``.
        """

    def adapt(self) -> None:
        """Called after each of the discriminator's steps."""

    def stats(self) -> Stats:
        """Numbers to log, as ``augmentation/<name>``."""
        return {}
