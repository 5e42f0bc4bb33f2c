"""Files for a paper, archives of runs, and their comparison with other runs."""

import csv
import json
import re
import shutil
import stat
import sys
import zipfile
from contextlib import suppress

import pytest
from omegaconf import OmegaConf
from rich.console import Console

from gan_cli.cli import main
from gan_cli.errors import UserError
from gan_cli.evaluation.results import read, write
from gan_cli.report.claims.runs import Reaches as All
from gan_cli.report.export import archive
from gan_cli.report.export.check import check
from gan_cli.report.export.command import export_command
from gan_cli.report.export.latex import escaped, latex
from gan_cli.report.figures.tables import Table
from gan_cli.report.records.runs import run_records
from gan_cli.runs import started

CLAIM = "gan_cli.report.claims.runs.Reaches"
REPORT = {
    "title": "Two losses",
    "claims": [
        {"_target_": CLAIM, "says": "Hinge ends low.", "tag": "metric/w1", "below": 5.0, "where": {"loss": "hinge"}},
        {"_target_": CLAIM, "says": "All end low.", "tag": "metric/w1", "below": 5.0},
    ],
}


def settings(folder, **changed):
    defaults = {"median": None, "stages": 3, "methods": 12, "quiz": 0, "seed": 0, "x": None, "y": []}
    return OmegaConf.create({"run": str(folder), **defaults, "root": None, "checkpoints": False, "debug": False, **changed})


@pytest.fixture(autouse=True)
def without_composing(monkeypatch):
    """Take the recorded words for the command lines that make the runs again, as composing their configs takes seconds."""
    monkeypatch.setattr(started, "again", lambda folder, config, words: ["gan-train", *words])
    monkeypatch.setattr(started, "sweep_again", lambda *_: ["gan-train", "-m"])


@pytest.fixture
def sweep(run):
    """A function: ``sweep("s")`` makes two losses over two seeds, evaluated; ``shift`` is added to the numbers."""

    def make(name="s", shift=0.0, **config):
        for loss, value in (("hinge", 1.0), ("wgan", 2.0)):
            for seed in (1, 2):
                curves = {"loss/d": [1.0, 0.5], "metric/w1": [9.0, value + seed + shift]}
                folder = run(
                    f"{name}/{loss}_{seed}",
                    curves,
                    seed,
                    overrides=[f"loss={loss}"],
                    report=REPORT,
                    w1=value + 0.1 * seed + shift,
                    pictures=(0, 1),
                    **config,
                )
        return folder.parent

    return make


@pytest.mark.slow
def test_everything_that_a_paper_needs(sweep, tmp_path):
    out = tmp_path / "paper"
    export_command(settings(sweep()), out)
    tables = sorted(path.name for path in (out / "tables").iterdir())
    assert [name for name in tables if name.endswith(".tex")] == ["w1_ranked.tex"]
    text = (out / "tables" / "w1_ranked.tex").read_text()
    assert r"\toprule" in text
    assert re.search(r"^loss=hinge & 2 of 2 & 1\.150 \$\\pm\$ 0\.050 ", text, re.M)
    with open(out / "tables" / "numbers.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], row["loss"], row["seed"], row["value"]) for row in rows] == [
        ("loss=hinge", "hinge", "1", "1.1"),
        ("loss=hinge", "hinge", "2", "1.2"),
        ("loss=wgan", "wgan", "1", "2.1"),
        ("loss=wgan", "wgan", "2", "2.2"),
    ]
    figures = {path.name for path in (out / "figures").iterdir()}
    stems = {name.rpartition(".")[0] for name in figures}
    assert {f"{stem}{suffix}" for stem in stems for suffix in (".pdf", ".svg", ".txt")} <= figures
    assert {"the_metric.csv", "losses.csv", "numbers_0.csv"} <= figures
    names = sorted(path.name for path in (out / "archives").iterdir())
    assert names == ["claim_1_hinge_ends_low.zip", "claim_2_all_end_low.zip"]
    manifest, problems = archive.read(out / "archives" / names[0])
    assert problems == []
    assert manifest["claim"]["state"] == "held"
    assert [(run["method"], run["seed"]) for run in manifest["runs"]] == [("loss=hinge", 1), ("loss=hinge", 2)]
    assert manifest["runs"][0]["numbers"]["metric/w1"] == {"value": 2.0}
    inside = set(manifest["files"])
    assert {f"runs/hinge_1/{name}" for name in ("config.yaml", "metrics.jsonl", "eval.json", ".hydra/overrides.yaml")} <= inside
    assert not any("samples" in name or "checkpoints" in name for name in inside)


@pytest.fixture
def packed(sweep, tmp_path):
    """A sweep, and the archive of all of its runs."""
    folder = sweep()
    runs = run_records(folder)
    (tmp_path / "paper").mkdir()
    path = tmp_path / "paper" / "claim_2_all_end_low.zip"
    archive.pack(path, "Two losses", All(tag="metric/w1", says="All end low.", below=5.0).assess(runs), [], runs)
    return folder, path


def compared(path, folder, capsys):
    same = check(path, folder, Console(width=200))
    return same, capsys.readouterr().out


