"""The tables of options: complete, and equal to what docs/options.py writes."""

import re

import pytest
from support import configs
from support.markdown import DOCS, script


@pytest.fixture(scope="module")
def options():
    return script("options")


@pytest.mark.slow
def test_the_committed_tables_are_the_generated_ones(options):
    committed = {path.name: path.read_text("utf-8") for path in (DOCS / "options").glob("*.md")}
    generated = options.pages()
    assert committed.keys() == generated.keys()
    stale = [name for name, text in generated.items() if committed[name] != text]
    assert not stale, f"{', '.join(stale)} of docs/options/ are not up to date: run `make options`."


@pytest.mark.slow
def test_every_option_is_described(options):
    assert set(options.GROUPS) == set(configs.groups())
    pages = {group: options.group_page(group) for group in configs.groups()}
    for group, option in configs.all_options():
        read = options.read(group, option)
        assert len(read.description) > 5, f"{group}={option} has no description"
        assert f"`{option}`" in pages[group]


@pytest.mark.parametrize("option", [("loss", "wgan_gp"), ("model", "dcgan_tiny"), ("optimizer", "adam_wgan_gp")], ids="=".join)
def test_the_keys_are_those_of_the_composed_config(options, option):
    """Options that extend others show the values that win."""
    composed = configs.compose("=".join(option))
    for key in options.read(*option).keys:
        node = composed
        *path, last = key.name.split(".")
        for name in path:
            node = node[name]
        value = node._get_node(last)._value()
        assert value == key.default or str(value) == str(key.default), key.name
    assert options.read("optimizer", "adam_wgan_gp").keys


def test_every_page_is_in_the_navigation():
    listed = set(re.findall(r'"([\w/-]+\.md)"', (DOCS.parent / "zensical.toml").read_text("utf-8")))
    assert listed == {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
