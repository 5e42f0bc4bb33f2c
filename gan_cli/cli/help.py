"""The texts of ``--help`` and ``--list``, generated from the schemas and the config folder. Standard library and YAML only."""

import json
import re
import textwrap
from collections.abc import Mapping
from shutil import get_terminal_size
from typing import Any, NamedTuple

from gan_cli.cli import options
from gan_cli.config import suggestions
from gan_cli.config.scalars import MISSING, Scalar, components, scalars
from gan_cli.config.schema import COMMANDS, TrainConfig
from gan_cli.errors import UserError


class Command(NamedTuple):
    """One of the commands: its name, and its key in ``HEAD`` and ``NOTES``."""

    name: str
    function: str
    takes_sweeps: bool = False
    """True if it takes a folder of several runs, too."""

    @property
    def schema(self) -> type:
        """The schema of its keys."""
        return COMMANDS[self.name]


HEAD = {
    "train": """\
usage: gan-train [GROUP=OPTION ...] [KEY=VALUE ...] [-m]
Trains a generative adversarial network and leaves everything it made under outputs/.

  gan-train                                             the default: bundled images, no network needed
  gan-train loss=wgan_gp dataset=ring train.steps=5000  other components, another length
  gan-train regularizer=[gradient_penalty,spectral_norm]
  gan-train resume=RUN_DIR train.steps=10000            continues a run in its folder, with its own config
  gan-train from=RUN_DIR@3000 optimizer.lr=1e-4         a new run from another's checkpoint, with parts of its config changed
  gan-train -m loss=wgan_gp,hinge seed=1,2,3            a sweep: every combination, each in its own folder
  gan-train -m seed=1,2,3 hydra/launcher=joblib         side by side, the CPU threads divided among the jobs
  gan-train -m seed=1,2,3 hydra.sweep.dir=outputs/mine  a sweep that, started again, skips what is finished""",
    "evaluate": """\
usage: gan-eval RUN_DIR [GROUP=OPTION ...] [KEY=VALUE ...]
Measures checkpoints, with their error, their floor and all that decides the numbers; writes eval.json and eval.csv.

  gan-eval RUN_DIR                                last and best checkpoint, by the run's own metric
  gan-eval RUN_DIR metric=all n_samples=5000      every measure that fits the data
  gan-eval RUN_DIR checkpoint=all metric=kid      a curve
  gan-eval RUN_DIR diagnostics=game               the players: gradients, curvature, duality gap
  gan-eval RUN_DIR/checkpoints/step_00001000.pt   one checkpoint
  gan-eval RUN_DIR OTHER_RUN_DIR                  runs side by side, best first
  gan-eval latest                                 the newest run or sweep; a part of a name will do, too, in all commands
  gan-eval SWEEP_DIR                              a table over the runs of a folder, grouped, best first
  gan-eval real=photos fake=samples metric=auto   two folders of images""",
    "sample": """\
usage: gan-sample RUN_DIR [KEY=VALUE ...]
Draws pictures from one of a run's checkpoints; sequences come as a table too, in the data's own units.

  gan-sample outputs/2026-01-31_12-00-00_ring_wgan seed=1
  gan-sample RUN_DIR mode=single n=1000 out=fakes
  gan-sample RUN_DIR source=photos                translates images of your own; inverse=true: the other way""",
    "export": """\
usage: gan-export RUN_DIR [KEY=VALUE ...]
Writes the network that makes a run's samples as a file for other programs, checks it, and describes it in README.md.

  gan-export RUN_DIR                               safetensors, from which gan-train init_from=... begins
  gan-export RUN_DIR format=onnx                   for onnxruntime and others
  gan-export RUN_DIR format=torchscript            for torch.jit.load, without gan-cli
  gan-export RUN_DIR players=generator,discriminator""",
    "report": """\
usage: gan-report RUN_OR_SWEEP [KEY=VALUE ...]
Writes report.html, one page that needs nothing beside it: claims, curves, samples, numbers, and how to run it again.

  gan-report outputs/2026-01-31_12-00-00_ring_wgan  a run
  gan-report SWEEP_DIR median=11                    a sweep, its methods over seeds
  gan-report SWEEP_DIR x=optimizer.lr y=kid         a number over a swept key, with its error over seeds
  gan-report SWEEP_DIR --export paper               tables, figures and archives of the runs behind each claim
  gan-report SWEEP_DIR --check archives/A.zip       compares runs of your own with such an archive
  gan-report SWEEP_DIR report.title="On the ring"   another title, source, figures or claims than the runs declare
  gan-report outputs/experiments                    a page for each, and their index""",
    "runs": """\
usage: gan-runs [diff|delete|requeue] [FOLDER ...] [KEY=VALUE ...]
Lists the runs below a folder: method, data, step, status, metric, age and size. Any option or key filters them.

  gan-runs                                 everything below outputs/
  gan-runs loss=wgan_gp,hinge status=finished sort=metric
  gan-runs diff RUN_A RUN_B                the settings and numbers in which two runs differ
  gan-runs delete                          those that failed without a checkpoint; asks, or needs --yes
  gan-runs delete status=stopped --yes     those of a status; a run in which a process works stays
  gan-runs requeue                         prints the lines that continue what is unfinished; --run runs them""",
}

