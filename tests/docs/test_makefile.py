"""The first commands of a newcomer: what make says at the end of the demo."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_demo_ends_with_the_lines_to_type_next(tmp_path):
    """A stand-in plays the demo; the lines that follow begin with the activation and name commands that exist."""
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "gan-train").write_text("#!/bin/sh\necho trained\n")
    (venv / "bin" / "gan-train").chmod(0o755)
    (venv / ".ready").touch()
    # Under `make test` this make would be a nested one, and print the directories it enters and leaves.
    command = ["make", "--no-print-directory", "demo", f"VENV={venv}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    after = done.stdout.partition("trained\n\nNext, in this shell:\n")[2].splitlines()
    typed = [line.strip().partition("  ")[0] for line in after]
    assert typed == [
        f"source {venv}/bin/activate",
        "gan-sample latest n=64",
        "gan-eval latest",
        "gan-report latest",
        "gan-train --help",
    ]


def test_the_installation_shows_its_progress():
    """pip downloads gigabytes on some machines, which takes minutes."""
    [line] = [line for line in (ROOT / "Makefile").read_text().splitlines() if "pip install" in line]
    assert "--quiet" not in line
