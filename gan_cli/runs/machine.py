"""Facts about this process: versions, processor, threads and platform."""

import platform
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gan_cli import __version__

TIMEOUT = 2.0
"""Seconds after which git or the operating system is no longer waited for."""


def facts(device: torch.device) -> Mapping[str, Any]:
    """Return everything that a run on ``device`` depends on besides its config and data; unknown facts are None."""
    commit, clean = _checkout(Path(__file__).resolve().parents[2])
    return {
        "gan_cli": __version__,
        "commit": commit,
        "clean": clean,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "device": str(device),
        "processor": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
    }


@cache
def _checkout(root: Path) -> tuple[str | None, bool | None]:
    """Return the commit of the checkout at ``root``, and whether the package in it is unchanged; None if there is none."""
    if not (root / ".git").exists():
        return None, None
    words = ["git", "--no-optional-locks", "-C", str(root), "status", "--porcelain=v2", "--branch", "--", "gan_cli", "conf"]
    lines = _output(words).splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), None)
    return commit, None if commit is None else all(line.startswith("#") for line in lines)


@cache
def _processor() -> str | None:
    """Return the model of the CPU with its widest instruction set, which decides the order of sums."""
    name = platform.processor()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    if platform.system() == "Darwin":
        name = _output(["sysctl", "-n", "machdep.cpu.brand_string"]).strip() or name
    instructions = torch.backends.cpu.get_cpu_capability()
    return f"{name or platform.machine()} ({instructions})"


def _output(words: list[str]) -> str:
    """Return the output of a command, empty if it fails."""
    try:
        done = subprocess.run(words, capture_output=True, timeout=TIMEOUT, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace")
