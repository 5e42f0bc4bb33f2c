"""Run folders from somebody else: configs, pickles, links, pipes and references to the environment. Nothing may run."""

import os
import pickle
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from support.runs import state

from gan_cli.runs import checkpoint
from torture.arena import Arena, Try
from torture.children import Answer, call, refusal_problem
from torture.oracle import PLAIN, reference, stopped_run

SECRET = "secret-2b7e151628aed2a6"
TARGETS = Path(__file__).with_name("targets.txt").read_text().split()
"""Targets that a stored config may not name."""
ARGUMENTS = ({}, {"_args_": ["touch canary"]}, {"_args_": [["touch", "canary"]]}, {"_partial_": True}, {"_convert_": "all"})
EVIL = "import pathlib; pathlib.Path('canary').touch()\nclass Loss: ...\n"


def commands(draw: Any) -> list[str]:
    """Return a command about ./run."""
    return draw.choice(
        [
            ["gan-sample", "run", "n=2"],
            ["gan-eval", "run", "device=cpu"],
            ["gan-report", "run"],
            ["gan-train", "resume=run"],
            ["gan-export", "run"],
            ["gan-runs", "run"],
        ]
    )


def guarded(imported: str = "") -> Callable[[], None]:
    """Return what makes a child leave ./canary when it imports this module, starts a process or opens a connection."""
    place, harmless = Path("canary"), imported.partition(".")[0] in {*sys.modules, ""}

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        is_git = event == "subprocess.Popen" and Path(str(arguments[0])).name in ("git", "lscpu", "nvidia-smi")
        acts = event in (
            "os.system",
            "os.exec",
            "os.posix_spawn",
            "subprocess.Popen",
            "socket.connect",
            "webbrowser.open",
            "pty.spawn",
        )
        if event == "import" and not harmless and arguments[0] in _prefixes(imported):
            acts = True
        if acts and not is_git:
            descriptor = os.open(place, os.O_CREAT | os.O_WRONLY)
            os.write(descriptor, f"{event} {arguments}\n".encode())
            os.close(descriptor)

    return lambda: sys.addaudithook(watch)


def _prefixes(target: str) -> set[str]:
    parts = target.split(".")
    return {".".join(parts[:end]) for end in range(1, len(parts))}


