"""The line that trains a run again composes the config of that run, and a sweep's line has exactly the sweep's jobs."""

import shlex
import sys

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import OmegaConf
from support import configs
from support.runs import result

from gan_cli.cli import main
from gan_cli.config.commands import composing_words, sweep_words
from gan_cli.config.compose import compose, loader
from gan_cli.config.grammar import written
from gan_cli.config.identity import config_hash, to_plain
from gan_cli.config.stored import read_plain
from gan_cli.errors import UserError
from gan_cli.report.records.reproduce import training_commands
from gan_cli.report.records.runs import run_records
from gan_cli.runs import started

CONFIGS = loader()
CASE = ["experiment=wgan_fig3", "model=mlp", "loss=wgan", "seed=7"]
SAMPLE = [
    ["dataset=ring", "loss=wgan_gp", "optimizer.lr=3e-5", "optimizer.discriminator.lr=1e-4"],
    CASE,
    ["regularizer=[r1,spectral_norm]", "loss=hinge", "dataset.size=16", "frozen=[generator]"],
    ["dataset=image_folder", "dataset.root='/tmp/my, photos'", "+optimizer.amsgrad=true"],
]
TINY = ["dataset=ring", "train.batch_size=8", "dataset.n=64", "dataset.n_heldout=32", "metric=none", "device=cpu"]
TINY += ["eval_every=0", "sample_every=0", "model.generator.width=8", "model.discriminator.width=8"]


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 2.5e-5, -1.0, "a b", "1e3", "null", "True", "it's", "a,b", "1:2", "~/x", [1, "x", None], {"k": 1}],
)
def test_a_value_is_read_as_it_was_written(value):
    assert OverridesParser.create().parse_override(f"key={written(value)}").value() == value


def composes(words, recorded):
    """Return whether the config of ``words`` is composed again as a single run, if these words of it were recorded."""
    cfg = compose(CONFIGS, "train", words)
    again = compose(CONFIGS, "train", composing_words(to_plain(cfg), recorded, CONFIGS))
    return config_hash(again) == config_hash(cfg) and again.hydra.mode != RunMode.MULTIRUN


@pytest.mark.slow
@pytest.mark.parametrize("words", [*SAMPLE[1:3], *(pytest.param(words, marks=pytest.mark.long) for words in SAMPLE[::3])])
def test_a_config_is_composed_again(words):
    assert composes(words, words)
    assert composes(words, [word for word in words if "." not in word.partition("=")[0]]), "the options alone"


@pytest.mark.long
@pytest.mark.parametrize("experiment", configs.experiments_with_report())
def test_every_experiment_is_composed_again(experiment):
    words = [f"experiment={experiment}", "seed=5", "train.steps=77", "ema=null"]
    assert composes(words, words)
    assert composes(words, words[:1])


@pytest.mark.slow
def test_further_keys_are_set_and_what_belongs_to_another_command_is_left_out():
    cfg = compose(CONFIGS, "train", ["dataset=ring", "loss=hinge"])
    cfg.loss = {"_target_": "mine.Loss", "margin": 2.0}
    words = composing_words(to_plain(cfg), ["dataset=ring", "loss=hinge", "resume=old", "code=new", "seed=3"], CONFIGS)
    assert words == ["dataset=ring", "loss=hinge", "seed=0", "loss._target_=mine.Loss", "+loss.margin=2.0"]
    with pytest.raises(UserError, match="no loss named 'mine'"):
        composing_words(to_plain(cfg), ["dataset=ring", "loss=mine"], CONFIGS)


def identities(*jobs):
    return [config_hash(compose(CONFIGS, "train", job)) for job in jobs]


@pytest.mark.long
def test_a_sweep_is_one_line_only_if_the_line_has_its_jobs_and_no_others():
    ring = [["dataset=ring", f"loss={loss}", f"seed={seed}"] for loss in ("hinge", "least_squares") for seed in (1, 2)]
    assert sweep_words(ring, identities(*ring), CONFIGS) == ["-m", "dataset=ring", "loss=hinge,least_squares", "seed=1,2"]
    assert sweep_words(ring[1:], identities(*ring[1:]), CONFIGS) is None
    assert sweep_words(ring, identities(*ring[:3], [*ring[3], "train.steps=7"]), CONFIGS) is None, "one was resumed"
    two = [CASE, [*CASE[:-1], "seed=8"]]  # the experiment has cases of its own, of which a shared line would start further jobs
    assert sweep_words(two, identities(*two), CONFIGS) is None


@pytest.mark.long
def test_the_line_of_a_resumed_run_and_of_a_case_trains_the_same_run(tmp_path, monkeypatch):
    """They name the last number of steps, the folder of own options, and a single run, and they run."""
    (tmp_path / "conf/experiment").mkdir(parents=True)
    cases = {"hydra": {"mode": "MULTIRUN", "sweeper": {"cases": [["loss=hinge"], ["loss=least_squares", "ema=null"]]}}}
    text = f"# @package _global_\n{OmegaConf.to_yaml(OmegaConf.create(cases))}"
    (tmp_path / "conf/experiment/own.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)

    def gan_train(*words):
        monkeypatch.setattr(sys, "argv", ["gan-train", *words])
        assert main.gan_train() == 0

    gan_train("--config-dir", "conf", "experiment=own", *TINY, "train.steps=1", "hydra.sweep.dir=sweep")
    assert training_commands(run_records(tmp_path / "sweep")) == [
        shlex.join(["gan-train", "--config-dir", str(tmp_path / "conf"), "experiment=own", *TINY, "train.steps=1"])
    ]
    [first, second] = [folder for folder in sorted((tmp_path / "sweep").iterdir(), reverse=True) if folder.is_dir()]
    assert started.decisive_keys(second) == ["loss", "ema"]
    shown = started.settings(second, read_plain(second / "config.yaml"))
    assert (shown["loss"], shown["experiment"], shown["train.batch_size"]) == ("least_squares", "own", 8)
    assert not any("_target_" in key or key in ("report", "model/generator", "device") for key in shown)
    gan_train(f"resume={second}", "train.steps=2")
    for number, case in enumerate((first, second), 1):
        [line] = training_commands(run_records(case))
        assert {"hydra.mode=RUN", f"train.steps={number}"} <= {*shlex.split(line)}
        again = tmp_path / f"again {number}"
        gan_train(*shlex.split(line)[1:], f"hydra.run.dir={again}")
        assert result(again)["config"] == result(case)["config"]
    assert len(training_commands(run_records(tmp_path / "sweep"))) == 2, "the jobs have unlike numbers of steps"


def test_the_start_of_a_run_from_python_is_recorded(tmp_path):
    cfg = compose(CONFIGS, "train", ["dataset=ring", "regularizer=[r1,spectral_norm]", "optimizer.lr=1e-3", "log_every=7"])
    started.record(tmp_path, cfg)
    assert started.recorded_words(tmp_path)[:2] == ["dataset=ring", "regularizer=[r1,spectral_norm]"]
    assert started.decisive_keys(tmp_path) == ["dataset", "regularizer", "optimizer.lr"]
    options = started.options(tmp_path)
    assert (options["regularizer"], options["dataset"], options["loss"]) == ("[r1,spectral_norm]", "ring", "non_saturating")
    assert started.options(tmp_path / "none") == {}
