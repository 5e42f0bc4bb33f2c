"""The tables of options: complete, and equal to what docs/options.py writes."""

import importlib.util
import re

import pytest
from support import configs
from support.markdown import DOCS


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("options_tables", DOCS / "options.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_committed_tables_are_the_generated_ones(script):
    committed = {path.name: path.read_text("utf-8") for path in (DOCS / "options").glob("*.md")}
    generated = script.pages()
    assert committed.keys() == generated.keys()
    stale = [name for name, text in generated.items() if committed[name] != text]
    assert not stale, f"{', '.join(stale)} of docs/options/ are not up to date: run `make options`."


@pytest.mark.slow
def test_every_option_is_described(script):
    assert set(script.GROUPS) == set(configs.groups())
    for group, option in configs.all_options():
        read = script.read(group, option)
        assert len(read.description) > 5, f"{group}={option} has no description"
        assert f"`{option}`" in script.group_page(group)


@pytest.mark.parametrize("option", [("loss", "wgan_gp"), ("model", "dcgan_tiny"), ("optimizer", "adam_wgan_gp")], ids="=".join)
def test_the_keys_are_those_of_the_composed_config(script, option):
    """Options that extend others show the values that win."""
    composed = configs.compose("=".join(option))
    for key in script.read(*option).keys:
        node = composed
        *path, last = key.name.split(".")
        for name in path:
            node = node[name]
        value = node._get_node(last)._value()
        assert value == key.default or str(value) == str(key.default), key.name
    assert script.read("optimizer", "adam_wgan_gp").keys


def test_every_page_is_in_the_navigation():
    listed = set(re.findall(r'"([\w/-]+\.md)"', (DOCS.parent / "zensical.toml").read_text("utf-8")))
    assert listed == {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