def store(run: Path, config: dict[str, Any], attempt: Try) -> bool:
    """Write a config into ``config.yaml``, and into the checkpoints most of the time; return True then.

    The config in a checkpoint takes precedence, except in a resume, which refuses two that differ.
    """
    (run / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    if attempt.random.random() < 0.2:
        return False
    for step in checkpoint.steps_in(run):
        checkpoint.save(run, step, {**state(run, step), "config": config})
    return True


def nothing_ran(answer: Answer, folder: Path, said: str, may_work: bool = False) -> str | None:
    """Return what a payload has done; None if the command has refused it, or has worked without it if it ``may_work``."""
    if canary := list(folder.rglob("canary")):
        return f"{said}: it ran, {canary[0].read_text()[:200]}"
    if SECRET in answer.out + answer.err or any(
        SECRET.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()
    ):
        return f"{said}: a value of the environment appears"
    problem = refusal_problem(answer) or (None if may_work or answer.code == 2 else f"accepted: {answer.shown()}")
    return f"{said}: {problem}" if problem else None


def configs(arena: Arena) -> None:
    """Put a target into a stored config, at a random place, and give its folder to a random command."""
    good = stopped_run(reference(arena.folder, "dataset=ring", PLAIN), arena.folder)

    def play(attempt: Try, target: str) -> str | None:
        run = shutil.copytree(good, attempt.folder / "run")
        for place in (run, run / "checkpoints", attempt.folder):
            for name in ("evil.py", "sitecustomize.py"):
                (place / name).write_text(EVIL)
        config = yaml.safe_load((run / "config.yaml").read_text())
        node = {"_target_": target, **attempt.random.choice(ARGUMENTS)}
        where = attempt.random.choice(PLACES)
        where(config, node)
        trained = store(run, config, attempt)
        words = commands(attempt.random)
        answer = call(words, attempt.folder, guarded(target))
        return nothing_ran(answer, attempt.folder, f"{target} by {' '.join(words)}", not trained or words[0] == "gan-report")

    arena.over(TARGETS * max(1, int(arena.scale)), play)


PLACES: tuple[Callable[[dict[str, Any], dict[str, Any]], None], ...] = (
    lambda config, node: config["loss"].update(node),
    lambda config, node: config["dataset"].update(node),
    lambda config, node: config["model"]["generator"].update(node),
    lambda config, node: config["optimizer"].update({"deep": {"deeper": [1, [node]]}}),
    lambda config, node: config["game"].update({"noise": node}),
    lambda config, node: config.update({"report": {"claims": [node]}}),
    lambda config, node: config.update({"metric": [node]}),
    lambda config, node: config["solver"].update(node),
)


class _Payload:
    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.reduced = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced


PAYLOADS = {
    "os.system": _Payload(os.system, "touch canary"),
    "exec": _Payload(exec, "open('canary', 'w')"),
    "eval": _Payload(eval, "open('canary', 'w')"),
    "open": _Payload(open, "canary", "w"),
    "Path.touch": _Payload(Path.touch, Path("canary")),
    "os.mkdir": _Payload(os.mkdir, "canary"),
    "getattr": _Payload(getattr, _Payload(__import__, "os"), "system"),
}


def pickles(arena: Arena) -> None:
    """Replace a checkpoint by a pickle that acts when it is loaded: bare, in a zip, beside real tensors, in a cache."""
    good = stopped_run(reference(arena.folder, "dataset=ring", PLAIN), arena.folder)

    def play(attempt: Try, case: tuple[str, str]) -> str | None:
        name, form = case
        run = shutil.copytree(good, attempt.folder / "run")
        for step in checkpoint.steps_in(run):
            path = checkpoint.path_of(run, step)
            content = pickle.dumps({"format": checkpoint.FORMAT, "step": step, "game": PAYLOADS[name]}, protocol=2)
            if form == "bare":
                path.write_bytes(content)
            elif form == "zip":
                with zipfile.ZipFile(path, "w") as archive:
                    archive.writestr("archive/data.pkl", content)
                    archive.writestr("archive/version", "3\n")
            else:
                with zipfile.ZipFile(path) as real, zipfile.ZipFile(f"{path}.new", "w") as archive:
                    for entry in real.infolist():
                        archive.writestr(entry.filename, content if entry.filename.endswith("data.pkl") else real.read(entry))
                os.replace(f"{path}.new", path)
        words = commands(attempt.random)
        return nothing_ran(
            call(words, attempt.folder, guarded()), attempt.folder, f"{name}, {form}, by {words[0]}", words[0] == "gan-report"
        )

    arena.over([(name, form) for name in PAYLOADS for form in ("bare", "zip", "real")] * max(1, int(arena.scale)), play)


def links(arena: Arena) -> None:
    """Replace each file of a run by a link to a file of the user's, or by a pipe: the victim stays as it is."""
    good = stopped_run(reference(arena.folder, "dataset=ring", PLAIN), arena.folder)
    names = [str(path.relative_to(good)) for path in good.rglob("*") if path.is_file()]
    names += ["result.json", "eval.json", ".eval.json.lock", "train.log", ".lock", "report.html", "sweep.json", "samples/x.png"]

    def play(attempt: Try, case: tuple[str, str]) -> str | None:
        name, kind = case
        run, victim = shutil.copytree(good, attempt.folder / "run"), attempt.folder / "victim"
        victim.write_text("precious\n")
        (run / name).unlink(missing_ok=True)
        (run / name).parent.mkdir(exist_ok=True)
        if kind == "link":
            (run / name).symlink_to(victim)
        else:
            os.mkfifo(run / name)
        words = commands(attempt.random)
        answer = call(words, attempt.folder, timeout=60)
        if victim.read_text() != "precious\n":
            return f"{kind} {name}, {' '.join(words)}: the victim was changed"
        problem = refusal_problem(answer)
        return f"{kind} {name}: {problem}" if problem else None

    arena.over([(name, kind) for name in dict.fromkeys(names) for kind in ("link", "pipe")], play)


REFERENCES = (
    "${oc.env:TORTURE}",
    "${oc.decode:${oc.env:TORTURE}}",
    "x ${oc.env:TORTURE} y",
    "${oc.env:NONE,${oc.env:TORTURE}}",
)


def environment(arena: Arena) -> None:
    """Refer to the environment in a stored config: its value appears nowhere."""
    good = stopped_run(reference(arena.folder, "dataset=ring", PLAIN), arena.folder)

    def play(attempt: Try, case: tuple[str, Callable[[dict[str, Any], str], None]]) -> str | None:
        reference_, put = case
        run = shutil.copytree(good, attempt.folder / "run")
        config = yaml.safe_load((run / "config.yaml").read_text())
        put(config, reference_)
        trained = store(run, config, attempt)
        words = commands(attempt.random)
        answer = call(words, attempt.folder, environment={"TORTURE": SECRET})
        return nothing_ran(answer, attempt.folder, f"{reference_} by {words[0]}", not trained or words[0] == "gan-report")

    arena.over([(text, put) for text in REFERENCES for put in KEYS], play)


KEYS: tuple[Callable[[dict[str, Any], str], None], ...] = (
    lambda config, text: config.update({"report": {"title": text}}),
    lambda config, text: config["dataset"].update({"name": text}),
    lambda config, text: config["loss"].update({"_target_": text}),
    lambda config, text: config.update({"device": text}),
    lambda config, text: config["train"].update({text: 1}),
    lambda config, text: config["train"].update({"steps": text}),
)
