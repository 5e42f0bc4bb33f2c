"""Names of folders, with nothing in them that a shell or Hydra's grammar would read. Standard library only."""

import hashlib
import re
from collections.abc import Sequence


def folder_name(text: str, longest: int = 100) -> str:
    """``text`` as the name of a folder; a hash is added where it had to be changed, so that different texts stay apart."""
    safe = re.sub(r"[^A-Za-z0-9_.+-]+", "-", text).strip(".-+") or "defaults"
    if safe == text and len(safe) <= longest:
        return safe
    return f"{safe[:longest]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def method_name(game: str, loss: str) -> str:
    """The loss of a plain GAN; of other games their name, with the loss behind it where that is not the default."""
    return folder_name(loss if game == "gan" else game if loss == "non_saturating" else f"{game}_{loss}")


def job_folder(overrides: Sequence[str]) -> str:
    """The folder of a sweep's job: its overrides, sorted, as ``loss-hinge+seed-1``.

    ``debug`` is no part of it, so that a second look at a failed job finds its folder.
    """
    words = sorted(word for word in overrides if not word.lstrip("+").startswith("debug="))
    pairs = [word.partition("=") for word in words]
    return folder_name("+".join(f"{key.replace('/', '.')}-{value}" for key, _, value in pairs)) if pairs else "defaults"