TRAIN_FLAGS = {
    "-m, --multirun": "every combination of the values that commas separate",
    "--dry-run": "build the run and show its data, sizes, memory and speed without training; of a sweep, the first job",
    "-c, --cfg job|hydra|all": "print the config instead of running it (-p KEY: a part, --resolve: without ${...})",
}
RUNS_FLAGS = {
    "--yes": "delete without a question",
    "--run": "continue the unfinished runs now, one after the other",
}
REPORT_FLAGS = {
    "--export DIR": "write tables (LaTeX, CSV), figures (PDF, SVG, their data) and archives of runs instead of a page",
    "--check ARCHIVE": "compare the run or the sweep with an archive of --export; exit code 1 if something differs",
}
FLAGS: Mapping[str, Mapping[str, str]] = {"train": TRAIN_FLAGS, "report": REPORT_FLAGS, "runs": RUNS_FLAGS}
COMMON_FLAGS = {
    "-cd, --config-dir DIR": "a folder with options of your own, as in DIR/loss/mine.yaml, with modules beside it",
    "--completion bash|zsh|fish": "print completion of all commands for a shell",
    "--version": "print the version",
    "--list GROUP": "list the options of a group, one line each; without GROUP, the groups",
    "-h, --help [GROUP]": "print this, or the options of a group, or with GROUP=OPTION the keys of an option",
}

NOTES = {
    "train": """\
Components have keys too, shown by --cfg job: optimizer.discriminator.lr=1e-4. A new one is added with +KEY=VALUE.
A folder for the results: hydra.run.dir=DIR. Paths need no quotes for = , [ ] or letters of any language; under -m a comma
separates paths, unless the path stands in quotes of its own: dataset.root="'a,b'".""",
    "evaluate": "",
    "sample": "",
    "export": "",
    "report": "",
    "runs": "",
}

COMPLETION = {
    "bash": 'eval "$(gan-train --completion bash)"  # in ~/.bashrc',
    "zsh": 'eval "$(gan-train --completion zsh)"  # in ~/.zshrc',
    "fish": "gan-train --completion fish > ~/.config/fish/conf.d/gan-cli.fish",
}
NARROWEST, WIDEST = 60, 120
"""Limits of the width of a help text, in characters."""
MOST_LINES = 4
"""Largest number of lines for the names of a group's options in ``--help``; ``--list`` has all of them."""


def groups(command: Command, config_dir: str | None = None) -> suggestions.Groups:
    """Return the groups that a command accepts: all of them for training, otherwise those in its schema."""
    found = suggestions.groups(config_dir)
    return found if command.schema is TrainConfig else {name: found[name] for name in components(command.schema)}


def own_flags(command: Command) -> Mapping[str, str]:
    """Return the flags that this command alone has."""
    return FLAGS.get(command.function, {})


def flags(command: Command) -> list[str]:
    """Return the flags of a command in their long form."""
    named = [*own_flags(command), *COMMON_FLAGS]
    return [word.rstrip(",") for name in named for word in name.split() if word.startswith("--")]


def width() -> int:
    """Return the width of a help text: that of the terminal, or 80 without one, within limits, but for the last column."""
    return min(max(get_terminal_size((80, 24)).columns, NARROWEST), WIDEST) - 1


def text(command: Command, config_dir: str | None = None, topic: str | None = None) -> str:
    """Return the help text of a command, including the user's own groups in ``config_dir``.

    Args:
        command: The command.
        config_dir: The user's own folder of options.
        topic: A group, ``GROUP=OPTION``, or a key, to be described instead.

    Raises:
        UserError: If there is no such group or option.
    """
    keys = scalars(command.schema)
    if topic:
        group, _, option = topic.partition("=")
        if group in keys:
            return _table({f"{group}={_shown(keys[group].default)}": _described(keys[group])})
        group = _group(command, group, config_dir)
        if option and option not in (known := groups(command, config_dir)[group]):
            raise suggestions.unknown_option(group, option, known)
        return _of_option(command, group, option, config_dir) if option else _of_group(command, group, config_dir)
    parts = [_examples(HEAD[command.function])]
    if offered := groups(command, config_dir):
        parts.append("Groups\n" + _names(command, offered))
    parts.append("Keys\n" + _table({f"{key}={_shown(scalar.default)}": _described(scalar) for key, scalar in keys.items()}))
    parts.append("Flags\n" + _table({**own_flags(command), **COMMON_FLAGS}))
    notes = "\n".join(textwrap.fill(" ".join(NOTES[command.function].split()), width(), break_on_hyphens=False).splitlines())
    completion = "Completion\n" + "\n".join(f"  {shell:<4}  {line}" for shell, line in COMPLETION.items())
    return "\n\n".join(part for part in [*parts, notes, completion] if part)


