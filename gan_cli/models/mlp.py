"""mlp, mlp_small: multi-layer perceptrons for points, and for flattened images and sequences."""

from itertools import pairwise
from math import prod

from torch import Tensor, nn
from torch.nn import functional as F

from gan_cli import checks
from gan_cli.models.base import Denoiser, FeatureDiscriminator, Generator, effective_classes
from gan_cli.models.layers import through
from gan_cli.models.minibatch import minibatch_layers
from gan_cli.models.time_embedding import TimeEmbedding

OUTPUT_ACTIVATIONS: dict[int, type[nn.Module]] = {3: nn.Tanh, 2: nn.Sigmoid}
"""Output activations by the number of dimensions of a sample: images in [-1, 1], sequences in [0, 1]."""


def perceptron(inputs: int, outputs: int, width: int, depth: int) -> nn.Sequential:
    """Return ``depth`` linear layers with ReLU between them and ``width`` units in each hidden layer."""
    sizes = [inputs, *[width] * (depth - 1), outputs]
    layers: list[nn.Module] = []
    for i, o in pairwise(sizes):
        layers += [nn.Linear(i, o), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class MLPGenerator(Generator):
    """z -> x through ``depth`` linear layers with ReLU between them.

    Images end in tanh and sequences in a sigmoid, in the range of their data; points are unbounded. The WGAN paper's MLP has
    four linear layers of 512 units (three hidden ones, as in its code).

    Args:
        latent_dim: Number of latents.
        width: Number of units of each hidden layer.
        depth: Number of linear layers.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, latent_dim: int, width: int, depth: int) -> None:
        super().__init__()
        checks.counts(latent_dim=latent_dim, width=width, depth=depth)
        self.shape, self.latent_dim = tuple(shape), latent_dim
        self.body = perceptron(latent_dim, prod(shape), width, depth)
        self.range = OUTPUT_ACTIVATIONS.get(len(shape), nn.Identity)()

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.range(self.body(z)).view(-1, *self.shape)


class MLPDiscriminator(FeatureDiscriminator):
    """x -> logits ``[B]`` through ``depth`` linear layers with ReLU between them.

    Args:
        width: Number of units of each hidden layer.
        depth: Number of linear layers.
        outputs: Numbers per sample; more than one give logits ``[B, outputs]``.
        minibatch_std: Add the batch's standard deviation as a feature before the last layer (Karras et al., 2018).
        minibatch_kernels: Number of closeness features of minibatch discrimination (Salimans et al., 2016); 0 for none.
        minibatch_dims: Dimension in which each of them measures the distance to the other samples.
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
        inputs = width if depth > 1 else prod(shape)  # of the last layer
        batch_layers, extra = minibatch_layers(inputs, minibatch_std, minibatch_kernels, minibatch_dims)
        self.body = perceptron(prod(shape), outputs, width, depth)
        if batch_layers:
            self.body = nn.Sequential(*self.body[:-1], *batch_layers, nn.Linear(inputs + extra, outputs))
        self.feature_dim = inputs + extra

    def features(self, x: Tensor) -> Tensor:
        """Return the last hidden layer, or the flattened samples if there is none."""
        return through(list(self.body)[:-1], x.flatten(1))

    def logits(self, features: Tensor) -> Tensor:
        """Apply the last linear layer."""
        return self.body[-1](features).squeeze(1)


class MLPDenoiser(Denoiser):
    """(x_t, t, y) -> noise through ``depth`` linear layers with SiLU between them, conditioned on the time.

    h_{i+1} = silu(W_i h_i + V_i e(t, y)) with the embedding e.

    Args:
        width: Number of units of each hidden layer, and size of the embedding.
        depth: Number of linear layers.
        conditional: Depend on the classes.

    Raises:
        UserError: If ``conditional`` is true and the data set has no classes.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, width: int, depth: int, conditional: bool) -> None:
        super().__init__()
        checks.counts(width=width, depth=depth)
        self.shape, self.classes = tuple(shape), effective_classes(classes, conditional)
        self.embedding = TimeEmbedding(width, width, self.classes)
        sizes = [prod(shape), *[width] * (depth - 1)]
        self.hidden = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(sizes))
        self.times = nn.ModuleList(nn.Linear(width, o) for o in sizes[1:])
        self.last = nn.Linear(sizes[-1], prod(shape))

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        e, h = self.embedding(t, y), x.flatten(1)
        for layer, time in zip(self.hidden, self.times, strict=True):
            h = F.silu(layer(h) + time(e))
        return self.last(h).unflatten(1, self.shape)
