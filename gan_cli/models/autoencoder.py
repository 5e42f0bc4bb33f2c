"""autoencoder, autoencoder_mlp, autoencoder_small: auto-encoders as discriminators (Zhao et al., 2017)."""

from abc import abstractmethod
from itertools import pairwise
from math import prod
from typing import ClassVar

from torch import Tensor, nn

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.models.base import Discriminator, Kind, image_size
from gan_cli.models.dcgan import initialise
from gan_cli.models.mlp import perceptron


class AutoEncoder(Discriminator):
    """D(x) = -E(x), E(x) = ||Dec(Enc(x)) - x|| >= 0: the logit is the negative reconstruction error.

    The error is an energy: low on data, high on anything that the auto-encoder cannot reproduce. The norm is Euclidean over
    all numbers of a sample, so that energies grow with the square root of their count.
    """

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Return Enc(x): samples ``[B, *shape]`` to codes ``[B, ...]``."""

    @abstractmethod
    def decode(self, code: Tensor) -> Tensor:
        """Return Dec(code): codes to samples ``[B, *shape]``."""

    def logits_and_code(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return (-E(x) ``[B]``, Enc(x) ``[B, k]``) from one forward pass."""
        code = self.encode(x)
        return -(self.decode(code).to(x.dtype) - x).flatten(1).norm(dim=1), code.flatten(1)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.logits_and_code(x)[0]


class ConvAutoEncoder(AutoEncoder):
    """Three strided convolutions that halve the side, and three transposed ones back, as EBGAN's for 64x64 images.

    There is batch norm after each layer but the encoder's first and the decoder's last, and ReLU between layers.

    Args:
        width: Number of channels at half the side; the next two layers have 2 and 4 times as many.
        batch_norm: Use batch norm.
    """

    kind: ClassVar[Kind] = "convolutional"

    def __init__(self, shape: tuple[int, ...], classes: int, width: int, batch_norm: bool = True) -> None:
        super().__init__()
        checks.counts(width=width)
        checks.flag("batch_norm", batch_norm)
        if len(shape) != 3:
            raise UserError(
                f"model/discriminator=autoencoder needs images, but this data set's samples have shape {tuple(shape)}.\n"
                "Use model/discriminator=autoencoder_mlp for points and sequences."
            )
        channels, _ = image_size(shape, "autoencoder")
        widths = [channels, width, 2 * width, 4 * width]
        encoder: list[nn.Module] = []
        for i, o in pairwise(widths):
            norm = [nn.BatchNorm2d(o)] if batch_norm and encoder else []
            encoder += [nn.Conv2d(i, o, 4, 2, 1), *norm, nn.ReLU()]
        decoder: list[nn.Module] = []
        for i, o in pairwise(widths[::-1]):
            norm = [nn.BatchNorm2d(o)] if batch_norm else []
            decoder += [nn.ConvTranspose2d(i, o, 4, 2, 1), *norm, nn.ReLU()]
        self.encoder, self.decoder = nn.Sequential(*encoder), nn.Sequential(*decoder[: -1 - len(norm)])
        self.apply(initialise)

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def decode(self, code: Tensor) -> Tensor:
        return self.decoder(code)


class MLPAutoEncoder(AutoEncoder):
    """``depth`` linear layers with ReLU to a code of ``code_dim`` ReLU units, and as many back.

    A code with fewer numbers than the data has dimensions keeps it from reproducing everything.

    Args:
        width: Number of units of each hidden layer.
        depth: Number of linear layers of the encoder, and of the decoder.
        code_dim: Size of the code.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, width: int, depth: int, code_dim: int) -> None:
        super().__init__()
        checks.counts(width=width, depth=depth, code_dim=code_dim)
        self.shape = tuple(shape)
        self.encoder = nn.Sequential(perceptron(prod(shape), code_dim, width, depth), nn.ReLU())
        self.decoder = perceptron(code_dim, prod(shape), width, depth)

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x.flatten(1))

    def decode(self, code: Tensor) -> Tensor:
        return self.decoder(code).unflatten(1, self.shape)
