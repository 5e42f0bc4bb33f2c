"""Names of folders and methods. Standard library only."""

import hashlib
import re
from collections.abc import Mapping, Sequence

from gan_cli.errors import printable

RUN_ONLY = (
    "resume",
    "debug",
    "code",
    "report",
    "logger",
    "device",
    "processes",
    "log_every",
    "eval_every",
    "sample_every",
    "checkpoint_every",
    "keep_checkpoints",
    "keep_best",
    "trust",
)
"""Keys that do not affect the result of a run, such as cadences and the device; they are not part of its identity."""

CONTINUING = ("early_stopping", "train.accumulate", "compile")
"""Keys that a run may change when it continues, although two runs that differ in them are different ones."""

AUTO = "auto"
"""Value of a key that is decided when a run begins."""
AUTOMATIC = ("precision", "memory_format")
"""Keys whose value ``auto`` is replaced before a run begins, see ``gan_cli.automatic``; the second depends on the first."""


def is_run_only(key: str) -> bool:
    """Return True if the dotted ``key`` does not affect the result of a run, such as ``device`` or ``report.title``."""
    return key.partition(".")[0] in RUN_ONLY


def folder_name(text: str, longest: int = 100) -> str:
    """Return ``text`` as a folder name; if it had to be changed, a hash is appended to keep different texts apart."""
    safe = re.sub(r"[^A-Za-z0-9_.+-]+", "-", text).strip(".-+") or "defaults"
    if safe == text and len(safe) <= longest:
        return safe
    return f"{safe[:longest]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def method_name(game: str, loss: str) -> str:
    """Return the loss for a plain GAN; for other games their name, followed by the loss if it is not the default."""
    return folder_name(loss if game == "gan" else game if loss == "non_saturating" else f"{game}_{loss}")


def job_folder(overrides: Sequence[str], swept: Sequence[str] | None = None) -> str:
    """Return the folder of a job in a sweep: its sorted overrides of swept keys, as in ``loss-hinge+seed-1``.

    Keys that do not affect the result are left out, so that a job that is repeated with other ones finds its folder.

    Args:
        overrides: The overrides of the job.
        swept: The keys in which the jobs differ. None or empty: they are not known, and all overrides are named.
    """
    words = {word: word.partition("=")[0].lstrip("+~") for word in overrides}
    decisive = sorted(word for word, key in words.items() if not is_run_only(key) and (not swept or key in swept))
    pairs = [word.partition("=") for word in decisive]
    return folder_name("+".join(f"{key.replace('/', '.')}-{value}" for key, _, value in pairs)) if pairs else "defaults"


def settings_text(settings: Mapping[str, str]) -> str:
    """Return swept keys with their values.

    A key is shortened to the last parts that tell it apart from the others. A ``method`` stands without its key.
    """
    keys = [key.removesuffix("._target_").split(".") for key in settings]
    pairs = []
    for parts, (key, value) in zip(keys, settings.items(), strict=True):
        n = next(n for n in range(1, len(parts) + 1) if n == len(parts) or sum(other[-n:] == parts[-n:] for other in keys) == 1)
        pairs.append(value if key == "method" else f"{'.'.join(parts[-n:])}={value}")
    return printable(", ".join(pairs))
