"""The options of the config groups as their yaml files and the docstrings of their targets describe them.

Standard library and YAML only; nothing that a config names is imported.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from gan_cli.config import docstrings, suggestions
from gan_cli.errors import UserError

GROUPS: Mapping[str, str] = {
    "loss": "The functions of the logits that discriminator and generator minimise.",
    "regularizer": "Penalties, constraints and transformations of players. Several: `regularizer=[r1,spectral_norm]`.",
    "augmentation": "Transformations of all samples that the discriminator sees, real and generated.",
    "model": "Pairs of networks. Players can be mixed: `model=mlp model/discriminator=dcgan`.",
    "model/generator": "Generators and translators.",
    "model/discriminator": "Discriminators, critics and encoders.",
    "model/denoiser": "Networks of diffusion models.",
    "dataset": "Data sets of images, points, sequences, and pairs or domains for translation.",
    "game": "Who plays, and with which losses. A game brings the models, data and optimizers that it needs.",
    "game/noise": "Noise schedules of diffusion models.",
    "solver": "The steps of one round: when gradients are taken and how the players move.",
    "optimizer": "Optimizers of all players. Each player can have its own rate: `optimizer.discriminator.lr=4e-4`. "
    "A name other than `generator` and `discriminator` needs a `+`.",
    "learning_rate": "Schedules that multiply the optimizers' rates.",
    "averaging": "How fast the averaged players forget. `ema=null` keeps no average.",
    "metric": "Measures of samples.",
    "features": "Spaces in which metrics of images are taken.",
    "diagnostics": "Measures of the players themselves, during training and in `gan-eval`.",
    "logger": "Places where the numbers of a run are shown, beside `metrics.jsonl`. Several: `logger=[tensorboard,csv]`.",
    "experiment": "Presets of several groups at once: figures of papers, published recipes, and the same systems at CPU scale.",
}
"""The groups that are shipped, in the order of the documentation, each with a description."""


class Key(NamedTuple):
    """A key with its default value and the comment that stands beside it."""

    name: str
    default: Any
    comment: str


class Option(NamedTuple):
    """An option: its name, its description, the target it configures, the options it brings along and its keys."""

    name: str
    description: str
    target: str | None
    brings: list[str]
    keys: list[Key]


def read(group: str, name: str, config_dir: str | None = None) -> Option:
    """Return an option; one that extends another option of its group has the other's keys too.

    Args:
        group: The group, as in ``model/generator``.
        name: The option.
        config_dir: The user's own folder of options, which is searched first.

    Raises:
        UserError: If the file is not YAML.
    """
    roots = [*([Path(config_dir)] if config_dir else []), suggestions.conf_dir()]
    return _read(group, name, tuple(roots))


@cache
def _read(group: str, name: str, roots: tuple[Path, ...]) -> Option:
    from yaml import SafeLoader, YAMLError, load  # only here: most answers do without

    files = [root / group / f"{name}.yaml" for root in roots]
    file = next((file for file in files if file.is_file()), files[-1])
    text = file.read_text("utf-8")
    try:
        content = load(text, SafeLoader) or {}
    except YAMLError as error:
        raise UserError(f"{file} is not YAML: {str(error).splitlines()[0]}.") from None
    content = content if isinstance(content, dict) else {}
    own, brings, inherited = group.split("/"), [], []
    for default in content.pop("defaults", []):
        if isinstance(default, str):
            inherited += [_read(group, part, roots) for part in (default.split("@")[0],) if part != "_self_"]
        else:
            ((key, choice),) = default.items()
            name_of_group = key.removeprefix("override ")
            name_of_group = name_of_group[1:] if name_of_group.startswith("/") else f"{group}/{name_of_group}"
            brings.append(f"{name_of_group}={choice}")
    prefix = [] if "@package _global_" in text else own
    comments = {".".join([*prefix, *path]): comment for path, comment in _commented(text).items()}
    leaves = {key: value for key, value in _flat(content, prefix).items() if not key.startswith("hydra.")}
    target = next((leaves[key] for key in leaves if key == ".".join([*own, "_target_"])), None) or next(
        (value for key, value in leaves.items() if key.endswith("._target_")), None
    )
    keys = {key.name: key for option in inherited for key in option.keys}
    for key, value in leaves.items():
        last = key.rpartition(".")[2]
        if not last.startswith("_"):
            described = comments.get(key) or (keys[key].comment if key in keys else docstrings.argument(target, last))
            keys[key] = Key(key, value, described)
    target = target or next((option.target for option in inherited if option.target), None)
    brings = [*(choice for option in inherited for choice in option.brings), *brings]
    description = _leading_comment(text) or docstrings.first_sentence(target)
    description = description or next((option.description for option in inherited), "")
    return Option(name, description, target, brings, list(keys.values()))


def _flat(node: dict[str, Any], prefix: list[str]) -> dict[str, Any]:
    """Return dotted key -> value for all leaves; an empty mapping is a leaf."""
    leaves: dict[str, Any] = {}
    for key, value in node.items():
        path = [*prefix, str(key)]
        leaves |= _flat(value, path) if isinstance(value, dict) and value else {".".join(path): value}
    return leaves


def _leading_comment(text: str) -> str:
    """Return the comment at the top of a yaml file, in one line."""
    lines = text.removeprefix("# @package _global_\n").splitlines()
    first = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return " ".join(line.lstrip("# ") for line in lines[:first])


def _commented(text: str) -> dict[tuple[str, ...], str]:
    """Return path of a key -> the comment in its line, after those in the lines above it."""
    comments: dict[tuple[str, ...], str] = {}
    path: list[tuple[int, str]] = []
    above: list[str] = []
    for line in text.splitlines():
        match = re.match(r"( *)([\w]+):(?: (.*?))?(?:\s+#\s*(.*))?$", line)
        if match:
            indent, key = len(match[1]), match[2]
            path = [*((i, name) for i, name in path if i < indent), (indent, key)]
            words = "; ".join([*above, *([match[4]] if match[4] else [])])
            if words and indent:  # what stands above a key at the margin describes the file
                comments[tuple(name for _, name in path)] = words
            elif match[4]:
                comments[(key,)] = match[4]
        above = [*above, line.strip("# ")] if re.match(r" +#", line) else []
    return comments
