"""orthogonal, biggan: BigGAN's orthogonal regularization."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from gan_cli import checks
from gan_cli.precision import in_full_precision
from gan_cli.regularizers.base import Judged, Regularizer
from gan_cli.types import Critic


@dataclass(frozen=True)
class Orthogonal(Regularizer):
    """beta ||W W^T * (1 - I)||_F^2 over all weights, reshaped to ``[out, rest]`` (Brock et al., 2019, equation 3).

    Only off-diagonal entries count: filters are pushed towards orthogonality and their norms are free. Embeddings are left
    out, as in the paper. In a layer with spectral norm W is the weight that is learned, before the division by sigma, as in
    the authors' code.

    That code subtracts the gradient 2 beta (W W^T * (1 - I)) W, which is half the gradient of equation 3: its beta of 1e-4
    corresponds to 5e-5 here.

    Args:
        weight: beta >= 0.
    """

    weight: float = 1e-4

    def __post_init__(self) -> None:
        checks.number("weight", self.weight, least=0)

    def penalty(self, network: nn.Module, critic: Critic, judged: Judged) -> Tensor:
        total = judged.real.new_zeros(())
        for module in network.modules():
            if isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
                gram = _gram(module)
                total = total + (gram - torch.diag(gram.diagonal())).square().sum()
        return self.weight * total


def _gram(layer: nn.Module) -> Tensor:
    # read through the parametrization, the weight would take one more step of spectral norm's power iteration
    weight: Tensor = layer.parametrizations.weight.original if is_parametrized(layer, "weight") else layer.weight  # type: ignore
    filters = (weight.transpose(0, 1) if isinstance(layer, nn.modules.conv._ConvTransposeNd) else weight).flatten(1)
    with in_full_precision(filters.device):
        return filters @ filters.T
