"""The text of ``--help``, generated from the schemas and the config folder. Standard library only."""

import json
import textwrap
from typing import Any, NamedTuple

from gan_cli.config import suggestions
from gan_cli.config.schema import MISSING, Scalar, TrainConfig, components, scalars


class Command(NamedTuple):
    """One of the four commands: its name, its key in ``HEAD`` and ``NOTES``, and the schema of its scalars."""

    name: str
    function: str
    schema: type
    takes_sweeps: bool = False
    """True if it takes a folder of several runs, too."""


HEAD = {
    "train": """\
usage: gan-train [GROUP=OPTION ...] [KEY=VALUE ...] [-m]
Trains a generative adversarial network and leaves everything it made under outputs/.

  gan-train                                             the default: bundled images, no network needed
  gan-train loss=wgan_gp dataset=ring train.steps=5000  other components, another length
  gan-train regularizer=[gradient_penalty,spectral_norm]
  gan-train resume=RUN_DIR train.steps=10000            continues a run in its folder, with its own config
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
    "report": """\
usage: gan-report RUN_OR_SWEEP [KEY=VALUE ...]
Writes report.html, one page that needs nothing beside it: claims, curves, samples, numbers, and how to run it again.

  gan-report outputs/2026-01-31_12-00-00_ring_wgan  a run
  gan-report SWEEP_DIR median=11                    a sweep, its methods over seeds
  gan-report SWEEP_DIR report.title="On the ring"   another title, source, figures or claims than the runs declare
  gan-report outputs/experiments                    a page for each, and their index""",
}

FLAGS = {
    "-m, --multirun": "every combination of the values that commas separate",
    "--dry-run": "build the run and show its data without training; of a sweep, the first job",
    "-c, --cfg job|hydra|all": "print the config instead of running it (-p KEY: a part, --resolve: without ${...})",
}
COMMON_FLAGS = {
    "-cd, --config-dir DIR": "a folder with options of your own, as in DIR/loss/mine.yaml, with modules beside it",
    "--completion bash|zsh|fish": "print completion of all commands for a shell",
    "--version": "print the version",
    "-h, --help": "print this",
}

NOTES = {
    "train": """\
Components have keys too, shown by --cfg job: optimizer.discriminator.lr=1e-4. A new one is added with +KEY=VALUE.
A folder for the results: hydra.run.dir=DIR. Paths need no quotes for = , [ ] or letters of any language; under -m a comma
separates paths, unless the path stands in quotes of its own: dataset.root="'a,b'".""",
    "evaluate": "",
    "sample": "",
    "report": "",
}

COMPLETION = """\
Completion: add to ~/.bashrc  eval "$(gan-train --completion bash)"
            add to ~/.zshrc   eval "$(gan-train --completion zsh)"
            fish              gan-train --completion fish > ~/.config/fish/conf.d/gan-cli.fish"""


def groups(command: Command, config_dir: str | None = None) -> suggestions.Groups:
    """Return the groups that a command accepts: all of them for training, otherwise those in its schema."""
    found = suggestions.groups(config_dir)
    return found if command.schema is TrainConfig else {name: found[name] for name in components(command.schema)}


def flags(command: Command) -> list[str]:
    """Return the flags of a command in their long form."""
    named = [*(FLAGS if command.schema is TrainConfig else {}), *COMMON_FLAGS]
    return [word.rstrip(",") for name in named for word in name.split() if word.startswith("--")]


def text(command: Command, config_dir: str | None = None) -> str:
    """Return the help text of a command, including the user's own groups in ``config_dir``."""
    training = command.function == "train"
    parts = [HEAD[command.function]]
    if offered := groups(command, config_dir):
        parts.append("Groups\n" + _table({name: ", ".join(options) for name, options in offered.items()}))
    keys = {f"{key}={_shown(scalar.default)}": _described(scalar) for key, scalar in scalars(command.schema).items()}
    parts.append("Keys\n" + _table(keys))
    parts.append("Flags\n" + _table({**(FLAGS if training else {}), **COMMON_FLAGS}))
    return "\n\n".join(part for part in [*parts, NOTES[command.function], COMPLETION] if part)


def _shown(default: Any) -> str:
    return "..." if default == MISSING else default if isinstance(default, str) else json.dumps(default)


def _described(scalar: Scalar) -> str:
    return f"{scalar.help}{': ' + ', '.join(scalar.choices) if scalar.choices else ''}"


def _table(rows: dict[str, str], width: int = 120) -> str:
    left = max(map(len, rows)) + 2
    return "\n".join(
        textwrap.fill(right, width, initial_indent=f"  {name:<{left}}", subsequent_indent=" " * (left + 2))
        for name, right in rows.items()
    )
