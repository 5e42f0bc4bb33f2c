"""Names of runs: paths, ``latest``, parts of names, and files of checkpoints."""

import os

import pytest

from gan_cli.api import Run
from gan_cli.errors import UserError
from gan_cli.runs.naming import find_run, of_checkpoint

NAMES = ["1_ring_hinge", "2_ring_wgan", "3_sweep/loss-hinge+seed-1", "3_sweep/loss-wgan+seed-1", "4_ring", ".trash/5_other"]


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """Runs below ``outputs/``, of which the second was begun or resumed last, and the others in the order of their names."""
    monkeypatch.chdir(tmp_path)
    for age, name in enumerate([*NAMES[:1], *NAMES[2:], NAMES[1]]):
        folder = tmp_path / "outputs" / name
        (folder / "checkpoints").mkdir(parents=True)
        for file in (folder / "config.yaml", folder / "checkpoints" / "step_00000012.pt"):
            file.touch()
        os.utime(folder / "config.yaml", (age, age))
    (tmp_path / "outputs" / "6_eval").mkdir()
    return tmp_path / "outputs"


@pytest.mark.parametrize(
    ("name", "run", "run_or_sweep"),
    [
        ("latest", "2_ring_wgan", "2_ring_wgan"),
        ("ring_wg", "2_ring_wgan", "2_ring_wgan"),
        ("4_ring", "4_ring", "4_ring"),
        ("loss-hinge", "3_sweep/loss-hinge+seed-1", "3_sweep/loss-hinge+seed-1"),
        ("3_sweep/loss-w", "3_sweep/loss-wgan+seed-1", "3_sweep/loss-wgan+seed-1"),
        ("other", None, None),
        ("6_eval", None, None),
        ("outputs/4", None, None),
        ("null", None, None),
    ],
)
def test_a_name_means_one_run(outputs, name, run, run_or_sweep):
    for sweeps, found in ((False, run), (True, run_or_sweep)):
        assert find_run(name, sweeps) == (name if found is None else f"outputs/{found}")


def test_a_sweep_is_named_where_sweeps_are_taken(outputs):
    assert find_run("sweep", sweeps=True) == "outputs/3_sweep"
    with pytest.raises(UserError) as error:
        find_run("sweep")
    assert str(error.value).splitlines() == [
        "'sweep' is in the names of 2 folders below outputs/: type more of one.",
        "3_sweep/loss-wgan+seed-1, 3_sweep/loss-hinge+seed-1",
    ]


def test_latest_may_be_a_sweep(outputs):
    os.utime(outputs / "3_sweep" / "loss-hinge+seed-1" / "config.yaml", (99, 99))
    assert find_run("latest", sweeps=True) == "outputs/3_sweep"
    assert find_run("latest") == "outputs/3_sweep/loss-hinge+seed-1"


def test_many_candidates_are_counted(outputs):
    for number in range(10, 20):
        (outputs / f"{number}_ring").mkdir()
        (outputs / f"{number}_ring" / "config.yaml").touch()
    with pytest.raises(UserError, match=r"(?s)in the names of 13 folders.*, \S+ and 8 more$"):
        find_run("_ring")
    assert find_run("4_ring", sweeps=True) == "outputs/4_ring", "a whole name wins"


def test_a_path_is_what_it_is(outputs):
    (outputs.parent / "latest").mkdir()
    for path in ("latest", "outputs/1_ring_hinge", str(outputs)):
        assert find_run(path) == path


def test_a_run_in_python_is_named_alike(outputs):
    assert str(Run("ring_wg").folder) == "outputs/2_ring_wgan"
    assert str(Run("latest").folder) == "outputs/2_ring_wgan"


def test_without_any_run_latest_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^latest: there is no run below outputs/ yet\."):
        find_run("latest")


def test_a_file_of_a_checkpoint_names_its_run_and_step(outputs, monkeypatch):
    file = "outputs/4_ring/checkpoints/step_00000012.pt"
    assert of_checkpoint(file) == ("outputs/4_ring", "12")
    assert of_checkpoint(str(outputs.parent / file)) == (str(outputs / "4_ring"), "12")
    monkeypatch.chdir(outputs / "4_ring" / "checkpoints")
    assert of_checkpoint("step_00000012.pt") == ("..", "12")
    for other in ("step_00000013.pt", ".", str(outputs / "4_ring" / "config.yaml")):
        assert of_checkpoint(other) is None
