"""Multi-layer perceptrons for points and for flattened images."""

from itertools import pairwise
from math import prod

from torch import Tensor, nn

from gan_cli import checks
from gan_cli.models.base import Discriminator, Generator
from gan_cli.models.minibatch import minibatch_layers


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


class MLPDiscriminator(Discriminator):
    """x -> logit ``[B]`` through ``depth`` linear layers of ``width`` ReLU units.

    ``minibatch_std``: the batch's spread as one more feature before the last layer (Karras et al., 2018).
    ``minibatch_kernels``: so many measures, of ``minibatch_dims`` numbers each, of how near a sample is to the others of its
    batch (Salimans et al., 2016; 0: none).
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        width: int,
        depth: int,
        minibatch_std: bool = False,
        minibatch_kernels: int = 0,
        minibatch_dims: int = 16,
    ) -> None:
        super().__init__()
        checks.counts(width=width, depth=depth)
        checks.flag("minibatch_std", minibatch_std)
        checks.count("minibatch_kernels", minibatch_kernels, least=0)
        checks.count("minibatch_dims", minibatch_dims)
        self.body = perceptron(prod(shape), 1, width, depth)
        hidden = width if depth > 1 else prod(shape)
        company, more = minibatch_layers(hidden, minibatch_std, minibatch_kernels, minibatch_dims)
        if company:
            self.body = nn.Sequential(*self.body[:-1], *company, nn.Linear(hidden + more, 1))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.body(x.flatten(1)).squeeze(1)
