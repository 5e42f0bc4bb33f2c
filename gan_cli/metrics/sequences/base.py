"""The base class of metrics of sequences, which are ``[N, T, F]``: N windows of T steps with F features."""

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
    """A metric of sequences, computed from the samples themselves, whatever the features.

    Raises:
        UserError: In ``fitted``, if the samples are not sequences.
    """

    needs_samples: ClassVar[bool] = True

    def fitted(self, data: Data, device: torch.device) -> Self:
        check_sequences(self.name, data)
        return replace(self, features=Identity())


def check_sequences(name: str, data: Data) -> None:
    """Check that the samples of ``data`` are sequences ``(T, F)``.

    Args:
        name: Name of the metric for the error message.
        data: The data set.

    Raises:
        UserError: If they are not.
    """
    if len(data.shape) != 2:
        other = "metric=points" if len(data.shape) == 1 else "metric=all"
        raise UserError(f"{name} compares sequences [steps, features]; these samples are {list(data.shape)}. Use {other}.")


def validate_sequence_pair(measure: str, real: Tensor, fake: Tensor, minimum: int = 1) -> tuple[Tensor, Tensor]:
    """Check that two sets of sequences can be compared and return them, detached and on the CPU.

    Args:
        measure: Name of the measure for error messages.
        real: ``[N, T, F]``.
        fake: ``[M, T, F]``.
        minimum: Smallest number of sequences allowed in each set.

    Raises:
        UserError: If the sets differ in T or F, are too small, or hold NaN or Inf.
    """
    if real.ndim != 3 or fake.ndim != 3 or real.shape[1:] != fake.shape[1:]:
        raise UserError(f"{measure}: needs sequences [N, T, F] of one shape and got {list(real.shape)}, {list(fake.shape)}.")
    if min(len(real), len(fake)) < minimum:
        raise UserError(f"{measure}: needs at least {minimum} sequences of each kind and got {len(real)} and {len(fake)}.")
    if not (real.isfinite().all() and fake.isfinite().all()):
        raise UserError(f"{measure}: the sequences hold NaN or Inf.")
    return real.detach().cpu(), fake.detach().cpu()
