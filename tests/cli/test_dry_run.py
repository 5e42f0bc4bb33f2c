"""``gan-train --dry-run`` shows what a run would be trained on, and leaves nothing behind."""

import re
import sys

import pytest

from gan_cli.cli import completion, main
from gan_cli.runs import record

pytestmark = pytest.mark.slow

SMALL = ("dataset=ring", "dataset.n=64", "dataset.n_heldout=32", "train.batch_size=8", "metric.n_samples=16")


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """``call("loss=wgan")`` in an empty folder -> (exit code, standard output, standard error) of gan-train."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["gan-train", *words])
        capsys.readouterr()
        return main.gan_train(), *capsys.readouterr()

    return run


def test_a_dry_run_shows_the_data_and_writes_nothing(call, tmp_path):
    code, out, err = call(*SMALL, "--dry-run")
    assert (code, err) == (0, "")
    assert "dataset=ring" in out
    assert "data: 64 points to train on, 32 held out; 8 classes: 0 (" in out
    assert "no exact duplicates; checksum " in out
    assert "metric: " in out
    assert re.search(r"^generator: MLPGenerator, [\d,]+ parameters, \[8, \d+\] -> \[8, 2\]$", out, re.MULTILINE)
    assert re.search(r"^discriminator: MLPDiscriminator, [\d,]+ parameters, \[8, 2\] -> \[8\]$", out, re.MULTILINE)
    assert re.search(
        r"^memory: .* parameters, .* gradients, .* optimizer states, .* averages, .* activations at", out, re.MULTILINE
    )
    assert re.search(r"^round: discriminator, generator; .* each, .* for \d+ rounds without", out, re.MULTILINE)
    assert out.splitlines()[-1].startswith("dry run: everything fits")
    assert not any(tmp_path.iterdir())


def test_a_dry_run_of_a_sweep_shows_its_first_job(call, tmp_path):
    code, out, _ = call("-m", *SMALL, "seed=3,4", "loss=hinge,wgan_gp", "--dry-run")
    assert code == 0
    assert "the first job of the sweep: " in out
    assert "seed=3 loss=hinge" in out.splitlines()[0]
    assert out.count("data: ") == 1
    code, out, _ = call(*SMALL, "experiment=mode_collapse", "--dry-run")
    assert (code, out.count("data: 64 points")) == (0, 1), "a sweep by its config, with cases"
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*SMALL, "seed=1,2"), "seed=1,2 names several values"),
        pytest.param((*SMALL, "model=dcgan"), "Models that fit: model=mlp_small", marks=pytest.mark.long),
        (("dataset=ring", "dataset.std=-1"), "dataset.std"),
        (("dataset=nothing", "game=dirac_gan", "loss=hinge", "regularizer=r1", "augmentation=diff_augment"), "augmentation"),
        (("-m", "resume=somewhere"), "leave out -m"),
        (("resume=somewhere",), "no run in somewhere"),
    ],
)
def test_a_dry_run_refuses_what_training_refuses(call, tmp_path, words, said):
    code, _, err = call(*words, "--dry-run")
    assert code == 2
    assert said in err
    assert not any(tmp_path.iterdir())


def test_a_dry_run_of_a_run_that_continues(call, tmp_path):
    assert call(*SMALL, "train.steps=2", "hydra.run.dir=run", "sample_every=0")[0] == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    code, out, _ = call("resume=run", "train.steps=4", "--dry-run")
    assert code == 0
    assert "continuing at step 2" in out
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert f"checksum {record.read(tmp_path / 'run').checksum[:12]}" in out


def test_the_flag_is_completed():
    assert completion.candidates(main.TRAIN, "gan-train --d") == ["--dry-run"]
    assert completion.candidates(main.SAMPLE, "gan-sample run --d") == []
    assert "--help" in completion.candidates(main.SAMPLE, "gan-sample run -")
