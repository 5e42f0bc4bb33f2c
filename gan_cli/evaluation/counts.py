"""The number of real samples that a metric measures."""

from gan_cli.data.base import Data, Dataset
from gan_cli.errors import TooFewSamples
from gan_cli.metrics.base import Metric


def check_counts(metric: Metric, data: Data, n_samples: int | None = None) -> int:
    """Return the number of real samples that ``metric`` measures of ``data``; see ``Measurement`` for the arguments.

    Raises:
        TooFewSamples: If the metric needs more.
    """
    split: Dataset = getattr(data, metric.split)
    requested = metric.n_samples if n_samples is None else n_samples
    n = min(requested, len(split))
    fewest = n if metric.n_fake is None else min(n, metric.n_fake)
    if metric.n_samples > 0 and (need := metric.shortage(fewest)):
        found = (
            f"n_fake={fewest}" if fewest < n else f"n_samples={n}" if n == requested else f"the {metric.split} split holds {n}"
        )
        raise TooFewSamples(f"{metric.name} {need}, but {found}.")
    return n
