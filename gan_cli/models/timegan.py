"""TimeGAN's five networks (Yoon et al., 2019): each ``layers`` of GRU or LSTM and a linear layer at every step.

Between embedder and recovery lie latent sequences h ``[B, T, hidden]`` in [0, 1]; ``hidden`` is also the width of the layers,
as in the published code.
"""

from torch import Tensor

from gan_cli import checks
from gan_cli.models.base import sequence
from gan_cli.models.recurrent import Recurrent

NAME = "timegan"


class Embedder(Recurrent):
    """e: x ``[B, T, F]`` -> h."""

    def __init__(self, shape: tuple[int, ...], classes: int, hidden: int, layers: int, cell: str) -> None:
        super().__init__(sequence(shape, NAME)[1], hidden, hidden, layers, cell)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).sigmoid()


class Recovery(Recurrent):
    """r: h -> x in [0, 1] ``[B, T, F]``."""

    def __init__(self, shape: tuple[int, ...], classes: int, hidden: int, layers: int, cell: str) -> None:
        super().__init__(hidden, sequence(shape, NAME)[1], hidden, layers, cell)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).sigmoid()


class Supervisor(Recurrent):
    """s: h_1 ... h_t -> what h_{t+1} will be, at every t; with one layer less than the others, as in the published code.

    ``layers``: of the others, at least 2.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, hidden: int, layers: int, cell: str) -> None:
        checks.count("layers", layers, least=2)
        super().__init__(hidden, hidden, hidden, layers - 1, cell)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).sigmoid()


class LatentGenerator(Recurrent):
    """g: z ``[B, T, latent_dim]`` -> h. ``latent_dim``: None for F, as in the published code."""

    def __init__(
        self, shape: tuple[int, ...], classes: int, latent_dim: int | None, hidden: int, layers: int, cell: str
    ) -> None:
        steps, features = sequence(shape, NAME)
        super().__init__(features if latent_dim is None else latent_dim, hidden, hidden, layers, cell)
        self.latent_shape = (steps, self.inputs)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).sigmoid()


class LatentDiscriminator(Recurrent):
    """d: h -> a logit for every step ``[B, T]``."""

    def __init__(self, shape: tuple[int, ...], classes: int, hidden: int, layers: int, cell: str) -> None:
        super().__init__(hidden, 1, hidden, layers, cell)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze(2)
