"""Shell completion: the scripts that shells load, and the candidates they ask for. Standard library and YAML only."""

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import distributions
from itertools import pairwise
from pathlib import Path

from gan_cli.cli import help, options
from gan_cli.cli.help import Command
from gan_cli.config import suggestions
from gan_cli.config.scalars import Scalar, scalars
from gan_cli.config.schema import TrainConfig
from gan_cli.errors import UserError

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
complete -o default -o nospace -F _gan_cli gan-train gan-eval gan-sample gan-export gan-report gan-runs""",
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
compdef _gan_cli gan-train gan-eval gan-sample gan-export gan-report gan-runs""",
    "fish": r"""for command in gan-train gan-eval gan-sample gan-export gan-report gan-runs
    complete -c $command -a "($command --complete (commandline -cp | string collect) 2>/dev/null)"
end""",
}


CONFIGS = ("all", "hydra", "job")
"""Values of ``--cfg``."""
HYDRA_KEYS = ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir", "hydra.launcher.n_jobs", "hydra.mode")
"""The keys of Hydra's own that users need."""


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
    config_dir = _config_dir(before)
    groups = help.groups(command, config_dir)
    if before and (values := _values_of_flag(before[-1], groups)) is not None:
        return sorted(value for value in values if value.startswith(word))
    if word.startswith("-"):
        return sorted(flag for flag in help.flags(command) if flag.startswith(word))
    training = command.schema is TrainConfig
    known = scalars(command.schema)
    sign = re.match(r"[+~]*", word)[0]  # type: ignore[index]  # it always matches
    key, assigned, value = word.removeprefix(sign).partition("=")
    if assigned:
        every = {**groups, **(_of_hydra() if training and key.startswith("hydra/") else {})}
        found = every.get(key) or (_values(known[key]) if key in known else ())
        head = value[: max(value.rfind("["), value.rfind(",")) + 1]
        answers = [f"{key}={head}{option}" for option in found]
    else:
        hydra = [*_of_hydra(), *HYDRA_KEYS] if training and key.startswith("h") else []
        answers = [f"{name}=" for name in (*groups, *known, *hydra, *_keys(key, _chosen(before, groups), groups, config_dir))]
    return sorted({f"{sign}{answer}" for answer in answers if f"{sign}{answer}".startswith(word)})


def _values(scalar: Scalar) -> tuple[str, ...]:
    return scalar.choices or scalar.suggested or (("false", "true") if scalar.kind is bool else ())


def _values_of_flag(flag: str, groups: Iterable[str]) -> Sequence[str] | None:
    """Return the values that a flag takes, or None for a word that takes none."""
    if flag in ("-h", "--help", "--list"):
        return [*groups]
    return {"-c": CONFIGS, "--cfg": CONFIGS, "--completion": [*SCRIPTS]}.get(flag)


def _of_hydra() -> Mapping[str, Sequence[str]]:
    """Return Hydra's groups of launchers and sweepers with the options that are installed."""
    installed = {distribution.name for distribution in distributions()}
    found: dict[str, list[str]] = {"hydra/launcher": ["basic"], "hydra/sweeper": ["basic", "gan", "optuna"]}
    for option, package in suggestions.PLUGINS.items():
        group, _, name = option.partition("=")
        if package in installed:
            found[group].append(name)
    return found


def _config_dir(words: list[str]) -> str | None:
    for flag, value in pairwise([*words, ""]):
        if flag in ("-cd", "--config-dir"):
            return value if Path(value).is_dir() else None
        if flag.startswith("--config-dir="):
            return flag.partition("=")[2]
    return None


def _chosen(words: Sequence[str], groups: suggestions.Groups) -> dict[str, list[str]]:
    """Return the options that are typed, by group; those that a command takes by default are not among them."""
    typed = (word.lstrip("+").partition("=") for word in words)
    return {group: re.findall(r"[^\[\],]+", value) for group, _, value in typed if group in groups}


def _keys(word: str, chosen: Mapping[str, Sequence[str]], groups: suggestions.Groups, config_dir: str | None) -> list[str]:
    """Return the dotted keys of the options that are chosen and of those that they bring along.

    If ``word`` names a group of which none is chosen, they are the keys of all of its options.
    """
    group = next((group for group in sorted(groups, reverse=True) if word.startswith(f"{group.replace('/', '.')}.")), None)
    wanted = [(group, name) for group, names in chosen.items() for name in names]
    found: dict[tuple[str, str], list[str]] = {}
    while wanted:
        one = wanted.pop()
        if one not in found and one[1] in groups.get(one[0], ()):
            option = _read(*one, config_dir)
            found[one] = [key.name for key in option.keys] if option else []
            brought = (choice.partition("=") for choice in option.brings) if option else ()
            wanted += [(name.partition("@")[0], choice) for name, _, choice in brought if name not in chosen]
    if group and not any(of == group or of.startswith(f"{group}/") for of, _ in found):
        for of in (of for of in groups if of == group or of.startswith(f"{group}/")):
            for name in groups[of]:
                option = _read(of, name, config_dir)
                found[of, name] = [key.name for key in option.keys] if option else []
    return [key for keys in found.values() for key in keys]


def _read(group: str, name: str, config_dir: str | None) -> options.Option | None:
    """Return an option; None if its file cannot be read."""
    try:
        return options.read(group, name, config_dir)
    except UserError:
        return None
