"""Sweeps in tests."""

import json
from pathlib import Path
from typing import Any

WORKER = """
import importlib.util, sys

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return importlib.util.spec_from_file_location(name, {path!r}) if name == "gan_cli.training.command" else None

sys.meta_path.insert(0, Finder)
"""
"""A ``sitecustomize.py`` by which worker processes take the training of the file ``path``."""


def jobs_of(folder: Path) -> list[dict[str, Any]]:
    """Return the jobs that the ``sweep.json`` of a sweep's folder lists."""
    jobs: list[dict[str, Any]] = json.loads((folder / "sweep.json").read_text())["jobs"]
    return jobs
