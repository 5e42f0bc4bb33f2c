"""Write docs/options/: a page for each config group and one for the keys, from conf/, the schemas and the docstrings.

python docs/options.py
"""

import inspect
import json
import re
import textwrap
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hydra.utils import get_object

from gan_cli.config.schema import MISSING, EvalConfig, ReportConfig, SampleConfig, TrainConfig, scalars

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
COMMANDS = {"gan-train": TrainConfig, "gan-eval": EvalConfig, "gan-sample": SampleConfig, "gan-report": ReportConfig}
NOTE = "<!-- Written by docs/options.py (make options): edit conf/ or the docstrings instead. -->\n"
INDEX = """\
# Options

A run is composed of one option of each group and of keys: `gan-train loss=wgan_gp dataset=ring train.steps=5000`. An option is
the yaml file `conf/GROUP/OPTION.yaml`. `gan-train --help` lists groups and keys, and `gan-train ... --cfg job` prints the whole
config that would run.

What an option brings along gives way to the command line, and keys given there win over everything:
`gan-train loss=wgan_gp regularizer=none train.n_critic=1` has no penalty and one critic step.

The keys of the commands themselves, such as `seed` and `train.steps`, have [a page](keys.md) of their own.

"""
SECTION = r"^(?:Args|Attributes):\n(.*?)(?=^\S|\Z)"
GROUPS = {
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
    "metric": "Measures of samples.",
    "features": "Spaces in which metrics of images are taken.",
    "diagnostics": "Measures of the players themselves, during training and in `gan-eval`.",
    "logger": "Places where the numbers of a run are shown, beside `metrics.jsonl`. Several: `logger=[tensorboard,csv]`.",
    "experiment": "Presets of several groups at once: figures of papers, published recipes, and the same systems at CPU scale.",
}


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


def main(folder: Path) -> None:
    """Write all pages into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, "utf-8")


def pages() -> dict[str, str]:
    """Return the text of each page by its file's name."""
    return {
        "index.md": index_page(),
        "keys.md": keys_page(),
        **{page_name(group): group_page(group) for group in GROUPS},
    }


def page_name(group: str) -> str:
    """Return the name of a group's page."""
    return f"{group.replace('/', '-')}.md"


def index_page() -> str:
    """Return the page that lists all groups."""
    rows = [row(f"[`{group}`]({page_name(group)})", count(group), about) for group, about in GROUPS.items()]
    return f"{INDEX}{NOTE}\n{table(('group', 'options', 'what they configure'), rows)}"


def count(group: str) -> str:
    """Return the number of options of a group."""
    return str(len(list((CONF / group).glob("*.yaml"))))


def keys_page() -> str:
    """Return the page of the commands' own keys."""
    parts = ["# Keys of the commands\n", NOTE]
    for command, schema in COMMANDS.items():
        rows = []
        for name, scalar in scalars(schema).items():
            choices = f": {', '.join(f'`{choice}`' for choice in scalar.choices)}" if scalar.choices else ""
            rows.append(row(f"`{name}`", shown(scalar.default), f"{scalar.help}{choices}"))
        parts.append(f"## {command}\n\n" + table(("key", "default", "meaning"), rows))
    return "\n".join(parts)


def group_page(group: str) -> str:
    """Return the page of a group: a table of its options, then the keys of each."""
    options = [read(group, path.stem) for path in sorted((CONF / group).glob("*.yaml"))]
    detailed = [option for option in options if group != "experiment" and (option.keys or option.brings)]
    rows = [
        row(f"[`{option.name}`](#{option.name})" if option in detailed else f"`{option.name}`", option.description)
        for option in options
    ]
    parts = [f"# {group}\n", f"{GROUPS[group]}\n", NOTE, table(("option", "description"), rows)]
    return "\n".join([*parts, *(section(option) for option in detailed)])


def section(option: Option) -> str:
    """Return the section of one option: what it brings along, and its keys."""
    lines = [f"## {option.name}", "", option.description, ""]
    if option.target:
        lines += [f"Configures `{option.target}`.", ""]
    if option.brings:
        lines += [f"Brings {', '.join(f'`{choice}`' for choice in option.brings)}.", ""]
    if option.keys:
        rows = [row(f"`{key.name}`", shown(key.default), key.comment) for key in option.keys]
        lines.append(table(("key", "default", "meaning"), rows))
    return "\n".join(lines)


