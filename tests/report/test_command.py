"""``gan-report`` on the command line: its answers and its errors."""

import sys

import pytest

from gan_cli.cli import completion, main

pytestmark = pytest.mark.slow


@pytest.fixture
def call(monkeypatch, capsys):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["gan-report", *map(str, words)])
        capsys.readouterr()
        return main.gan_report(), capsys.readouterr()

    return run


def test_a_bare_path_is_the_run(run, call):
    folder = run("r", {"loss/discriminator": [3.0, 2.0, 1.0]})
    code, said = call(folder, "median=3", "quiz=0")
    assert (code, said.err) == (0, "")
    assert f"written: {folder / 'report.html'}" in said.out
    assert (folder / "report.html").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name the folder of a run"),
        (["nowhere"], "no run in nowhere"),
        ([".", "medain=3"], "no key 'medain'. Did you mean median?"),
        ([".", "stages=0"], "stages must be at least 1"),
    ],
)
def test_mistakes_are_answered_in_a_line(call, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    code, printed = call(*words)
    assert code == 2
    assert printed.err.startswith(f"gan-report: {said}")
    assert not list(tmp_path.iterdir())


def test_nothing_logged_is_one_line(run, call):
    folder = run("r", {})
    code, printed = call(folder)
    assert code == 2
    assert printed.err == f"gan-report: nothing is logged yet in {folder}: the report can be made once training has begun.\n"
    assert not (folder / "report.html").exists()


def test_help_and_completion_know_it(call):
    code, printed = call("--help")
    assert code == 0
    assert "usage: gan-report RUN_OR_SWEEP" in printed.out
    assert completion.candidates(main.REPORT, "gan-report outputs/x med") == ["median="]
    assert all("gan-report" in script for script in completion.SCRIPTS.values())
