"""Multi-layer perceptrons for points and for flattened images."""

from itertools import pairwise
from math import prod

from torch import Tensor, nn

from gan_cli import checks
from gan_cli.models.base import FeatureDiscriminator, Generator


def perceptron(inputs: int, outputs: int, width: int, depth: int) -> nn.Sequential:
    """``depth`` linear layers with ReLU between them; hidden layers have ``width`` units."""
    sizes = [inputs, *[width] * (depth - 1), outputs]
    layers: list[nn.Module] = []
    for i, o in pairwise(sizes):
        layers += [nn.Linear(i, o), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class MLPGenerator(Generator):
    """z -> x through ``depth`` linear layers of ``width`` ReLU units; images end in tanh, points are unbounded.

    The WGAN paper's MLP is four linear layers of 512 units (three hidden, as in its code).
    """

    def __init__(self, shape: tuple[int, ...], classes: int, latent_dim: int, width: int, depth: int) -> None:
        super().__init__()
        checks.counts(latent_dim=latent_dim, width=width, depth=depth)
        self.shape, self.latent_dim = tuple(shape), latent_dim
        self.body = perceptron(latent_dim, prod(shape), width, depth)
        self.range: nn.Module = nn.Tanh() if len(shape) == 3 else nn.Identity()

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.range(self.body(z)).unflatten(1, self.shape)


class MLPDiscriminator(FeatureDiscriminator):
    """x -> logit ``[B]`` through ``depth`` linear layers of ``width`` ReLU units."""

    def __init__(self, shape: tuple[int, ...], classes: int, width: int, depth: int) -> None:
        super().__init__()
        checks.counts(width=width, depth=depth)
        self.body = perceptron(prod(shape), 1, width, depth)
        self.feature_dim = width if depth > 1 else prod(shape)

    def features(self, x: Tensor) -> Tensor:
        """The last hidden layer, or the flattened samples where there is none."""
        return self.body[:-1](x.flatten(1))

    def judge(self, features: Tensor) -> Tensor:
        """The last linear layer."""
        return self.body[-1](features).squeeze(1)