def test_the_same_runs_agree(packed, tmp_path, capsys):
    folder, path = packed
    shutil.copytree(folder, tmp_path / "moved")
    same, out = compared(path, tmp_path / "moved", capsys)
    assert same
    assert "All end low." in out.splitlines()[0]
    assert len(re.findall(r"^agrees .*metric/w1 +\S+, equal to the bit$", out, re.M)) == 4
    assert re.search(r"^\d+ agrees, 0 differs, \d+ noted$", out.splitlines()[-1])


def test_what_differs_is_named(packed, sweep, capsys):
    _, path = packed
    other = sweep("t", shift=0.5, train={"steps": 100, "batch_size": 7})
    for folder in (other / "hinge_1", other / "hinge_2"):  # within two standard errors of the difference
        [result] = read(folder)
        number = result.numbers["w1"]
        object.__setattr__(number, "value", number.value - 0.4)
        write(folder, [result])
    shutil.rmtree(other / "wgan_2")
    same, out = compared(path, other, capsys)
    assert not same
    assert "no train.batch_size" in out
    assert re.search(r"^differs +loss=hinge, seed 1: metric/w1 +2\.5\S* instead of 2", out, re.M)
    assert re.search(r"^agrees +loss=hinge, seed 1: w1 \(gan-eval.* within 1\.96 standard errors", out, re.M)
    assert re.search(r"^differs +loss=wgan, seed 2 +there is no run with seed 2$", out, re.M)


def rewritten(path, change):
    """Write the archive again, with ``change`` applied to its files by name."""
    with zipfile.ZipFile(path) as old:
        files = {name: old.read(name) for name in old.namelist()}
    change(files)
    with zipfile.ZipFile(path, "w") as new:
        for name, content in files.items():
            new.writestr(name, content)


def test_a_changed_archive_is_noticed(packed, capsys):
    folder, path = packed

    def change(files):
        files["runs/hinge_1/config.yaml"] += b"#"
        files["more.txt"] = b"x"
        del files["runs/hinge_2/result.json"]

    rewritten(path, change)
    same, out = compared(path, folder, capsys)
    assert not same
    for problem in ("hinge_1/config.yaml is damaged", "more.txt is not listed", "hinge_2/result.json is missing"):
        assert problem in out


def link(path):
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as new:
        new.writestr(entry, "/etc/passwd")


def named(name):
    return lambda path: rewritten(path, lambda files: files.update({name: b"x"}))


def manifest(content):
    return lambda path: rewritten(path, lambda files: files.update({"manifest.json": content}))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(b"PK"), "File is not a zip file"),
        (named("../evil.py"), r"it holds \.\./evil\.py, which is no regular file inside a folder"),
        (named("/etc/evil"), "it holds /etc/evil"),
        (named("a\\..\\b"), "it holds"),
        (link, "it holds link, which is no regular file"),
        (lambda path: rewritten(path, lambda files: files.pop("manifest.json")), r"there is no manifest\.json in it"),
        (manifest(b"[]"), "manifest.json: "),
        (manifest(b"[" * 100_000), "manifest.json: "),
        (manifest(b'{"format": 1}'), "manifest.json: "),
        (manifest(json.dumps({"format": 9, "gan_cli": "", "title": "", "claim": None, "commands": [], "runs": [],
                              "files": {}}).encode()), "its form is number 9"),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_an_archive_from_somebody_else_is_data(packed, tmp_path, spoil, said):
    folder, path = packed
    spoil(path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=said) as error:
        check(path, folder, Console())
    assert str(error.value).startswith(f"{path} is no archive of gan-report: ")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_damaged_bytes_raise_nothing_else_than_a_message(packed, capsys):
    folder, path = packed
    content = bytearray(path.read_bytes())
    for position in range(200, len(content) - 200, len(content) // 20):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :])
        with suppress(UserError):
            check(path, folder, Console())
        capsys.readouterr()


@pytest.mark.slow
def test_the_flags(packed, sweep, monkeypatch, capsys):
    folder, path = packed

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["gan-report", *map(str, words)])
        return main.gan_report()

    assert call(folder, "--check", path) == 0
    assert call(sweep("t", shift=1.0), "--check", path) == 1
    assert call(folder, "--check", path.parent / "none.zip") == 2
    assert capsys.readouterr().err.endswith(f"there is no archive {path.parent / 'none.zip'}.\n")
    assert call(folder, "--export", path) == 2
    assert capsys.readouterr().err == f"gan-report: --export {path}: this is a file. Name a folder.\n"
    assert not (folder / "report.html").exists()


def test_equal_runs_give_equal_archives(packed):
    folder, path = packed
    content = path.read_bytes()
    runs = run_records(folder)
    archive.pack(path, "Two losses", All(tag="metric/w1", says="All end low.", below=5.0).assess(runs), [], runs)
    assert path.read_bytes() == content


def test_latex():
    assert escaped("50% of a_b & −1 ± 0.2 ↓ {x} 3·10⁻² ₁") == (
        r"50\% of a\_b \& $-$1 $\pm$ 0.2 $\downarrow$ \{x\} 3·10$^-$$^2$ $_1$"
    )
    assert escaped("-0.5 [-1, -0.2] a-b") == "$-$0.5 [$-$1, $-$0.2] a-b"
    lines = latex(Table("T\nx", ["", "n"], [["a", "1"]], ["note"])).splitlines()
    assert lines[:4] == ["% T x", "% note", r"\begin{tabular}{lr}", r"\toprule"]
    assert lines[4:] == [r" & n \\", r"\midrule", r"a & 1 \\", r"\bottomrule", r"\end{tabular}"]
