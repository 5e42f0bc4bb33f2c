"""The tag ``metric/primary`` of a declared report, which stands for the primary metric of the runs, whatever its name."""

import re
from collections.abc import Iterable
from typing import Any


def primary_metric(tags: Iterable[str]) -> str | None:
    """Return the name of the primary metric, given all logged tags in order, or None if no metric was logged.

    The primary number of a metric is always the first one that it logs.
    """
    return next((tag.removeprefix("metric/") for tag in tags if tag.startswith("metric/")), None)


def resolve_primary(node: Any, name: str) -> Any:
    """Return ``node`` with every ``metric/primary`` or ``untranslated/primary`` in it as the tag of the metric ``name``."""
    if isinstance(node, dict):
        return {key: resolve_primary(value, name) for key, value in node.items()}
    if isinstance(node, list):
        return [resolve_primary(value, name) for value in node]
    return re.sub(r"^(metric|untranslated)/primary$", rf"\1/{name}", node) if isinstance(node, str) else node
