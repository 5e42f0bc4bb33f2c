"""A fast version of the experiments on divergences, moments and slices: what their claims judge is logged."""

import pytest
from omegaconf import OmegaConf
from support import configs

from gan_cli.report.records.primary import primary_metric, resolve_primary
from gan_cli.runs import logger
from gan_cli.training.command import train_command

pytestmark = pytest.mark.slow

EXPERIMENTS = ["ebgan", "f_gan", "gmmn_grid25", "mmd_gan", "sliced_wasserstein"]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_a_short_run_goes_through(experiment, tmp_path):
    cfg = configs.config(f"experiment={experiment}", "train.steps=2 log_every=1 eval_every=1")
    train_command(cfg, tmp_path / "run")
    logged = list(dict.fromkeys(tag for row in logger.read(tmp_path / "run") for tag in row))
    asked = resolve_primary(OmegaConf.to_container(cfg.report), primary_metric(logged))
    claimed = {claim[key] for claim in asked["claims"] for key in ("tag", "number") if key in claim and not claim.get("where")}
    assert claimed
    assert claimed <= set(logged)
    assert len(list((tmp_path / "run" / "samples").glob("*.png"))) == 2


@pytest.mark.parametrize("key", ["loss", "game"])
def test_sweeps_name_options_that_exist(key):
    for experiment in EXPERIMENTS:
        params = configs.compose(f"experiment={experiment}").hydra.sweeper.params or {}
        assert set(params.get(key, "").split(",")) - {""} <= set(configs.options(key))
