"""Layers of the package: each file imports only from files below it."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gan_cli"
FLOORS = """
    errors types lazy activity
    files checks own_code
    contracts
    config
    randomness device precision
    parallel
    losses regularizers
    augmentations drawing loggers
    models
    data
    metrics
    optim
    games
    solvers
    schedules
    diagnostics testing
    runs
    build
    automatic
    inference
    evaluation
    export
    training
    report
    cli
    api
"""
"""From the ground up; a file imports from floors below its own, and from its own folder. A folder stands for its files."""
HEIGHT = {name: height for height, floor in enumerate(FLOORS.split("\n")) for name in floor.split()}
FLAT = {
    "activity",
    "api",
    "automatic",
    "build",
    "checks",
    "contracts",
    "device",
    "errors",
    "files",
    "lazy",
    "own_code",
    "precision",
    "randomness",
    "testing",
    "types",
}
"""The modules that lie in no folder."""
AT_ONCE = [
    "cli/main",
    "config/scalars",
    "config/schema",
    "config/suggestions",
    "config/literature",
    "config/locations",
    "config/names",
]
AT_ONCE += ["activity", "errors", "files", "lazy", "own_code", "parallel/launched", "runs/streams"]
"""Standard library alone, whatever they import of ours included: help and typos must not wait for anything."""
WITHOUT_TORCH = [
    "api",
    "cli/app",
    "cli/job",
    "cli/reports",
    "cli/sweeper",
    "config/compose",
    "config/identity",
    "runs/console",
    "runs/folder",
]
"""Hydra at most, until the work starts."""
HYDRA = {"hydra", "hydra_plugins", "omegaconf", "rich", "yaml"}
ENTRANCES = (PACKAGE / "__init__.py", PACKAGE / "__main__.py")
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path not in ENTRANCES)


def imported(path: Path, at_import: bool = False) -> set[str]:
    """The modules that a file imports, dotted; ``at_import``: only those that importing the file imports."""
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    found: set[str] = set()
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute here"
            # `from gan_cli.runs import checkpoint` names a module, `from gan_cli.types import Batch` is in one
            found |= {f"{node.module}.{alias.name}" for alias in node.names if alias.name != "__version__"}
        if at_import and (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _for_types_alone(node)):
            continue
        pending += ast.iter_child_nodes(node)
    return found


def _for_types_alone(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def place(path: Path) -> str:
    """The name under which a file, or the folder that it lies in, stands in ``FLOORS``."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def ours(modules: set[str]) -> set[str]:
    """Of dotted names, those of this package, as they stand in ``FLOORS``."""
    return {module.split(".")[1] for module in modules if module.startswith("gan_cli.")}


def module(name: str) -> str | None:
    """The file that the dotted ``name`` is or is in, without its suffix; None for names of other packages."""
    parts = name.split(".")[1:] if name.startswith("gan_cli.") else []
    while parts and not (PACKAGE.joinpath(*parts).with_suffix(".py")).is_file():
        parts.pop()
    return "/".join(parts) or None


def test_every_module_has_its_floor():
    places = {place(path) for path in FILES}
    assert places - set(HEIGHT) == set(), "new: give it a floor"
    assert len(HEIGHT) == len(FLOORS.split()), "no name twice"


def test_few_modules_lie_flat():
    assert {path.stem for path in PACKAGE.glob("[!_]*.py")} == FLAT


def test_private_parts_of_hydra_are_touched_in_one_file():
    private = {path.relative_to(PACKAGE).as_posix() for path in FILES if "hydra._internal" in path.read_text(encoding="utf-8")}
    assert private == {"config/hydra_internals.py"}


def test_the_document_names_every_floor():
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    missing = [name for name in HEIGHT if f"{name}.py" not in text and f"{name}/" not in text]
    assert not missing


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_file_imports_only_from_floors_below_it(path):
    own = place(path)
    wrong = {name for name in ours(imported(path)) if name != own and HEIGHT[name] >= HEIGHT[own]}
    assert not wrong, f"{own} stands no higher than {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("name", [*AT_ONCE, *WITHOUT_TORCH])
def test_the_command_line_answers_without_torch(name):
    reached, pending, foreign = set(), {name}, set()
    while pending:
        file = pending.pop()
        reached.add(file)
        modules = imported(PACKAGE / f"{file}.py", at_import=True)
        pending |= {found for each in modules if (found := module(each))} - reached
        foreign |= {each.partition(".")[0] for each in modules} - {"gan_cli"} - sys.stdlib_module_names
    assert foreign <= (set() if name in AT_ONCE else HYDRA)


def test_packages_import_nothing_at_once():
    """``import gan_cli.losses`` imports no loss and no torch: names are imported when they are first used."""
    for path in PACKAGE.rglob("__init__.py"):
        assert imported(path, at_import=True) <= {
            "typing.TYPE_CHECKING",
            "gan_cli.lazy.lazy_exports",
            "gan_cli.lazy.make_callable",
        }, path


def test_imports_are_found_wherever_they_stand(tmp_path):
    file = tmp_path / "file.py"
    file.write_text(
        "import a, b.c\nfrom gan_cli import d as e\nfrom gan_cli.f.g import h\nif TYPE_CHECKING:\n    import i\n"
        "try:\n    import j\nexcept ImportError:\n    pass\nclass K:\n    import l\n    def m(self):\n        import n\n"
    )
    now = {"a", "b.c", "gan_cli.d", "gan_cli.f.g.h", "j", "l"}
    assert imported(file, at_import=True) == now
    assert imported(file) == now | {"i", "n"}


def test_methods_of_base_classes_are_abstract():
    """A class that lacks one of them is refused when it is built, not when the method is called."""
    assert [path.name for path in FILES if "raise NotImplementedError" in path.read_text(encoding="utf-8")] == []
