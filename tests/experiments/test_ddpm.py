"""Diffusion from end to end: its experiments run through, and it is sampled and scored as the other games are."""

from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from support import configs
from support.runs import train

import gan_cli
from gan_cli.config.compose import compose, loader
from gan_cli.config.grammar import quote
from gan_cli.errors import UserError
from gan_cli.evaluation.command import evaluate_command
from gan_cli.inference.command import sample_command
from gan_cli.report.records.primary import primary_metric, resolve_primary
from gan_cli.runs import logger

pytestmark = pytest.mark.slow

BRIEF = "train.steps=2 eval_every=0 sample_every=0 checkpoint_every=0 metric.n_samples=10"


@pytest.mark.parametrize("experiment", [pytest.param("ddpm", marks=pytest.mark.long), "ddpm_swiss_roll"])
def test_a_short_run_goes_through(experiment, tmp_path):
    cfg = configs.config(f"experiment={experiment}", "train.steps=2")
    train(cfg, tmp_path)
    logged = list(dict.fromkeys(tag for row in logger.read(tmp_path) for tag in row))
    assert {"loss/denoiser", "heldout/loss_t1", "heldout/loss_t4"} <= set(logged)
    report = resolve_primary(OmegaConf.to_container(cfg.report), primary_metric(logged))
    assert {claim["tag"] for claim in report["claims"]} <= set(logged)
    assert len(list((tmp_path / "samples").glob("*.png"))) == 2


def command(name, folder, *words):
    """The config of gan-eval or gan-sample."""
    return compose(loader(), name, [f"run={quote(str(folder))}", "device=cpu", *words])


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a diffusion model and a GAN."""
    folder = tmp_path_factory.mktemp("runs")
    train(configs.config("dataset=ring game=ddpm_guided model/denoiser=mlp", BRIEF), folder / "ddpm")
    train(configs.config("dataset=ring loss=wgan_gp", BRIEF), folder / "gan")
    return folder


def test_one_table_ranks_it_beside_a_gan(runs, capsys):
    found = evaluate_command(command("eval", runs))
    out = capsys.readouterr().out
    assert {Path(result.source).name for result in found} == {"ddpm", "gan"}
    assert out.count("w1 ↓, best first") == 1
    assert "not compared" not in out


@pytest.mark.parametrize("mode", ["grid", "interpolation"])
def test_pictures_of_samples(runs, mode):
    path = sample_command(command("sample", runs / "ddpm", f"mode={mode}", "n=6"))
    with Image.open(path) as picture:
        assert picture.size == (600, 600)


def test_samples_of_asked_classes(runs):
    run = gan_cli.load(runs / "ddpm")
    y = torch.tensor([0, 1, 2])
    found = run.sample(3, y=y)
    assert torch.equal(found, run.sample(3, y=y))
    assert not torch.equal(found, run.sample(3, y=y + 1))


def test_guidance_chosen_after_training(runs):
    """``ddpm_guided`` has weight 1: the same number changes nothing, another one does, and is said in names and results."""
    plain, same, more = (gan_cli.load(runs / "ddpm", guidance=w) for w in (None, 1.0, 4.0))
    assert torch.equal(plain.sample(6), same.sample(6))
    assert not torch.equal(plain.sample(6), more.sample(6))
    path = sample_command(command("sample", runs / "ddpm", "guidance=4", "n=6"))
    assert path.name.endswith("_guidance_4.png")
    [found] = evaluate_command(command("eval", runs / "ddpm", "guidance=4", "checkpoint=last"))
    assert found.provenance.sampling == {"guidance": 4.0}
    with pytest.raises(UserError, match="guidance is for diffusion, which samples step by step"):
        gan_cli.load(runs / "gan", guidance=1.0)


def test_the_way_back_chosen_after_training(runs):
    plain = gan_cli.load(runs / "ddpm")
    trained = {name: plain.config.game[name] for name in ("sampling_steps", "eta")}
    same, more = (gan_cli.load(runs / "ddpm", **way) for way in (trained, {"sampling_steps": 7, "eta": 0.5}))
    assert torch.equal(plain.sample(6), same.sample(6))
    assert not torch.equal(plain.sample(6), more.sample(6))
    path = sample_command(command("sample", runs / "ddpm", "sampling_steps=7", "eta=0.5", "n=6"))
    assert path.name.endswith("_sampling_steps_7_eta_0.5.png")
    with pytest.raises(UserError, match=r"sampling_steps=2000: there are only \d+ steps"):
        gan_cli.load(runs / "ddpm", sampling_steps=2000)
    with pytest.raises(
        TypeError, match="steps: sampling has the options truncation, sampling_steps, eta, guidance, standing_statistics"
    ):
        gan_cli.load(runs / "ddpm", steps=7)
