"""The record of a run's data, ``data.json`` in its folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_cli import files
from gan_cli.config.form import FormError
from gan_cli.data.record import DataRecord
from gan_cli.errors import UserError

FILE = "data.json"


def write(folder: Path, record: DataRecord) -> None:
    """Write the record into the folder of a run."""
    files.write_json(folder / FILE, record.to_dict())


def read(folder: Path) -> DataRecord | None:
    """Return the record in the folder of a run, or None if there is none or it cannot be read."""
    try:
        return DataRecord.from_dict(files.read_json(folder / FILE))
    except (OSError, UserError, FormError, RecursionError):
        return None


def keep(folder: Path, record: DataRecord) -> str | None:
    """Write the record unless the folder of the run holds one, and return a warning if that one is damaged."""
    if read(folder) is not None:
        return None
    is_damaged = (folder / FILE).is_file()
    write(folder, record)
    return f"warning: {folder / FILE} was damaged, and is written again from the data as they are now" if is_damaged else None


def preprocessing(folder: Path, dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``size`` and ``fit`` of the images of a run, as far as they are known.

    Args:
        folder: Folder of the run.
        dataset: The ``dataset`` node of its config, which is asked where there is no record.
    """
    found = read(folder)
    known = dataset if found is None else found.preprocessing
    return {key: known[key] for key in ("size", "fit") if key in known}
