"""What metrics of sequences have in common: samples ``[N, T, F]``, N windows of T steps of F features."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from gan_cli.data.base import Data
from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric
from gan_cli.metrics.features.identity import Identity


@dataclass(frozen=True)
class SequenceMetric(Metric):
    """A metric of sequences, taken of the samples themselves, whatever the features.

    Raises UserError for data of another kind.
    """

    needs_samples: ClassVar[bool] = True

    def fitted(self, data: Data, device: torch.device) -> Self:
        """This metric for samples such as these."""
        check_sequences(self.name, data)
        return replace(self, features=Identity())


def check_sequences(name: str, data: Data) -> None:
    """UserError, in the name of the metric, unless samples are sequences ``(T, F)``."""
    if len(data.shape) != 2:
        other = "metric=points" if len(data.shape) == 1 else "metric=all"
        raise UserError(f"{name} compares sequences [steps, features], these samples are {list(data.shape)}. Take {other}.")


def validate_sequence_pair(measure: str, real: Tensor, fake: Tensor, minimum: int = 1) -> tuple[Tensor, Tensor]:
    """Two sets of sequences ``[N, T, F]``, ``[M, T, F]`` without their gradients, on the CPU, once they can be compared.

    Raises UserError in the name of ``measure`` where their T or F differ, they hold fewer than ``minimum`` sequences, NaN or Inf.
    """
    if real.ndim != 3 or fake.ndim != 3 or real.shape[1:] != fake.shape[1:]:
        raise UserError(f"{measure}: needs sequences [N, T, F] of one shape and got {list(real.shape)}, {list(fake.shape)}.")
    if min(len(real), len(fake)) < minimum:
        raise UserError(f"{measure}: needs at minimum {minimum} sequences of either kind and got {len(real)} and {len(fake)}.")
    if not (real.isfinite().all() and fake.isfinite().all()):
        raise UserError(f"{measure}: the sequences hold NaN or Inf.")
    return real.detach().cpu(), fake.detach().cpu()
