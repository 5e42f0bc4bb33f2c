"""Every yaml of conf/dataset has the arguments of its target, with the target's own defaults."""

import inspect
from dataclasses import fields
from pathlib import Path

import pytest
from hydra.utils import get_method, instantiate
from omegaconf import OmegaConf

from gan_cli.config.compose import compose, loader
from gan_cli.config.locations import LOCATION, WITHIN
from gan_cli.data.images.reading import ImageReader
from gan_cli.errors import UserError

FILES = sorted((Path(__file__).parents[2] / "conf" / "dataset").glob("*.yaml"))
SEVERAL = ("gan_cli.data.translation.paired", "gan_cli.data.translation.unpaired")
"""Modules with functions that are the target of several options."""
TOYS = [file for file in FILES if "gan_cli.data.points.toy." in file.read_text()]


def dataset_node(file):
    """Return the node ``dataset`` of a yaml, with the fields of the options of its group that it extends."""
    config = OmegaConf.load(file)
    extended = [name for name in config.get("defaults", []) if isinstance(name, str) and name != "_self_"]
    return {
        key: value for name in extended for key, value in dataset_node(file.with_stem(name)).items()
    } | OmegaConf.to_container(config.dataset)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_yaml_matches_its_target(file):
    lines = file.read_text().splitlines()
    assert lines[0] == "# @package _global_"
    assert lines[1].startswith("# ")
    node = dataset_node(file)
    target = get_method(node.pop("_target_"))
    assert node.pop(LOCATION, None) in (None, *node), "the key that names a location on the disk is an argument"
    node.pop(WITHIN, None)
    defaults = {}
    for name, parameter in inspect.signature(target).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            defaults |= {field.name: field.default for field in fields(ImageReader)}
        else:
            defaults[name] = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
    assert node.keys() == defaults.keys()
    own_name = target.__name__ == file.stem
    assert own_name or target.__module__ in SEVERAL
    changed = {name for name in node if node[name] != defaults[name]}
    assert changed <= (set() if own_name else {"source", "tint", "sources", "targets", "invert", "direction"})


@pytest.mark.parametrize("file", TOYS, ids=lambda file: file.stem)
def test_toy_yamls_build(file):
    config = OmegaConf.load(file)
    data = instantiate(config.dataset, n=100, n_heldout=50)
    assert (len(data.train), len(data.heldout)) == (100, 50)
    assert data.shape in ((1,), (2,))
    assert {"override /model": "mlp_small"} in config.defaults, "a small model and an exact metric"
    assert {"override /metric": "wasserstein"} in config.defaults


@pytest.mark.parametrize(
    ("option", "key", "value"),
    [
        ("gaussians_1d", "std", [0.1, 0.5, 1]),
        ("gaussians_1d", "means", 3),
        ("lsun", "category", ["bedroom", "kitchen"]),
    ],
)
def test_arguments_that_take_a_list_or_one_value_take_both_on_the_command_line(option, key, value):
    word = f"[{','.join(map(str, value))}]" if isinstance(value, list) else value
    root = ["dataset.root=/"] if option == "lsun" else []
    assert compose(loader(), "train", [f"dataset={option}", *root, f"dataset.{key}={word}"]).dataset[key] == value


@pytest.mark.parametrize("wrong", ["radius=[1,2]", "std=[1,2]"])
def test_others_take_no_list(wrong):
    with pytest.raises(UserError, match="must be one value"):
        compose(loader(), "train", ["dataset=ring", f"dataset.{wrong}"])
