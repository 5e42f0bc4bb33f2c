"""Names of runs on the command line: paths, ``latest``, and parts of names below ``outputs/``. Standard library only."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from gan_cli.errors import UserError

OUTPUTS = Path("outputs")
"""The folder below which runs are looked for by name."""
LATEST = "latest"
"""Names the run that was begun or resumed last."""
SHOWN = 5
"""Number of candidates that the message about an ambiguous name lists."""


def find_run(name: str, sweeps: bool = False) -> str:
    """Return the folder that ``name`` means, relative to the working folder.

    Args:
        name: A path, which is returned as it is; ``latest``; or a part of the name of one folder below ``outputs/``.
        sweeps: True if a folder of several runs is meant as well as a single run. A name is then looked for among the folders
            directly below ``outputs/`` first.

    Returns:
        The folder, or ``name`` itself if no folder below ``outputs/`` has it in its name.

    Raises:
        UserError: If there is no run at all, or several folders have this part in their names.
    """
    if name in ("", "null") or os.path.exists(os.path.expanduser(name)):
        return name
    begun = dict(_runs(OUTPUTS))
    if sweeps:
        inside, begun = begun, {}
        for folder, time in inside.items():
            top = OUTPUTS / folder.relative_to(OUTPUTS).parts[0]
            begun[top] = max(time, begun.get(top, 0))
    else:
        inside = {}
    if name == LATEST:
        if not begun:
            raise UserError(f"latest: there is no run below {OUTPUTS}/ yet. Name its folder, or start one with gan-train.")
        return str(max(begun, key=lambda folder: (begun[folder], folder)))
    return _by_part(name, begun) or _by_part(name, inside) or name


def _by_part(name: str, begun: dict[Path, float]) -> str | None:
    """Return the folder with ``name`` in its path below ``outputs/``, or whose own name it is; None if there is none."""
    found = [folder for folder in begun if name in str(folder.relative_to(OUTPUTS))]
    found = [folder for folder in found if folder.name == name] or found
    if len(found) > 1:
        newest = sorted(found, key=lambda folder: (begun[folder], folder), reverse=True)
        listed = ", ".join(str(folder.relative_to(OUTPUTS)) for folder in newest[:SHOWN])
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise UserError(f"'{name}' is in the names of {len(found)} folders below {OUTPUTS}/: type more of one.\n{listed}{more}")
    return str(found[0]) if found else None


def of_checkpoint(path: str) -> tuple[str, str] | None:
    """Return the run and the step of the checkpoint in the file ``path``; None if it is no file in the folder of a run."""
    file = Path(path).expanduser()
    step = re.fullmatch(r"step_(\d+)\.pt", file.name)
    folder = file.absolute().parent
    if step and folder.name == "checkpoints" and _holds_run(folder.parent) and file.is_file():
        return os.path.relpath(folder.parent) if not Path(path).is_absolute() else str(folder.parent), str(int(step[1]))
    return None


def _runs(folder: Path) -> Iterator[tuple[Path, float]]:
    """Yield the runs below ``folder`` and the times at which they were begun or resumed."""
    for place, folders, files in os.walk(folder):
        if "config.yaml" in files and Path(place) != folder:
            yield Path(place), (Path(place) / "config.yaml").stat().st_mtime
            folders.clear()
        folders[:] = [name for name in folders if not name.startswith(".")]


def _holds_run(folder: Path) -> bool:
    return (folder / "config.yaml").is_file()
