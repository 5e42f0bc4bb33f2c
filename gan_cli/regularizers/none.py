"""No regularization."""

from dataclasses import dataclass

from gan_cli.regularizers.base import Regularizer


@dataclass(frozen=True)
class NoRegularizer(Regularizer):
    """Leaves every player as it is."""
