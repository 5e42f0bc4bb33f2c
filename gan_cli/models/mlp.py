"""Multi-layer perceptrons for points, and for flattened images and sequences."""

from itertools import pairwise
from math import prod

from torch import Tensor, nn
from torch.nn import functional as F

from gan_cli import checks
from gan_cli.models.base import Denoiser, FeatureDiscriminator, Generator, looked_at
from gan_cli.models.embedding import Embedding
from gan_cli.models.minibatch import minibatch_layers

RANGES: dict[int, type[nn.Module]] = {3: nn.Tanh, 2: nn.Sigmoid}
"""What keeps samples of so many dimensions, images and sequences, in the range of their data."""


def perceptron(inputs: int, outputs: int, width: int, depth: int) -> nn.Sequential:
    """``depth`` linear layers with ReLU between them; hidden layers have ``width`` units."""
    sizes = [inputs, *[width] * (depth - 1), outputs]
    layers: list[nn.Module] = []
    for i, o in pairwise(sizes):
        layers += [nn.Linear(i, o), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class MLPGenerator(Generator):
    """z -> x through ``depth`` linear layers of ``width`` ReLU units.

    Images end in tanh, sequences in a sigmoid, each in the range of its data; points are unbounded.

    The WGAN paper's MLP is four linear layers of 512 units (three hidden, as in its code).
    """

    def __init__(self, shape: tuple[int, ...], classes: int, latent_dim: int, width: int, depth: int) -> None:
        super().__init__()
        checks.counts(latent_dim=latent_dim, width=width, depth=depth)
        self.shape, self.latent_dim = tuple(shape), latent_dim
        self.body = perceptron(latent_dim, prod(shape), width, depth)
        self.range = RANGES.get(len(shape), nn.Identity)()

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.range(self.body(z)).unflatten(1, self.shape)


class MLPDiscriminator(FeatureDiscriminator):
    """x -> logit ``[B]`` through ``depth`` linear layers of ``width`` ReLU units; of several ``outputs`` ``[B, outputs]``.

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
        outputs: int = 1,
        minibatch_std: bool = False,
        minibatch_kernels: int = 0,
        minibatch_dims: int = 16,
    ) -> None:
        super().__init__()
        checks.counts(width=width, depth=depth, outputs=outputs)
        checks.flag("minibatch_std", minibatch_std)
        checks.count("minibatch_kernels", minibatch_kernels, least=0)
        checks.count("minibatch_dims", minibatch_dims)
        inputs = width if depth > 1 else prod(shape)  # of the last layer
        company, more = minibatch_layers(inputs, minibatch_std, minibatch_kernels, minibatch_dims)
        self.body = perceptron(prod(shape), outputs, width, depth)
        if company:
            self.body = nn.Sequential(*self.body[:-1], *company, nn.Linear(inputs + more, outputs))
        self.feature_dim = inputs + more

    def features(self, x: Tensor) -> Tensor:
        """The last hidden layer, or the flattened samples where there is none."""
        return self.body[:-1](x.flatten(1))

    def judge(self, features: Tensor) -> Tensor:
        """The last linear layer."""
        return self.body[-1](features).squeeze(1)


class MLPDenoiser(Denoiser):
    """(x_t, t, y) -> noise through ``depth`` linear layers of ``width`` SiLU units, each hidden one told the time.

    h_{i+1} = silu(W_i h_i + V_i e(t, y)) with the embedding e. ``conditional``: whether it looks at the classes.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, width: int, depth: int, conditional: bool) -> None:
        super().__init__()
        checks.counts(width=width, depth=depth)
        self.shape, self.classes = tuple(shape), looked_at(classes, conditional)
        self.embedding = Embedding(width, width, self.classes)
        sizes = [prod(shape), *[width] * (depth - 1)]
        self.hidden = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(sizes))
        self.times = nn.ModuleList(nn.Linear(width, o) for o in sizes[1:])
        self.last = nn.Linear(sizes[-1], prod(shape))

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        e, h = self.embedding(t, y), x.flatten(1)
        for layer, time in zip(self.hidden, self.times, strict=True):
            h = F.silu(layer(h) + time(e))
        return self.last(h).unflatten(1, self.shape)
