"""Sweeps in tests."""

import json
from pathlib import Path
from typing import Any


def jobs_of(folder: Path) -> list[dict[str, Any]]:
    """Return the jobs that the ``sweep.json`` of a sweep's folder lists."""
    jobs: list[dict[str, Any]] = json.loads((folder / "sweep.json").read_text())["jobs"]
    return jobs
