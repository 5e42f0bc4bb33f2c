"""Links between the Markdown files lead somewhere, and the README names nothing that does not exist."""

import re
import tomllib
from pathlib import Path

import pytest
from support import configs
from support.markdown import ROOT, anchors, blocks, pages, without_code, without_modules

from gan_cli.config.scalars import components, scalars
from gan_cli.config.schema import COMMANDS

README = ROOT / "README.md"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page)):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name} links to {target}"
        if anchor and linked.suffix == ".md":
            assert anchor in anchors(linked), f"{page.name} links to {target}"


def test_the_readme_names_files_that_exist():
    for path in re.findall(r"`((?:gan_cli|conf|docs|tests)/[\w./-]*)`", README.read_text("utf-8")):
        assert (ROOT / path).exists(), path


def test_the_readme_names_targets_and_extras_that_exist():
    text = README.read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"\bmake ([a-z-]+)", text):
        assert f"\n{target}:" in makefile, target
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for extra in re.findall(r"\.\[(\w+)\]", text):
        assert extra in extras, extra


@pytest.mark.parametrize(
    "page", [page for page in pages() if page.name != "gallery.md"], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_commands_use_options_that_exist(page):
    """GROUP=OPTION in commands and in the text, for every group; keys of the commands, where a line is one of ours."""
    text = without_modules(page)
    own = {Path(block.title).stem for other in pages() for block in blocks(other) if block.title.endswith(".yaml")}
    for group in configs.groups():
        known = {*configs.options(group), *own}
        for value in re.findall(rf"(?<![\w./@])(?<!-){re.escape(group)}=(\[?[\w,\]]+)", text):
            for option in value.strip("[]").split(","):
                assert option in known or option == "NAME", f"{page.name}: {group}={option}"
    for command, words in re.findall(rf"^({'|'.join(COMMANDS)}) ([^#\n]*)", text, re.MULTILINE):
        schemas = [
            COMMANDS[command],
            *([COMMANDS["gan-train"]] if command == "gan-runs" else []),
        ]  # which filters by keys of runs
        known = {"experiment", *(key for schema in schemas for key in (*scalars(schema), *components(schema)))}
        for key in re.findall(r"(?<![\w.'@/-])([a-z_]+)=", words):
            assert key in known, f"{page.name}: {command} {key}="
