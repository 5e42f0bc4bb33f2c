"""An index page over the reports of several experiments."""

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict
from urllib.parse import quote

from PIL import Image

from gan_cli import files
from gan_cli.config.form import FormError, require
from gan_cli.errors import UserError
from gan_cli.report import page
from gan_cli.report.claims.assessments import CLAIM_STATES, IDENTITY_STATES, count_states
from gan_cli.report.figures.dark import dark

THUMBNAIL = 520
"""Width of the preview pictures in pixels."""


class StoredClaim(TypedDict):
    """A claim in ``summary.json``."""

    claim: str
    state: Literal["held", "not held", "undecided"]
    reason: str


class StoredIdentity(TypedDict):
    """An identity in ``summary.json``."""

    claim: str
    state: Literal["satisfied", "violated", "not checked"]
    reason: str


class StoredSummary(TypedDict):
    """The content of ``summary.json``."""

    title: Any
    source: Any
    thumbnail: str | None
    claims: list[StoredClaim]
    identities: list[StoredIdentity]


def write_index(folders: Sequence[Path], path: Path) -> Path:
    """Write an index page with the title, claims, verdicts and a preview of every report.

    Folders without a report are listed as such.

    Args:
        folders: Folders of runs or sweeps.
        path: The HTML file to write.

    Returns:
        ``path``.

    Raises:
        UserError: If none of the folders holds a report.
    """
    entries = [_entry(folder, path.parent) for folder in folders]
    if not any(entry["link"] for entry in entries):
        raise UserError(f"no report in {', '.join(map(str, folders)) or 'no folder at all'}: write them with gan-report.")
    content = {
        "entries": entries,
        "counts": count_states([claim["state"] for entry in entries for claim in entry["claims"]], CLAIM_STATES),
        "identity_counts": count_states([one["state"] for entry in entries for one in entry["identities"]], IDENTITY_STATES),
    }
    files.write_bytes(path, page.render_page("index.html", content).encode())
    return path


def _entry(folder: Path, start: Path) -> dict[str, Any]:
    try:
        summary = files.read_json(folder / "report" / "summary.json")
        require(summary, StoredSummary)
    except (OSError, UserError, FormError):
        nothing = dict.fromkeys(("source", "link", "picture", "night"))
        return {"title": folder.name, "claims": [], "identities": [], **nothing}
    picture = folder / "report" / Path(summary["thumbnail"]).name if summary["thumbnail"] else None
    return {
        **summary,
        "link": relative_link(folder / "report.html", start),
        "picture": _thumbnail(picture) if picture else None,
        "night": _thumbnail(picture, dark) if picture else None,
    }


def relative_link(path: Path, start: Path) -> str:
    """Return a link from a page in the folder ``start`` to ``path``; a folder named ``javascript:`` is no scheme in it."""
    return f"./{quote(os.fsencode(os.path.relpath(path, start)))}"


def _thumbnail(path: Path, changed: Callable[[bytes], bytes | None] = bytes) -> bytes | None:
    """Return a small version of a picture, changed first; None if there is none."""
    try:
        if (content := changed(path.read_bytes())) is None:
            return None
        with Image.open(io.BytesIO(content)) as image:
            small = image.convert("RGB").resize((THUMBNAIL, round(THUMBNAIL * image.height / image.width)))
    except Exception:  # a damaged image may raise anything
        return None
    file = io.BytesIO()
    small.save(file, format="PNG", optimize=True)
    return file.getvalue()
