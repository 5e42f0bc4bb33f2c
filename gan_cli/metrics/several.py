"""several: any metrics of the same samples, chosen as ``metric=[wasserstein,modes]``."""

from collections.abc import Callable, Mapping

from gan_cli.errors import FieldError
from gan_cli.metrics.base import Metric, NoMetric
from gan_cli.metrics.combined import MetricCollection
from gan_cli.metrics.features.base import Features


def combine(
    features: Features,
    parts: Mapping[str, Callable[..., Metric]],
    n_samples: int | None = None,
    split: str | None = None,
    n_fake: int | None = None,
) -> Metric:
    """Return the metrics ``parts`` as one; the first of them holds the primary number.

    Args:
        features: The feature space of all parts.
        parts: Makes each metric from its features, by the name of its option; empty for no metric.
        n_samples: Number of real samples of all parts. None: the smallest of theirs.
        split: Part of the data that the real samples come from. None: that of the first metric.
        n_fake: Number of generated samples. None: as many as real ones.

    Raises:
        UserError: If one of them measures nothing.
    """
    if not parts:
        return NoMetric(features)
    alone = {name: make(features=features) for name, make in parts.items()}
    if empty := [name for name, metric in alone.items() if not metric.n_samples]:
        raise FieldError("parts", [*parts], f"{empty[0]} measures nothing.")
    count = min(metric.n_samples for metric in alone.values()) if n_samples is None else n_samples
    place = next(iter(alone.values())).split if split is None else split
    members = tuple(make(features=features, n_samples=count, split=place) for make in parts.values())
    return MetricCollection(features, count, place, members, n_fake=n_fake)
