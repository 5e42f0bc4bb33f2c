"""The five networks of TimeGAN (Yoon et al., 2019): layers of GRU or LSTM, and a linear layer at every step.

The latent space consists of sequences h ``[B, T, hidden]`` in [0, 1]; ``hidden`` is also the number of units of each layer,
as in the published code. ``layers`` is the number of layers and ``cell`` is ``gru`` or ``lstm``.
"""

from torch import Tensor

from gan_cli import checks
from gan_cli.models.base import sequence_size
from gan_cli.models.recurrent import Recurrent

NAME = "timegan"


class Embedder(Recurrent):
    """e: samples x ``[B, T, F]`` -> latent sequences h."""

    def __init__(self, shape: tuple[int, ...], classes: int, hidden: int, layers: int, cell: str) -> None:
        super().__init__(sequence_size(shape, NAME)[1], hidden, hidden, layers, cell)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).sigmoid()


class Recovery(Recurrent):
    """r: latent sequences h -> samples x in [0, 1] ``[B, T, F]``."""

    def __init__(self, shape: tuple[int, ...], classes: int, hidden: int, layers: int, cell: str) -> None:
        super().__init__(hidden, sequence_size(shape, NAME)[1], hidden, layers, cell)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).sigmoid()


class Supervisor(Recurrent):
    """s: h_1 ... h_t -> prediction of h_{t+1}, at every t; it has ``layers`` - 1 layers, as in the published code.

    Args:
        hidden: Number of units of each layer.
        layers: Number of layers of the other networks, at least 2.
        cell: ``gru`` or ``lstm``.

    Raises:
        UserError: If ``layers`` is below 2.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, hidden: int, layers: int, cell: str) -> None:
        checks.count("layers", layers, least=2)
        super().__init__(hidden, hidden, hidden, layers - 1, cell)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).sigmoid()


class LatentGenerator(Recurrent):
    """g: z ``[B, T, latent_dim]`` -> latent sequences h.

    Args:
        latent_dim: Number of latents of a step; None for F, as in the published code.
        hidden: Number of units of each layer.
        layers: Number of layers.
        cell: ``gru`` or ``lstm``.
    """

    def __init__(
        self, shape: tuple[int, ...], classes: int, latent_dim: int | None, hidden: int, layers: int, cell: str
    ) -> None:
        steps, features = sequence_size(shape, NAME)
        super().__init__(features if latent_dim is None else latent_dim, hidden, hidden, layers, cell)
        self.latent_shape = (steps, self.inputs)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).sigmoid()


class LatentDiscriminator(Recurrent):
    """d: latent sequences h -> one logit per step ``[B, T]``."""

    def __init__(self, shape: tuple[int, ...], classes: int, hidden: int, layers: int, cell: str) -> None:
        super().__init__(hidden, 1, hidden, layers, cell)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze(2)
