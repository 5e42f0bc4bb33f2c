"""Every example of docs/extend/ does what its page says: its files are written to a folder and its commands run there."""

import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from support.markdown import DOCS, blocks

from gan_cli.build import build_data
from gan_cli.cli import main
from gan_cli.config.compose import compose, loader
from gan_cli.config.trust import importable
from gan_cli.report.command import REPORT_KEYS

PAGES = sorted((DOCS / "extend").glob("[!i]*.md"))
TINY = {
    "dataset": "dataset=ring",
    "metric": "metric=none",
    "train.steps": "train.steps=2",
    "train.batch_size": "train.batch_size=8",
    "device": "device=cpu",
}
"""Overrides added to a command unless it sets these keys itself."""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty folder to work in; modules imported from it are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def write_files(page: Path, folder: Path) -> None:
    for block in blocks(page):
        if block.title:
            path = folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")


def commands(page: Path) -> list[list[str]]:
    lines = [line for block in blocks(page) if block.language == "console" for line in block.text.splitlines()]
    return [shlex.split(line, comments=True) for line in lines]


def run(words: list[str], folder: Path, monkeypatch) -> dict:
    given = {word.partition("=")[0] for word in words}
    small = [word for key, word in TINY.items() if key not in given]
    if "metric" in given:
        small.append("metric.n_samples=40")
    monkeypatch.setattr(sys, "argv", [*words, *small, f"hydra.run.dir={folder}"])
    assert main.gan_train() == 0
    return json.loads((folder / "result.json").read_text("utf-8"))


def test_there_is_a_page_for_each_kind_of_component():
    named = set(re.findall(r"\]\((\w+\.md)\)", (DOCS / "extend/index.md").read_text("utf-8")))
    assert named == {page.name for page in PAGES}
    for page in PAGES:
        assert commands(page), page
        assert [block for block in blocks(page) if block.title.endswith(".py")], page
        assert [block for block in blocks(page) if block.title.endswith(".yaml")], page


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_an_example_runs(page, project, monkeypatch, capfd):
    write_files(page, project)
    (module,) = project.glob("*.py")
    for number, words in enumerate(commands(page)):
        result = run(words, project / f"run{number}", monkeypatch)
        assert result["status"] == "finished"
        config = (project / f"run{number}/config.yaml").read_text("utf-8")
        assert f"_target_: {module.stem}." in config, f"{' '.join(words)} does not use the example"


def test_the_examples_keep_their_contracts(project, monkeypatch):
    """The tests on the page about all kinds of parts pass on the parts of the other pages."""
    for page in [*PAGES, DOCS / "extend/index.md"]:
        write_files(page, project)
    monkeypatch.syspath_prepend(project)
    names: dict = {}
    exec((project / "test_my_parts.py").read_text("utf-8"), names)
    tests = [name for name in names if name.startswith("test_")]
    assert tests == ["test_my_parts", "test_my_game"]
    for name in tests:
        names[name]()


def test_a_data_set_in_memory_needs_a_function_alone(project):
    page = DOCS / "extend/dataset.md"
    write_files(page, project)
    [function] = [block.text for block in blocks(page) if block.language == "python" and not block.title]
    (project / "my_data.py").write_text(function, "utf-8")
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8), dtype=np.uint8)
    np.savez("scans.npz", images=images, labels=np.arange(40) % 2)
    cfg = compose(loader("conf"), "train", ["dataset=scans", "dataset.path=scans.npz"])
    with importable(project, config_dir="conf"):
        data = build_data(cfg)
    assert (data.shape, data.classes, data.train.class_names) == ((3, 8, 8), 2, ("healthy", "ill"))
    assert (len(data.train), len(data.heldout)) == (36, 4)


def test_the_experiment_composes_and_its_report_can_be_built(project):
    write_files(DOCS / "experiments.md", project)
    cfg = compose(loader(str(project)), "train", ["experiment=two_losses"])
    claims, figures = ([instantiate(node) for node in cfg.report[key]] for key in ("claims", "figures"))
    assert len(claims) == len(figures) == 1
    assert set(cfg.report) <= set(REPORT_KEYS)
