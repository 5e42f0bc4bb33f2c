"""A fast version of each experiment on toys: it runs through, and what is exact about it comes out."""

import json
import math

import pytest
import torch
from omegaconf import OmegaConf
from support import configs

from gan_cli.cli import main
from gan_cli.report.claims.base import HELD, Claim
from gan_cli.report.command import make_each
from gan_cli.report.records.runs import run_records
from gan_cli.runs import logger
from gan_cli.training.command import train_command

pytestmark = pytest.mark.slow

EXACT = ["em_worked_example", "ideal_gan", "wgan_fig1"]
"""So fast that they run as they are, claims and all."""
KNOWN = ["simultaneous", "extragradient", "consensus_mild"]
"""Solvers whose distance to the equilibrium of the bilinear game is known at every step."""


def run(experiment: str, folder, values: str = "") -> list[dict]:
    """The experiment's rows after it has run in ``folder``."""
    train_command(configs.config(f"experiment={experiment}", values), folder / experiment)
    return logger.read(folder / experiment)


@pytest.mark.parametrize(
    "experiment", ["em_worked_example", *(pytest.param(name, marks=pytest.mark.long) for name in EXACT[1:])]
)
def test_what_is_exact_is_held(experiment, tmp_path):
    run(experiment, tmp_path, "sample_every=0" if experiment != "wgan_fig1" else "game.n=200")
    found = run_records(tmp_path / experiment)
    asked = OmegaConf.create({"report": found[0].config["report"]})
    parts = [part for key in ("claims", "identities") for part in make_each(asked, f"report.{key}", Claim)]
    verdicts = {claim.says: claim.assess(found).verdict for claim in parts}
    assert len(verdicts) >= 4
    assert {verdict.state for verdict in verdicts.values()} == {HELD}, verdicts


@pytest.mark.long
def test_goodfellow_learns_its_discriminator_first(tmp_path):
    rows = run("goodfellow_1d", tmp_path, "train.steps=60 train.batch_size=128 optimizer.lr=0.01 optimizer.generator.lr=0.001")
    errors = [row["discriminator/error"] for row in rows if "discriminator/error" in row]
    assert errors[-1] < 0.1 * errors[0]


@pytest.mark.long
def test_a_resumed_measurement_is_the_whole_one(tmp_path):
    whole = run("wgan_fig1", tmp_path, "train.steps=4 game.steps=4 game.n=50 checkpoint_every=2")
    for path in (tmp_path / "wgan_fig1" / "checkpoints").glob("*4*"):
        path.unlink()
    cfg = configs.config("experiment=wgan_fig1", "train.steps=4 game.steps=4 game.n=50 checkpoint_every=2")
    cfg.resume = str(tmp_path / "wgan_fig1")
    (tmp_path / "wgan_fig1" / "result.json").unlink()
    train_command(cfg, tmp_path / "wgan_fig1")
    again = logger.read(tmp_path / "wgan_fig1")
    timeless = [[{k: v for k, v in row.items() if not k.startswith("time/")} for row in rows] for rows in (whole, again)]
    assert [row for row in timeless[1] if len(row) > 1] == [row for row in timeless[0] if len(row) > 1]


@pytest.mark.long
def test_solvers_in_the_plane(tmp_path, monkeypatch):
    """Through the command: the experiment is a sweep by itself, and what it finds is known in closed form."""
    monkeypatch.chdir(tmp_path)
    words = [
        "gan-train",
        "experiment=minimax_2d",
        "hydra.sweep.dir=out",
        "train.steps=10",
        "hydra.sweeper.params.game=bilinear",
        f"hydra.sweeper.params.solver='{','.join(KNOWN)}'",
    ]
    monkeypatch.setattr("sys.argv", words)
    assert main.gan_train() == 0
    jobs_run = json.loads((tmp_path / "out" / "sweep.json").read_text())["jobs"]
    assert {job["status"] for job in jobs_run} == {"finished"}
    distance = {}
    for job in jobs_run:
        solver = next(word.removeprefix("solver=") for word in job["overrides"] if word.startswith("solver="))
        distance[solver] = [
            row["distance/equilibrium"] for row in logger.read(tmp_path / job["folder"]) if "distance/equilibrium" in row
        ]
        assert len(distance[solver]) == 11
    assert set(distance) == set(KNOWN)
    assert distance["simultaneous"][-1] == pytest.approx(math.sqrt(5) * 1.01**5)
    inwards = math.sqrt((1 - 0.01) ** 2 + 0.01)  # extragradient: |1 - eta^2 + i eta|
    assert distance["extragradient"][-1] == pytest.approx(math.sqrt(5) * inwards**10)
    assert distance["consensus_mild"][-1] == pytest.approx(math.sqrt(5) * math.hypot(0.9, 0.1) ** 10)


@pytest.mark.long
def test_measuring_changes_nothing(tmp_path):
    """A run whose game measures and draws at every round is equal to the bit to one that hardly does."""
    common = "train.steps=6 train.batch_size=8"
    run("goodfellow_1d", tmp_path / "often", f"{common} log_every=1 sample_every=1")
    run("goodfellow_1d", tmp_path / "never", f"{common} log_every=0 sample_every=0")
    results = [json.loads((tmp_path / name / "goodfellow_1d" / "result.json").read_text()) for name in ("often", "never")]
    assert results[0]["players"] == results[1]["players"]
    assert torch.get_num_threads() == 1
