"""The sources of the user's own modules that a config names, with those that they import. Nothing is imported."""

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import resolve_name
from pathlib import Path

from omegaconf import DictConfig

from gan_cli.config import trust
from gan_cli.config.identity import to_plain
from gan_cli.config.names import RUN_ONLY
from gan_cli.own_code import is_own


@dataclass(frozen=True)
class Source:
    """The source of a module.

    Attributes:
        file: Its file.
        content: The bytes of the file.
    """

    file: Path
    content: bytes

    @property
    def sha256(self) -> str:
        """The SHA-256 hash of the content."""
        return hashlib.sha256(self.content).hexdigest()

    def path_of(self, name: str) -> Path:
        """Return the relative path at which an import of the module ``name`` looks for this source."""
        path = Path(*name.split("."))
        return path / self.file.name if self.file.name == "__init__.py" else path.with_suffix(".py")


def of_config(cfg: DictConfig) -> dict[str, Source]:
    """Return the user's own modules that the parts of a config come from, by name."""
    plain = {key: node for key, node in to_plain(cfg).items() if key not in RUN_ONLY}
    return of_targets(target for _, target in trust.targets(plain))


def of_targets(targets: Iterable[str]) -> dict[str, Source]:
    """Return the user's own modules that define ``targets``, dotted paths, and those that they import, by name."""
    found: dict[str, Source] = {}
    pending = list(targets)
    while pending:
        for module in trust.find(pending.pop()):  # a package runs before the modules in it
            if module.name not in found and is_own(module.file):
                found[module.name] = source = Source(Path(module.file), Path(module.file).read_bytes())
                pending += _imports(source, module.name)
    return dict(sorted(found.items()))


def fingerprint(sources: Mapping[str, Source]) -> str:
    """Return the SHA-256 hash of all names and sources."""
    lines = (f"{name} {source.sha256}\n" for name, source in sources.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _imports(source: Source, name: str) -> Iterator[str]:
    """Yield the dotted paths that the source of the module ``name`` imports, wherever in the source."""
    try:
        tree = ast.parse(source.content)
    except (SyntaxError, ValueError):
        return
    package = name if source.file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            try:
                base = resolve_name("." * node.level + (node.module or ""), package)
            except ImportError:  # more dots than packages
                continue
            yield from (f"{base}.{alias.name}" for alias in node.names)
