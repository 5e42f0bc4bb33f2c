"""The shipped yamls: overrides are judged by the types of their defaults, so these have to be the arguments' own."""

import inspect
import typing

import pytest
import yaml
from hydra.utils import get_object

from gan_cli.config.suggestions import conf_dir

FILES = sorted(path.relative_to(conf_dir()).as_posix() for path in conf_dir().glob("*/**/*.yaml"))


def nodes(content):
    if isinstance(content, dict):
        if "_target_" in content:
            yield content
        for value in content.values():
            yield from nodes(value)


@pytest.mark.parametrize("file", FILES)
def test_numbers_are_written_as_what_they_are(file):
    for node in nodes(yaml.safe_load((conf_dir() / file).read_text())):
        target = get_object(node["_target_"])
        hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
        for key, value in node.items():
            if hints.get(key) in (bool, int, float) and not str(value).startswith("${"):
                assert type(value) is hints[key], f"{key}: {value} should be a {hints[key].__name__}"
