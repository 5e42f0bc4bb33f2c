"""Many reports on one page."""

import io
import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from gan_cli import files
from gan_cli.errors import UserError
from gan_cli.report import page

THUMBNAIL = 520
"""Pixels that a report's picture is wide."""


def write_index(folders: Sequence[Path], path: Path) -> Path:
    """Writes ``path``: of each folder its report's title, its claims and their states, a picture, and the link.

    A folder without a report is named as one that has none yet. Raises UserError where no folder has one.
    """
    entries = [_entry(folder, path.parent) for folder in folders]
    if not any(entry["link"] for entry in entries):
        raise UserError(f"no report in {', '.join(map(str, folders)) or 'no folder at all'}: gan-report writes them.")
    states = Counter(claim["state"] for entry in entries for claim in entry["claims"])
    content = {"entries": entries, "counts": {state: states[state] for state in ("held", "not held", "undecided")}}
    files.write_bytes(path, page.render("index.html", content).encode())
    return path


def _entry(folder: Path, start: Path) -> dict[str, Any]:
    try:
        summary = json.loads((folder / "report" / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {"title": folder.name, "source": None, "claims": [], "link": None, "picture": None}
    picture = folder / "report" / summary["thumbnail"] if summary["thumbnail"] else None
    link = os.path.relpath(folder / "report.html", start)
    return {**summary, "link": Path(link).as_posix(), "picture": _thumbnail(picture) if picture else None}


def _thumbnail(path: Path) -> bytes | None:
    try:
        with Image.open(path) as image:
            small = image.convert("RGB").resize((THUMBNAIL, round(THUMBNAIL * image.height / image.width)))
    except OSError:
        return None
    file = io.BytesIO()
    small.save(file, format="PNG", optimize=True)
    return file.getvalue()
