"""Command lines of all commands that hypothesis makes up: keys, options, values of wrong types, quotes, missing files."""

import shutil
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from support import configs

from gan_cli.config.scalars import scalars
from gan_cli.config.schema import COMMANDS
from torture.arena import Arena, Try
from torture.children import call, refusal_problem
from torture.oracle import PLAIN, left_behind, reference

PLACES = ("/", "..", "~")
"""Folders with more in them than gan-runs can list in the time of a try."""
TRAINED = [
    "train.steps=1",
    "dataset.n=64",
    "dataset.n_heldout=32",
    "dataset.max_samples=16",
    "metric.n_samples=8",
    "device=cpu",
]
VALUES = st.one_of(
    st.sampled_from(
        ["null", "true", "0", "1", "2", "-1", "0.5", "1e400", "nan", "-inf", "[]", "{}", "[1,2]", "{a:1}", "''", "???"]
    ),
    st.sampled_from(
        ["run", "run/checkpoints", "nowhere", "/", ".", "..", "~", "/dev/null", "run/config.yaml", "file.csv", "\\", '"']
    ),
    st.sampled_from(
        ["${seed}", "${oc.env:HOME}", "${nope}", "${", "$(ls)", "a=b", "a,b", "range(3)", "choice(1,2)", "glob(*)"]
    ),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(str),
    st.text(max_size=12).filter(lambda text: "\0" not in text and text.isprintable()),
)
GROUPS = [group for group in configs.groups() if group != "experiment"]
FLAGS = [
    "--help",
    "-h",
    "--version",
    "-m",
    "--cfg",
    "job",
    "hydra",
    "--resolve",
    "--package",
    "loss",
    "--nope",
    "--complete",
    "--",
    "-c",
]


@st.composite
def words(draw: Any) -> list[str]:
    """Return the words of a command line, most of which are nearly right."""
    command = draw(st.sampled_from([*COMMANDS, "gan-train"]))
    keys = [
        *(key for key in scalars(COMMANDS[command]) if key != "debug"),  # which asks for a traceback
        "hydra.run.dir",
        "hydra.sweep.dir",
        "hydra.job.chdir",
        "game.theta",
        "loss.weight",
        "nope",
    ]
    paths = ["optimizer.lr", "optimizer.generator.lr", "dataset.n", "dataset.root", "model.generator.width", "metric.n_samples"]
    group = st.sampled_from(GROUPS)
    option = group.flatmap(
        lambda name: st.tuples(st.just(name), st.one_of(st.sampled_from(configs.options(name) or ["x"]), VALUES))
    )
    word = st.one_of(
        st.tuples(st.sampled_from(keys + paths), VALUES).map("=".join),
        option.map("=".join),
        st.tuples(st.sampled_from(["+", "~", "++", "@", "-"]), st.sampled_from(keys + paths), VALUES).map(
            lambda t: f"{t[0]}{t[1]}={t[2]}"
        ),
        VALUES,
        st.sampled_from(FLAGS),
    )
    found = draw(st.lists(word, min_size=0, max_size=3))
    if command == "gan-runs":
        action = draw(st.sampled_from([[], ["diff"], ["delete"], ["delete", "--yes"], ["requeue"]]))
        return [command, *action, "run", *(each for each in found if each.rpartition("=")[2] not in PLACES)]
    begin = (
        ["dataset=ring", *TRAINED]
        if command == "gan-train"
        else draw(st.sampled_from([["run"], ["run=run"], ["run", "device=cpu"], []]))
    )
    return [command, *begin, *found]


def made_up(arena: Arena) -> None:
    """Answer command lines: each works, or ends with one or two lines on stderr."""
    good = reference(arena.folder, "dataset=ring", PLAIN).folder
    lines: list[list[str]] = []
    wanted = max(4, int(2000 * arena.scale))

    @seed(arena.seed)
    @settings(
        max_examples=wanted, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(words())
    def collect(line: list[str]) -> None:
        lines.append(line)

    collect()
    codes: dict[int, int] = {}

    def play(attempt: Try) -> str | None:
        line = lines[attempt.number - 1]
        _prepare(attempt.folder, good)
        answer = call(line, attempt.folder, timeout=60)
        codes[answer.code] = codes.get(answer.code, 0) + 1
        problem = refusal_problem(answer) or left_behind(attempt.folder)
        return f"{line}: {problem}" if problem else None

    arena.repeat(play, len(lines))
    arena.add("exit codes " + ", ".join(f"{code}: {count}" for code, count in sorted(codes.items())))
    if arena.number < len(lines):
        arena.add(f"{arena.number} of {len(lines)} lines in the time given")


def _prepare(folder: Path, good: Path) -> None:
    shutil.copytree(good, folder / "run")
    (folder / "file.csv").write_text("a,b\n1,2\n")
