"""Write docs/options/: a page for each config group and one for the keys, from conf/, the schemas and the docstrings.

python docs/options.py
"""

import json
import re
from pathlib import Path
from typing import Any

from gan_cli.cli.options import GROUPS, Option, read
from gan_cli.config.scalars import MISSING, scalars
from gan_cli.config.schema import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
NOTE = "<!-- Written by docs/options.py (make options): edit conf/ or the docstrings instead. -->\n"
INDEX = """\
# Options

A run is composed of one option of each group and of keys: `gan-train loss=wgan_gp dataset=ring train.steps=5000`. An option is
the yaml file `conf/GROUP/OPTION.yaml`. `gan-train --help` lists groups and keys, `--list loss` describes each option
of a group in a line, and `--help loss=wgan_gp` lists the keys of one. `gan-train ... --cfg job` prints the whole config that
would run.

What an option brings along gives way to the command line, and keys given there win over everything:
`gan-train loss=wgan_gp regularizer=none train.n_critic=1` has no penalty and one critic step.

The keys of the commands themselves, such as `seed` and `train.steps`, have [a page](keys.md) of their own.

"""


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


if __name__ == "__main__":
    main(ROOT / "docs" / "options")