def listing(command: Command, name: str, config_dir: str | None = None) -> str:
    """Return the options of the group ``name``, or the groups if it is empty, a line for each.

    Raises:
        UserError: If the command has no such group.
    """
    offered = groups(command, config_dir)
    if not name:
        rows = {group: f"{len(names)} options: {_about(group)}" for group, names in offered.items()}
    else:
        group = _group(command, name, config_dir)
        rows = {option: options.read(group, option, config_dir).description for option in offered[group]}
    left = max(map(len, rows), default=0) + 2
    room = width() - left
    return "\n".join(f"{row:<{left}}{textwrap.shorten(about, room, placeholder='...')}".rstrip() for row, about in rows.items())


def _group(command: Command, name: str, config_dir: str | None) -> str:
    """Return the group that a word means, which may be its plural."""
    offered = groups(command, config_dir)
    for group in offered:
        if name in (group, f"{group}s", f"{group}es"):
            return group
    raise UserError(f"no group named '{name}'.{suggestions.meant(name, offered)}\navailable: {', '.join(offered) or 'none'}")


def _of_group(command: Command, group: str, config_dir: str | None) -> str:
    names = groups(command, config_dir)[group]
    default = _defaults(command).get(group)
    lines = [f"{command.name} {group}=OPTION{f'  (default: {default})' if default else ''}", *_filled(_about(group))]
    rows = {name: options.read(group, name, config_dir).description for name in names}
    example = default if default in names else names[0]
    hint = f"The keys of an option: {command.name} --help {group}={example}"
    return "\n".join([*lines, "", _table(rows), "", *_filled(hint)])


def _of_option(command: Command, group: str, name: str, config_dir: str | None) -> str:
    option = options.read(group, name, config_dir)
    lines = [f"{command.name} {group}={name}", *_filled(option.description)]
    if option.target:
        lines += ["", f"Configures {option.target}"]
    if option.brings:
        lines += ["", *_filled(f"Brings {', '.join(option.brings)}")]
    if option.keys:
        lines += ["", "Keys", _table({f"{key.name}={_shown(key.default)}": key.comment for key in option.keys})]
    return "\n".join(lines)


def _about(group: str) -> str:
    return options.GROUPS.get(group, "Options of your own.").replace("`", "")


def _defaults(command: Command) -> Mapping[str, str]:
    """Return the option of each group that a command takes by default."""
    from yaml import SafeLoader, load  # only here: most answers do without

    file = {"train": "train", "evaluate": "eval"}.get(command.function)
    entries = load((suggestions.conf_dir() / f"{file}.yaml").read_text("utf-8"), SafeLoader)["defaults"] if file else []
    return {group: option for entry in entries if isinstance(entry, dict) for group, option in entry.items() if option}


def _examples(head: str) -> str:
    """Return usage, description and examples; each example, which is indented, with its meaning beside it, or else below."""
    lines = head.splitlines()
    others = [one for line in lines if not line.startswith("  ") for one in _filled(line)]
    examples = [line for line in lines if line.startswith("  ")]
    if max(map(len, examples)) > width():
        parts = [re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in examples]
        examples = [f"{'      ' if position else '  '}{part}" for each in parts for position, part in enumerate(each)]
    return "\n".join([*others, "", *examples])


def _filled(line: str) -> list[str]:
    return textwrap.wrap(line, width(), break_on_hyphens=False, break_long_words=False)


def _names(command: Command, offered: suggestions.Groups) -> str:
    """Return a table of the groups with the names of their options, as many as ``MOST_LINES`` lines hold."""
    room, rows = width() - max(map(len, offered)) - 4, {}
    for group, names in offered.items():
        rows[group] = ", ".join(names)
        if len(textwrap.wrap(rows[group], room)) > MOST_LINES:
            more = f"... ({len(names)} in all: {command.name} --list {group})"
            shorter = (", ".join([*names[:count], more]) for count in range(len(names), -1, -1))
            rows[group] = next(text for text in shorter if len(textwrap.wrap(text, room)) <= MOST_LINES)
    return _table(rows)


def _shown(default: Any) -> str:
    return "..." if default == MISSING else default if isinstance(default, str) else json.dumps(default, ensure_ascii=False)


def _described(scalar: Scalar) -> str:
    return f"{scalar.help}{': ' + ', '.join(scalar.choices) if scalar.choices else ''}"


def _table(rows: Mapping[str, str]) -> str:
    """Return names with texts beside them, below a name that takes more than two fifths of the width."""
    longest = 2 * width() // 5
    left = max((len(name) for name in rows if len(name) <= longest), default=0) + 4
    lines = []
    for name, right in rows.items():
        wrapped = textwrap.wrap(right, width() - left, break_on_hyphens=False) or [""]
        if len(name) > longest and right:
            lines.append(f"  {name}")
            name = ""
        lines += [f"{f'  {name}':<{left}}{wrapped[0]}".rstrip(), *(" " * left + line for line in wrapped[1:])]
    return "\n".join(lines)
