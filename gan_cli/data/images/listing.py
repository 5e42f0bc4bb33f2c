"""Files below a folder: those that are read, and counts of those that are passed over."""

import os
import stat
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gan_cli.errors import UserError

Listing = list[tuple[str, int, int]]
"""Files, sorted by path: (path relative to the folder, with slashes; size in bytes; modification time in ns)."""
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""Suffixes of images, those of torchvision's ``ImageFolder``, which takes seconds to import."""
HIDDEN, NO_SUFFIX, SPECIAL, REPEATED = "hidden", "without a suffix", "no regular file", "folder met before"
"""Reasons why a file or folder is passed over, beside the suffixes of files of other kinds."""
OUTPUTS = "outputs of gan-cli"
"""Reason why a folder is passed over that holds a run, a sweep or the runs of a working folder."""

MARKS = (("config.yaml", "environment.json"), (".hydra/config.yaml",), ("sweep.json",), ("report.html", "report/summary.json"))
"""Files that lie together in a folder of a run, of a Hydra job, of a sweep, or of a report."""
SUFFIXES = 8
"""Largest number of suffixes that are counted each, the most frequent ones."""
OTHERS = "of other kinds"


class Found(NamedTuple):
    """Files below a folder.

    Attributes:
        files: The files that are read.
        passed_over: Number of files and folders that are not, by the reason: the suffix, or one of the reasons above.
        outputs: Folders with such files that hold outputs of gan-cli, sorted; none of their files is read.
    """

    files: Listing
    passed_over: Mapping[str, int]
    outputs: list[Path]


def listing(folder: Path, suffixes: tuple[str, ...] = ("",)) -> Listing:
    """Return every file below ``folder`` whose lower-case name ends in one of ``suffixes``, except hidden files and folders.

    Pipes and devices are left out. A broken link is listed with size −1, so that it is reported as an unreadable image. Links
    to folders are followed; each folder is entered once.

    Raises:
        UserError: If a folder cannot be read.
    """
    return _search(folder, suffixes, with_outputs=True).files


def search(folder: Path, suffixes: tuple[str, ...]) -> Found:
    """Return the same files as ``listing`` without those in outputs of gan-cli, and what is passed over.

    Raises:
        UserError: If a folder cannot be read, or if ``folder`` itself is a run, a sweep, or a run's folder of pictures.
    """
    place = folder.resolve()
    if is_output(place) or (place.name in ("samples", "report") and is_output(place.parent)):
        raise UserError(
            f"{folder.absolute()} holds outputs of gan-cli, whose pictures show many samples each.\n"
            "Name a folder of single images, as gan-sample RUN mode=single writes it."
        )
    return _search(folder, suffixes, with_outputs=False)


def is_output(folder: Path) -> bool:
    """Return whether ``folder`` holds a run or a sweep, or is named ``outputs`` and has such a folder in it."""
    return _holds_run(folder) or (folder.name == "outputs" and any(map(_holds_run, visible_folders(folder))))


def visible_folders(folder: Path) -> list[Path]:
    """Return the direct subfolders that are not hidden; none if ``folder`` cannot be read, which the search refuses."""
    with suppress(OSError), os.scandir(folder) as entries:
        return [Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    return []


def _holds_run(folder: Path) -> bool:
    return any(all((folder / name).is_file() for name in names) for names in MARKS)


def _holds_files(folder: Path, suffixes: tuple[str, ...]) -> bool:
    return any(name.lower().endswith(suffixes) for _, _, names in os.walk(folder) for name in names)


def _search(folder: Path, suffixes: tuple[str, ...], with_outputs: bool) -> Found:
    def refuse(error: OSError) -> None:
        raise UserError(f"Cannot read {error.filename}: {error.strerror}.") from error

    files, passed_over, kinds, outputs, seen = [], Counter[str](), Counter[str](), list[Path](), set()
    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        status = os.stat(parent)
        if (status.st_dev, status.st_ino) in seen:
            passed_over[REPEATED] += 1
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        passed_over[HIDDEN] += sum(name.startswith(".") for name in (*folders, *names))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if not with_outputs and (own := [name for name in folders if is_output(Path(parent, name))]):
            folders[:] = [name for name in folders if name not in own]
            outputs += [place for name in own if _holds_files(place := Path(parent, name), suffixes)]
        for name in names:
            if name.startswith("."):
                continue
            if not name.lower().endswith(suffixes):
                kinds[os.path.splitext(name)[1].lower() or NO_SUFFIX] += 1
                continue
            path = os.path.join(parent, name)
            try:
                status = os.stat(path)
                if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
                    passed_over[SPECIAL] += 1
                    continue
                size, modified = status.st_size, status.st_mtime_ns
            except FileNotFoundError:
                size, modified = -1, 0
            files.append((Path(path).relative_to(folder).as_posix(), size, modified))
    frequent = dict(sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))[:SUFFIXES])
    counts = {**frequent, OTHERS: kinds.total() - sum(frequent.values()), **dict(sorted(passed_over.items()))}
    counts |= {OUTPUTS: len(outputs)}
    reasons = {reason: count for reason, count in counts.items() if count}
    return Found(sorted(files), reasons, sorted(outputs))
