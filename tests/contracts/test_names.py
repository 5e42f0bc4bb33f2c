"""An option is found by its name: it is the name of its module, or the first line of the module's docstring lists it."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import configs

GROUPS = [group for group in configs.groups() if group not in ("experiment", "model")]
"""Groups whose options are components; experiments and models combine options of other groups."""


def modules_of(group: str, option: str) -> list[str]:
    """Return the modules that make the node of an option, as its file or the option of the group that it extends says."""
    content: dict[str, Any] = yaml.safe_load(configs.option_text(group, option)) or {}
    node = content.get(group, content)
    nodes = [node, *(child for child in node.values() if isinstance(child, dict))]  # a regularizer has a key of its own
    modules = [one["_target_"].rpartition(".")[0] for one in nodes if "_target_" in one]
    extended = [str(entry) for entry in content.get("defaults", []) if isinstance(entry, str) and entry != "_self_"]
    return modules[:1] if "_target_" in node else modules + [name for other in extended for name in modules_of(group, other)]


def first_line(module: str) -> str:
    path = Path(configs.CONF.parent, *module.split(".")).with_suffix(".py")
    return str(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))).partition("\n")[0]


def lists(line: str, option: str) -> bool:
    """Return True if a word of the line is the option, or is it without its size (``resnet_sngan`` of ``resnet_sngan_64``)."""
    return bool({option, re.sub(r"_(small|tiny|\d+)$", "", option)} & set(re.findall(r"\w+", line)))


@pytest.mark.parametrize("group", GROUPS)
def test_an_option_is_found_by_its_name(group):
    lost = []
    for option in configs.options(group):
        modules = [module for module in modules_of(group, option) if module.startswith("gan_cli.")]
        listed = (module.rpartition(".")[2] == option or lists(first_line(module), option) for module in modules)
        if modules and not any(listed):
            lost.append(f"{group}={option}: the first line of {modules[0]} must list {option}")
    assert not lost


def test_every_kind_of_file_is_read():
    assert modules_of("loss", "sngan") == ["gan_cli.losses.hinge"]
    assert modules_of("regularizer", "r1") == ["gan_cli.regularizers.r1"]
    assert modules_of("regularizer", "r1_r2") == ["gan_cli.regularizers.r1"] * 2
    assert modules_of("model/generator", "dcgan_small") == ["gan_cli.models.dcgan"]
    assert modules_of("dataset", "ring") == ["gan_cli.data.points.toy"]
    assert modules_of("optimizer", "adam") == ["torch.optim"]
