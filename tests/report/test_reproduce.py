"""Commands that measure runs again."""

import shlex

from omegaconf import OmegaConf

from gan_cli.report.records.reproduce import evaluation_commands
from gan_cli.report.records.runs import run_records

CURVES = {"loss/d": [1.0, 0.5]}


def start(folder, options):
    """Record that the run in ``folder`` was started with ``--config-dir options``."""
    sources = [{"provider": "main", "path": "/shipped"}, {"provider": "command-line", "path": str(options)}]
    node = {"hydra": {"runtime": {"config_sources": sources}}}
    OmegaConf.save(OmegaConf.create(node), folder / ".hydra" / "hydra.yaml")


def test_gan_eval_is_given_the_folder_of_the_own_options(run, tmp_path_factory):
    own, other = tmp_path_factory.mktemp("my conf"), tmp_path_factory.mktemp("other")
    folders = [run(f"s/{seed}", CURVES, seed, overrides=["loss=mine"]) for seed in range(2)]
    sweep = folders[0].parent

    def line():
        [found] = evaluation_commands(sweep, run_records(sweep), ["metric=radius"])
        return shlex.split(found)

    assert line() == ["gan-eval", str(sweep), "metric=radius"]
    start(folders[0], own)
    assert line() == ["gan-eval", str(sweep), "--config-dir", str(own), "metric=radius"]
    start(folders[1], other)
    assert line() == ["gan-eval", str(sweep), "metric=radius"], "gan-eval takes one folder"
    assert evaluation_commands(sweep, run_records(sweep), None) == []