def table(head: tuple[str, ...], rows: list[str]) -> str:
    """Return a Markdown table."""
    return "\n".join([row(*head), "|---" * len(head) + "|", *rows, ""])


def row(*cells: str) -> str:
    """Return one line of a Markdown table."""
    return "| " + " | ".join(re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in cells) + " |"


def shown(value: Any) -> str:
    """Return a default value as the command line takes it."""
    if value == MISSING:
        return "must be given"
    return f"`{value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)}`"


@cache
def read(group: str, name: str) -> Option:
    """Return an option; one that extends another option of its group has the other's keys too."""
    text = (CONF / group / f"{name}.yaml").read_text("utf-8")
    content = yaml.safe_load(text) or {}
    own, brings, inherited = group.split("/"), [], []
    for default in content.pop("defaults", []):
        if isinstance(default, str):
            inherited += [read(group, part) for part in (default.split("@")[0],) if part != "_self_"]
        else:
            ((key, choice),) = default.items()
            brings.append(f"{key.removeprefix('override ').lstrip('/')}={choice}")
    prefix = [] if "@package _global_" in text else own
    comments = {".".join([*prefix, *path]): comment for path, comment in commented(text).items()}
    leaves = {key: value for key, value in flatten(content, prefix).items() if not key.startswith("hydra.")}
    target = next((leaves[key] for key in leaves if key == ".".join([*own, "_target_"])), None) or next(
        (value for key, value in leaves.items() if key.endswith("._target_")), None
    )
    keys = {key.name: key for option in inherited for key in option.keys}
    for key, value in leaves.items():
        if not key.rpartition(".")[2].startswith("_"):
            described = comments.get(key) or (keys[key].comment if key in keys else argument(target, key.rpartition(".")[2]))
            keys[key] = Key(key, value, described)
    target = target or next((option.target for option in inherited if option.target), None)
    brings = [*(choice for option in inherited for choice in option.brings), *brings]
    description = leading_comment(text) or first_sentence(target) or next(option.description for option in inherited)
    return Option(name, description, target, brings, list(keys.values()))


def flatten(node: dict[str, Any], prefix: list[str]) -> dict[str, Any]:
    """Return dotted key -> value for all leaves; an empty mapping is a leaf."""
    leaves: dict[str, Any] = {}
    for key, value in node.items():
        path = [*prefix, str(key)]
        leaves |= flatten(value, path) if isinstance(value, dict) and value else {".".join(path): value}
    return leaves


def leading_comment(text: str) -> str:
    """Return the comment at the top of a yaml file, in one line."""
    lines = text.removeprefix("# @package _global_\n").splitlines()
    first = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return " ".join(line.lstrip("# ") for line in lines[:first])


def commented(text: str) -> dict[tuple[str, ...], str]:
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


def first_sentence(target: str | None) -> str:
    """Return the first line of the docstring of what a dotted path names."""
    return (inspect.getdoc(get_object(target)) or "").partition("\n\n")[0].replace("\n", " ") if target else ""


def argument(target: str | None, name: str) -> str:
    """Return what the docstring of a target says about one of its arguments under ``Args:`` or ``Attributes:``."""
    if target is None or not target.startswith("gan_cli."):
        return ""
    found = get_object(target)
    for owner in inspect.getmro(found) if inspect.isclass(found) else (found,):
        for part in re.findall(SECTION, inspect.getdoc(owner) or "", re.DOTALL | re.MULTILINE):
            entries = re.split(r"^(\w+)(?: \([^)]*\))?: ", textwrap.dedent(part), flags=re.MULTILINE)
            words = dict(zip(entries[1::2], entries[2::2], strict=True))
            if name in words:
                return re.sub(r"\s+", " ", words[name]).strip().rstrip(".").replace("``", "`")
    return ""


if __name__ == "__main__":
    main(ROOT / "docs" / "options")
