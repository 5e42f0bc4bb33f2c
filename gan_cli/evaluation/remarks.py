"""Remarks of metrics on their own numbers, for instance that a scoring network has not converged."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from gan_cli.evaluation.results import Result


def remarks(results: Sequence[Result]) -> list[str]:
    """Return the remarks of metrics on their own numbers, for instance that a scoring network has not converged.

    Remarks are stored under ``remarks`` in the details, at any depth. A remark that not all results have names its result.
    """
    each = [list(_remarks_within(result.details)) for result in results]
    shared = [remark for remark in dict.fromkeys(chain(*each)) if all(remark in found for found in each)]
    return shared + [
        f"{result.source}{'' if result.step is None else f', step {result.step}'}: {remark}"
        for result, found in zip(results, each, strict=True)
        for remark in found
        if remark not in shared
    ]


def _remarks_within(details: Mapping[str, Any]) -> Iterator[str]:
    for key, value in details.items():
        if key == "remarks":
            yield from value
        elif isinstance(value, Mapping):
            yield from _remarks_within(value)
