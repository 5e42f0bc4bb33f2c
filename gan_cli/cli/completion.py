"""Shell completion: the scripts that shells load, and the candidates they ask for. Standard library and YAML only."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from gan_cli.cli import help
from gan_cli.cli.help import Command
from gan_cli.config import suggestions
from gan_cli.config.schema import scalars

SCRIPTS = {
    # readline takes the word after the last = for the current one, so what stands before it is cut off the answers
    "bash": r"""_gan_cli() {
    local IFS=$'\n' line="${COMP_LINE:0:COMP_POINT}"
    local word="${line##* }"
    COMPREPLY=($("$1" --complete "$line" 2>/dev/null))
    if [[ "$word" == *=* && "$COMP_WORDBREAKS" == *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%%=*}="}")
    fi
}
complete -o default -o nospace -F _gan_cli gan-train gan-eval gan-sample gan-report""",
    "zsh": r"""_gan_cli() {
    local -a answers
    answers=("${(@f)$("${words[1]}" --complete "${words[1,CURRENT-1]} ${(Q)PREFIX}" 2>/dev/null)}")
    if [[ -n "$answers" ]]; then
        compadd -S '' -- "${answers[@]}"
    else
        compset -P '*='
        _files
    fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _gan_cli gan-train gan-eval gan-sample gan-report""",
    "fish": r"""for command in gan-train gan-eval gan-sample gan-report
    complete -c $command -a "($command --complete (commandline -cp | string collect) 2>/dev/null)"
end""",
}


def script(shell: str) -> str:
    """Return the completion script for ``shell``, one of ``SCRIPTS``."""
    return SCRIPTS[shell]


def candidates(command: Command, line: str) -> list[str]:
    """Return the words that may complete the last word of a command line; none where only a path can.

    Args:
        command: The command that is being typed.
        line: The command line up to the cursor.
    """
    *before, word = line.split(" ")
    if word.startswith("-"):
        return sorted(flag for flag in help.flags(command) if flag.startswith(word))
    groups = help.groups(command, _config_dir(before))
    known = scalars(command.schema)
    sign = re.match(r"[+~]*", word)[0]  # type: ignore[index]  # it always matches
    key, assigned, value = word.removeprefix(sign).partition("=")
    if assigned:
        options = groups.get(key) or (known[key].choices or _values(known[key].kind) if key in known else ())
        head = value[: max(value.rfind("["), value.rfind(",")) + 1]
        answers = [f"{key}={head}{option}" for option in options]
    else:
        inside = _component_keys(key, _config_dir(before)) if key.partition(".")[0] in groups else []
        names = [*groups, *known, *inside]
        answers = [f"{name}=" for name in names]
    return sorted({f"{sign}{answer}" for answer in answers if f"{sign}{answer}".startswith(word)})


def _values(kind: type) -> tuple[str, ...]:
    return ("false", "true") if kind is bool else ()


def _config_dir(words: list[str]) -> str | None:
    for flag, value in pairwise([*words, ""]):
        if flag in ("-cd", "--config-dir"):
            return value if Path(value).is_dir() else None
        if flag.startswith("--config-dir="):
            return flag.partition("=")[2]
    return None


def _component_keys(word: str, config_dir: str | None) -> list[str]:
    """Return the dotted keys of the group that ``word`` starts with, collected from all of its options."""
    group = word.partition(".")[0]
    if "." not in word:
        return []
    from yaml import SafeLoader, YAMLError, load  # only here: most answers do without

    keys: set[str] = set()
    for root in [suggestions.conf_dir(), *([Path(config_dir)] if config_dir else [])]:
        for file in (root / group).rglob("*.yaml"):
            text = file.read_text(encoding="utf-8")
            try:
                content = load(text, SafeLoader)
            except YAMLError:
                continue
            package = "" if "# @package _global_" in text else ".".join(file.parent.relative_to(root).parts) + "."
            keys.update(f"{package}{key}" for key in _leaves(content))
    return sorted(keys)


def _leaves(node: Any, prefix: str = "") -> Iterator[str]:
    for name, value in node.items() if isinstance(node, dict) else ():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        elif name != "defaults" and not name.startswith("_"):
            yield f"{prefix}{name}"
