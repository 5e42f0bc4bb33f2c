"""The record of a run's environment: the machine and the user's own modules at each start and resume."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from gan_cli import files
from gan_cli.config import sources
from gan_cli.config.sources import Source, fingerprint
from gan_cli.errors import UserError

FILE = "environment.json"
CODE = "code"
"""Folder of the sources of the user's own modules, below the run's folder."""
DECISIVE = ("gan_cli", "commit", "torch", "numpy", "device", "processor", "threads", "batches", "networks")
"""Facts that a run depends on to the bit."""


@dataclass(frozen=True)
class Entry:
    """One start or resume of a run.

    Attributes:
        step: Number of rounds that had been played.
        time: Date and time in UTC.
        facts: Versions, processor and so on, see ``machine.facts``.
        modules: The user's own modules by name, each with its ``file`` and ``sha256``.
        code: Folder of copies of these modules, relative to the run's folder; empty without modules.
    """

    step: int
    time: str
    facts: Mapping[str, Any]
    modules: Mapping[str, Mapping[str, str]]
    code: str


def read(folder: Path) -> list[Entry]:
    """Return the entries of the run in ``folder``, oldest first; empty if there are none or they cannot be read."""
    try:
        return [_entry(content) for content in files.read_json(folder / FILE)]
    except (OSError, UserError, ValueError, TypeError, KeyError, AttributeError):
        return []


def record(folder: Path, step: int, facts: Mapping[str, Any], own: Mapping[str, Source]) -> None:
    """Add an entry to the record of the run in ``folder``, and store the sources of the user's own modules.

    Entries of later steps are dropped, as the run repeats these steps.
    """
    code = f"{CODE}/{fingerprint(own)[:12]}" if own else ""
    for name, source in own.items():
        path = folder / code / source.path_of(name)
        if not path.is_file():
            files.write_bytes(path, source.content)
    modules = {name: {"file": str(source.file.resolve()), "sha256": source.sha256} for name, source in own.items()}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entries = [entry for entry in read(folder) if entry.step <= step] if (folder / "config.yaml").is_file() else []
    content = [asdict(entry) for entry in (*entries, Entry(step, now, facts, modules, code))]
    files.write_bytes(folder / FILE, (json.dumps(content, indent=2) + "\n").encode())


def at(folder: Path, step: int) -> Mapping[str, Any]:
    """Return the facts of the process that wrote the checkpoint of ``step``; empty if they were not recorded."""
    entries = read(folder)
    began = [entry.facts for entry in entries if entry.step < step] or [entry.facts for entry in entries[:1]]
    return began[-1] if began else {}


def changed_modules(folder: Path, cfg: DictConfig) -> list[str]:
    """Return the user's own modules, each with its file, whose source is not the one that the run in ``folder`` used last.

    Empty if the run has no record or nothing to lose, as it has no checkpoint, or if ``cfg.code`` is ``ignore``.
    """
    entries = read(folder)
    if cfg.code == "ignore" or not entries or not any((folder / "checkpoints").glob("step_*.pt")):
        return []
    before = {name: one["sha256"] for name, one in entries[-1].modules.items()}
    return [f"{name} ({source.file})" for name, source in sources.of_config(cfg).items() if source.sha256 != before.get(name)]


def refuse_changed_code(folder: Path, cfg: DictConfig) -> None:
    """Refuse to continue the run in ``folder`` with changed modules of the user's own unless ``cfg.code`` allows it.

    Raises:
        UserError: If a module has changed.
    """
    if cfg.code == "same" and (changed := changed_modules(folder, cfg)):
        raise UserError(
            f"changed since {folder} began: {', '.join(changed)}. Its own copies are in {folder / read(folder)[-1].code}.\n"
            "Add code=new to continue with the changed code, or restore the code that the run began with."
        )


def put_aside(folder: Path, place: Path) -> None:
    """Move the run in ``folder`` into the folder ``place``, under a name that is free there."""
    place.mkdir(exist_ok=True)
    free, number = place / folder.name, 1
    while free.exists():
        number += 1
        free = place / f"{folder.name}_{number}"
    folder.rename(free)


def differences(folder: Path, now: Mapping[str, Any]) -> list[str]:
    """Return the decisive facts that have changed since the run in ``folder`` began, as ``threads 1 instead of 2``."""
    began = next((entry.facts for entry in read(folder)), {})
    pairs = [(key.replace("_", "-"), began[key], now.get(key)) for key in DECISIVE if key in began]
    return [f"{name} {_text(new)} instead of {_text(old)}" for name, old, new in pairs if old != new]


def software(facts: Mapping[str, Any]) -> str:
    """Return the versions in ``facts`` in one line."""
    state = ", changed" if facts.get("clean") is False else ""
    commit = f" (commit {str(facts['commit'])[:12]}{state})" if facts.get("commit") else ""
    names = {"gan_cli": f"gan-cli {facts.get('gan_cli')}{commit}"}
    names |= {key: f"{name} {facts.get(key)}" for key, name in (("torch", "torch"), ("numpy", "numpy"), ("python", "Python"))}
    return ", ".join(text for key, text in names.items() if facts.get(key))


def hardware(facts: Mapping[str, Any]) -> str:
    """Return device, processor, threads, precision, memory format, platform, division and compilation in one line."""
    threads = f"{facts['threads']} CPU thread{'s' if facts['threads'] != 1 else ''}" if facts.get("threads") else ""
    batches = f"batches in {facts['batches']}" if facts.get("batches") not in (None, "whole") else ""
    layout = str(facts.get("memory_format") or "").replace("_", "-")
    networks = "compiled networks" if facts.get("networks") == "compiled" else ""
    known = {**facts, "threads": threads, "memory_format": layout, "batches": batches, "networks": networks}
    names = ("device", "processor", "threads", "precision", "memory_format", "platform", "batches", "networks")
    return ", ".join(str(known[name]) for name in names if known.get(name))


def in_words(facts: Mapping[str, Any]) -> str:
    """Return ``facts`` in one line."""
    return "; ".join(filter(None, (software(facts), hardware(facts))))


def _entry(content: Mapping[str, Any]) -> Entry:
    """Return the entry that a file holds.

    Raises:
        KeyError, TypeError, ValueError or AttributeError: If the content is anything else.
    """
    facts = {str(key): fact for key, fact in content["facts"].items() if isinstance(fact, str | int | None)}
    modules = {str(name): {key: str(one[key]) for key in ("file", "sha256")} for name, one in content["modules"].items()}
    return Entry(int(content["step"]), str(content["time"]), facts, modules, str(content["code"]))


def _text(fact: Any) -> str:
    return "unknown" if fact is None else str(fact)
