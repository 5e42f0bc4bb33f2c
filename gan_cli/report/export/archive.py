"""Archives of runs: packing them, and reading one that may come from somebody else. Nothing is unpacked to the disk."""

import hashlib
import json
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from gan_cli import files
from gan_cli.config.form import FormError, require, require_bounded
from gan_cli.errors import UserError, first_line, printable
from gan_cli.report.claims.base import Assessment
from gan_cli.report.export.manifest import FORMAT, Manifest, manifest_of
from gan_cli.report.records.runs import RunRecord
from gan_cli.runs import started
from gan_cli.runs.folder import START

MANIFEST = "manifest.json"
FILES_OF_A_RUN = ("config.yaml", "result.json", "metrics.jsonl", "data.json", "environment.json", "eval.json", "eval.csv")
"""Files of a run that an archive holds, beside the record of its start and its own modules."""
FOLDERS_OF_A_RUN = (START, "code")
LARGEST_MANIFEST = 64 * 2**20
"""Number of bytes beyond which a manifest is refused."""
LARGEST = 64 * 2**30
"""Number of unpacked bytes beyond which an archive is refused."""
MOST = 100_000
"""Number of files beyond which an archive is refused."""
MOST_VALUES = 10_000_000
"""Number of values beyond which a manifest is refused."""
README = """\
This archive holds the runs behind {about}.
manifest.json lists configurations, seeds, numbers, command lines and versions. To compare them with runs of your own:
gan-report YOUR_RUN_OR_SWEEP --check {name}
"""


def pack(
    path: Path,
    title: str,
    assessment: Assessment | None,
    commands: Sequence[str],
    runs: Sequence[RunRecord],
    checkpoints: bool = False,
) -> None:
    """Write an archive of runs, atomically. Equal runs give equal archives.

    Args:
        path: The ZIP file.
        title: Title of the report.
        assessment: The claim that the runs are about, with its verdict; None if there is none.
        commands: Command lines that make the runs again and measure them.
        runs: The runs.
        checkpoints: True to pack their checkpoints, too.
    """
    about = title if assessment is None else f"the claim: {assessment.claim}"
    contents = dict(_members(runs, checkpoints))
    readme = README.format(about=about, name=path.name).encode()
    sums = {"README.txt": hashlib.sha256(readme).hexdigest()}
    with files.atomic_write(path) as unfinished, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_entry("README.txt"), readme)
        for name, file in sorted(contents.items()):
            content = file.read_bytes()
            sums[name] = hashlib.sha256(content).hexdigest()
            archive.writestr(_entry(name), content)
        manifest = manifest_of(title, assessment, commands, runs, sums)
        archive.writestr(_entry(MANIFEST), json.dumps(manifest, indent=1, allow_nan=False).encode())


def _members(runs: Sequence[RunRecord], checkpoints: bool) -> Iterator[tuple[str, Path]]:
    """Yield the name of each file in the archive and the file itself."""
    own: list[Path] = []
    for run in runs:
        found = [run.folder / name for name in FILES_OF_A_RUN]
        folders = [*FOLDERS_OF_A_RUN, *(["checkpoints"] if checkpoints else [])]
        found += [path for folder in folders for path in (run.folder / folder).rglob("*")]
        for path in found:
            if path.is_file():
                yield f"runs/{run.folder.name}/{path.relative_to(run.folder).as_posix()}", path
        if (options := started.trusted_options(run.folder)) is not None and options not in own:
            own.append(options)
    for number, folder in enumerate(own, 1):
        for path in folder.rglob("*.yaml"):
            if path.is_file() and not path.is_symlink():
                yield f"conf{'' if len(own) == 1 else f'_{number}'}/{path.relative_to(folder).as_posix()}", path


def _entry(name: str) -> zipfile.ZipInfo:
    """Return the header of a file without a date."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def read(path: Path) -> tuple[Manifest, list[str]]:
    """Return the manifest of an archive, and its files that are damaged, missing or not listed.

    Raises:
        UserError: If it is no archive of gan-report, or is not made as one.
    """
    with _opened(path) as archive:
        entries = archive.infolist()
        _refuse_unsafe(path, entries)
        manifest = _manifest(path, archive)
        left, problems = LARGEST, []
        for entry in entries:
            if entry.filename == MANIFEST:
                continue
            digest, size = _digest(archive, entry, left)
            left -= size
            if left < 0:
                raise _not_an_archive(path, "it is larger than any archive of runs")
            expected = manifest["files"].get(entry.filename)
            if digest != expected:
                problems.append(f"{entry.filename} {'is damaged' if expected else 'is not listed'}")
        missing = set(manifest["files"]) - {entry.filename for entry in entries}
        return manifest, [*problems, *(f"{name} is missing" for name in sorted(missing))]


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with open(files.regular(path), "rb") as file, zipfile.ZipFile(file) as archive:
            yield archive
    except FileNotFoundError as error:
        raise UserError(f"there is no archive {path}.") from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise _not_an_archive(path, first_line(error)) from error


def _refuse_unsafe(path: Path, entries: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse names that would lead out of a folder, links, names that occur twice, and more files than runs have."""
    if len(entries) > MOST:
        raise _not_an_archive(path, f"it holds more than {MOST} files")
    if len({entry.filename for entry in entries}) < len(entries):
        raise _not_an_archive(path, "a name occurs twice in it")
    for entry in entries:
        name, kind = PurePosixPath(entry.filename), stat.S_IFMT(entry.external_attr >> 16)
        leads_out = name.is_absolute() or ".." in name.parts or "\\" in entry.filename or ":" in entry.filename
        if leads_out or kind not in (0, stat.S_IFREG) or entry.is_dir():
            raise _not_an_archive(path, f"it holds {entry.filename}, which is no regular file inside a folder")


def _manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    try:
        with archive.open(MANIFEST) as file:
            content = file.read(LARGEST_MANIFEST + 1)
        if len(content) > LARGEST_MANIFEST:
            raise _not_an_archive(path, f"{MANIFEST} has more than {LARGEST_MANIFEST} bytes")
        manifest: Any = json.loads(content)
        require_bounded(manifest, MOST_VALUES)
        require(manifest, Manifest)
    except KeyError as error:
        raise _not_an_archive(path, f"there is no {MANIFEST} in it") from error
    except (FormError, ValueError, RecursionError) as error:
        raise _not_an_archive(path, f"{MANIFEST}: {first_line(error)}") from error
    if manifest["format"] != FORMAT:
        raise _not_an_archive(path, f"its form is number {manifest['format']}, and this version reads number {FORMAT}")
    stored: Manifest = manifest
    return stored


def _digest(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> tuple[str, int]:
    """Return the SHA-256 of a file and its size; reading ends beyond ``most`` bytes or at damage, whose sum is empty."""
    digest, size = hashlib.sha256(), 0
    try:
        with archive.open(entry) as file:
            while (chunk := file.read(2**20)) and size <= most:
                digest.update(chunk)
                size += len(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return "", size
    return digest.hexdigest(), size


def _not_an_archive(path: Path, reason: str) -> UserError:
    return UserError(printable(f"{path} is no archive of gan-report: {reason.rstrip('.')}."))
