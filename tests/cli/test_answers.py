"""Answers that are given before Hydra is imported."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gan_cli import __version__
from gan_cli.cli import completion, main
from gan_cli.config import suggestions
from gan_cli.config.scalars import components, scalars
from gan_cli.config.schema import EvalConfig, SampleConfig, TrainConfig


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["loss=wgam"], "no loss named 'wgam'. Did you mean wgan?\navailable: hinge, plain, wgan"),
        (["metric=game"], "no metric named 'game'. Did you mean diagnostics=game?"),
        (["loss=zzz"], "no loss named 'zzz'.\navailable: hinge, plain, wgan"),
        (["los=wgan"], "no key 'los'. Did you mean loss?"),
        (["model/generatr=tiny"], "no key 'model/generatr'. Did you mean model/generator?"),
        (["model/generator=tinny"], "no model/generator named 'tinny'. Did you mean tiny?"),
        (["regularizer=[penalty,spectrl]"], "no regularizer named 'spectrl'. Did you mean spectral?"),
        (["-m", "loss=hinge,wgam"], "no loss named 'wgam'. Did you mean wgan?"),
        (["+loss=wgam"], "no loss named 'wgam'. Did you mean wgan?"),
        (["regularizer=[]"], "regularizer= names nothing.\navailable: none, penalty, spectral"),
        (["loss="], "loss= names nothing.\navailable:"),
        (["steps=100"], "no key 'steps'. Did you mean train.steps?"),
        (["outputs/x"], "'outputs/x' is not KEY=VALUE. A run is continued with: gan-train resume=outputs/x"),
        (["seed"], "'seed' is not KEY=VALUE. Write seed=VALUE."),
        (["loss"], "'loss' is not KEY=VALUE. An option of a group is chosen with loss=OPTION: gan-train --help loss"),
        (["hinge"], "'hinge' is not KEY=VALUE. Did you mean loss=hinge?"),
        (["--multi-run"], "unrecognized arguments: --multi-run. Did you mean --multirun? See gan-train --help."),
        (["--seed", "1"], "unrecognized arguments: --seed. Did you mean seed=VALUE? See gan-train --help."),
        (["--epochs=5"], "unrecognized arguments: --epochs=5. Did you mean train.epochs=VALUE? See gan-train --help."),
        (["--zzz"], "unrecognized arguments: --zzz. See gan-train --help."),
        (["loss=wgan", "--cfg"], "argument -c/--cfg: expected one argument. See gan-train --help."),
    ],
)
def test_typos(call, words, said):
    answer = call("train", *words)
    assert answer.code == 2
    assert answer.err.startswith(f"gan-train: {said}")
    assert answer.out == ""
    assert len(answer.err.splitlines()) <= 2


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        (
            "train",
            ["seed=1", "seed=2"],
            "seed is given 2 times: 1, 2.\nGive it once. For a run of each: gan-train -m seed=1,2. A shell",
        ),
        ("train", ["loss=hinge", "+loss=wgan"], "loss is given 2 times: hinge, wgan.\n"),
        ("train", ["++seed=1", "seed=1", "seed=2"], "seed is given 3 times: 1, 1, 2.\n"),
        ("train", ["-m", "seed=1", "seed=2"], "seed is given 2 times: 1, 2.\n"),
        ("sample", ["outputs/x", "n=1", "n=2"], "n is given 2 times: 1, 2.\nGive it once. A shell takes unquoted braces apart"),
        ("evaluate", ["outputs/x", "metric=kid", "metric=mmd"], "metric is given 2 times: kid, mmd.\n"),
        ("report", ["outputs/x", "seed=1", "seed=2"], "seed is given 2 times: 1, 2.\n"),
        ("train", ["loss=" + "a" * 60_000], f"no loss named '{'a' * 66}"),
        ("train", ["optimizer.lr=" + "9" * 400], "optimizer.lr: a number of 400 digits is larger than any"),
        ("train", ["ema=" + "9" * 400], "ema: a number of 400 digits is larger than any"),
        ("train", ["seed=" + "9" * 5000], "seed: a number of 5000 digits is larger than any"),
        ("evaluate", ["outputs/x", "n_samples=" + "9" * 5000], "n_samples: a number of 5000 digits is larger than any"),
        ("train", ["a" * 60_000], f"'{'a' * 79}...{'a' * 18}"),
    ],
)
def test_odd_words(call, command, words, said):
    answer = call(command, *words)
    assert answer.code == 2
    assert answer.err.partition(": ")[2].startswith(said)
    assert len(answer.err) < 1000
    assert len(answer.err.splitlines()) <= 2


def test_a_key_may_be_removed_and_added_and_swept():
    for words in (["~report", "+report={}"], ["-m", "seed=1,2"], ["loss=wgan", "loss.smoothing=0.1"]):
        main._refuse_repeated("train", words)


def test_own_groups_are_known(call, tmp_path):
    (tmp_path / "mine" / "loss").mkdir(parents=True)
    (tmp_path / "mine" / "loss" / "own.yaml").write_text("_target_: m.Own\n")
    for flag in (["--config-dir", str(tmp_path / "mine")], ["-cd", str(tmp_path / "mine")], [f"--config-dir={tmp_path}/mine"]):
        assert call("train", "loss=onw", *flag).err.startswith("gan-train: no loss named 'onw'. Did you mean own?")
    assert call("train", "loss=onw").err.startswith("gan-train: no loss named 'onw'.\n")


def test_a_folder_of_options_exists(call):
    assert call("train", "loss=own", "--config-dir", "conf").err == "gan-train: --config-dir conf: there is no such folder.\n"


def test_own_options_are_found_without_their_folder(call):
    Path("conf/loss").mkdir(parents=True)
    Path("conf/loss/own.yaml").write_text("_target_: m.Own\n")
    said = "gan-train: no loss named 'own' comes with gan-cli. For conf/loss/own.yaml add --config-dir conf\n"
    assert call("train", "loss=own").err == said
    assert "add --config-dir" not in call("train", "loss=other").err


@pytest.mark.parametrize(("command", "schema"), [("train", TrainConfig), ("evaluate", EvalConfig), ("sample", SampleConfig)])
def test_help_names_everything(call, command, schema):
    answer = call(command, "--help")
    assert answer.code == 0
    for key, scalar in scalars(schema).items():
        assert f"  {key}=" in answer.out
        assert scalar.help in " ".join(answer.out.split())
    if command == "train":
        groups = {line.split()[0]: line.split(maxsplit=1)[-1] for line in answer.out.splitlines() if line.startswith("  ")}
        assert (groups["loss"], groups["model/generator"]) == ("hinge, plain, wgan", "other, tiny")
    if command == "evaluate":
        assert (
            " ".join(answer.out.split("Groups\n")[1].split("\n\n")[0].split())
            == "metric auto features net diagnostics game, none"
        )
    if command == "sample":
        assert "Groups" not in answer.out
    assert "--completion" in answer.out


def test_version(call):
    assert call("evaluate", "--version").out == f"gan-eval {__version__}\n"


def test_every_group_of_the_schema_is_shipped():
    """A component that the schema asks for comes from a group, or, as the schedule, along with the game."""
    assert set(components(TrainConfig)) - set(suggestions.groups()) == {"schedule"}


@pytest.mark.slow
def test_neither_hydra_nor_torch_is_imported_for_an_answer():
    """The real commands with the shipped configs, in a process that has imported nothing yet."""
    code = """
import sys
from gan_cli.cli import main

def answer(command, *words):
    sys.argv = ["gan", *words]
    code = command()
    heavy = {"hydra", "omegaconf", "torch", "numpy", "rich"} & set(sys.modules)
    assert not heavy, (words, heavy)
    return code

assert answer(main.gan_train, "--help") == 0
assert answer(main.gan_train, "loss=wgan_pg") == 2
assert answer(main.gan_train, "--complete", "gan-train loss=wg") == 0
assert answer(main.gan_train, "--complete", "gan-train optimizer.discriminator.") == 0
assert answer(main.gan_train, "--completion", "bash") == 0
assert answer(main.gan_eval) == 2
assert answer(main.gan_sample, "--version") == 0
sys.argv = ["gan-train", "train.ncritic=3"]
assert main.gan_train() == 2
sys.argv = ["gan-train", "train.n_critic=abc"]
assert main.gan_train() == 2
assert "hydra" in sys.modules and "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "gan-train: no loss named 'wgan_pg'. Did you mean wgan_gp?\navailable: " in done.stderr
    assert "gan-train: no key 'train.ncritic'. Did you mean train.n_critic?\n" in done.stderr
    assert "gan-train: train.n_critic must be an integer, not 'abc'\n" in done.stderr
    assert "\noptimizer.discriminator.lr=\n" in done.stdout


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("gan-train lo", ["log_every=", "logger=", "loss="]),
        ("gan-train loss=", ["loss=hinge", "loss=plain", "loss=wgan"]),
        ("gan-train -m seed=1,2 loss=wgan,h", ["loss=wgan,hinge"]),
        ("gan-train regularizer=[penalty,s", ["regularizer=[penalty,spectral"]),
        ("gan-train model/", ["model/generator="]),
        ("gan-train optimizer.g", ["optimizer.generator.lr="]),
        ("gan-train regularizer.p", ["regularizer.penalty.weight="]),
        (
            "gan-train train.",
            [
                *("train.accumulate=", "train.batch_size=", "train.batches=", "train.epochs="),
                *(
                    "train.generator_batches=",
                    "train.images=",
                    "train.minutes=",
                    "train.n_critic=",
                    "train.processor_minutes=",
                    "train.steps=",
                ),
            ],
        ),
        ("gan-train +loss=h", ["+loss=hinge"]),
        ("gan-train precision=", ["precision=auto", "precision=bf16", "precision=fp16", "precision=fp32", "precision=tf32"]),
        ("gan-train debug=t", ["debug=true"]),
        ("gan-train resume=", []),
        ("gan-train --c", ["--cfg", "--completion", "--config-dir"]),
        ("gan-train device=", ["device=auto", "device=cpu", "device=cuda", "device=mps"]),
        ("gan-train hydra/", ["hydra/launcher=", "hydra/sweeper="]),
        ("gan-train hydra/launcher=j", ["hydra/launcher=joblib"]),
        ("gan-train hydra/sweeper=", ["hydra/sweeper=basic", "hydra/sweeper=gan", "hydra/sweeper=optuna"]),
        ("gan-train hydra.run", ["hydra.run.dir="]),
        ("gan-train regularizer=penalty re", ["regularizer.penalty.weight=", "regularizer=", "resume="]),
        ("gan-train regularizer=penalty regularizer.", ["regularizer.penalty.weight="]),
        ("gan-train regularizer=[penalty,spectral] regularizer.s", ["regularizer.spectral.n_iterations="]),
        ("gan-train loss=wgan regularizer.", ["regularizer.penalty.weight="]),  # which the loss brings along
        ("gan-train loss=wgan regularizer=spectral regularizer.", ["regularizer.spectral.n_iterations="]),
        ("gan-train -m regularizer=penalty,none regularizer.", ["regularizer.penalty.weight="]),
        ("gan-train regularizer=nowhere regularizer.p", ["regularizer.penalty.weight="]),
        ("gan-train model=tiny model.", ["model.generator.name=", "model.generator.norm=", "model.generator.width="]),
        ("gan-train --cfg ", ["all", "hydra", "job"]),
        ("gan-train --completion z", ["zsh"]),
        ("gan-train --list le", ["learning_rate"]),
        ("gan-train --help los", ["loss"]),
        ("lo", ["log_every=", "logger=", "loss="]),  # without the command
    ],
)
def test_candidates(conf, line, answers):
    assert completion.candidates(main.TRAIN, line) == answers


def test_candidates_of_the_other_commands(conf):
    assert completion.candidates(main.SAMPLE, "gan-sample outputs/x m") == ["mode="]
    assert completion.candidates(main.SAMPLE, "gan-sample mode=") == [
        "mode=grid",
        "mode=interpolation",
        "mode=single",
        "mode=steer",
        "mode=traverse",
        "mode=video",
    ]
    assert completion.candidates(main.EVALUATE, "gan-eval loss") == []
    assert completion.candidates(main.EVALUATE, "gan-eval hydra/") == []
    assert completion.candidates(main.EVALUATE, "gan-eval outputs/x checkpoint=l") == ["checkpoint=last"]
    assert "--list" in completion.candidates(main.EVALUATE, "gan-eval --")
    assert completion.candidates(main.EVALUATE, "gan-eval outputs/x m") == ["metric="]
    assert completion.candidates(main.EVALUATE, "gan-eval outputs/x metric=") == ["metric=auto"]
    assert completion.candidates(main.EVALUATE, "gan-eval ema=") == ["ema=false", "ema=true"]
    assert completion.candidates(main.SAMPLE, "gan-sample outputs/x metric=") == []


def test_candidates_of_the_shipped_metrics():
    offered = sorted(path.stem for path in (suggestions.conf_dir() / "metric").glob("*.yaml"))
    assert completion.candidates(main.EVALUATE, "gan-eval outputs/x metric=") == [f"metric={name}" for name in offered]
    assert completion.candidates(main.EVALUATE, "gan-eval real=a fake=b metric=precision_recall metric.k") == [
        "metric.k=",
        "metric.k_density=",
    ]
    for loss, key in (("f_gan_kl", "loss.saturating="), ("wgan_gp", "train.n_critic=")):
        assert key in completion.candidates(main.TRAIN, f"gan-train loss={loss} {key[:2]}")
    assert completion.candidates(main.TRAIN, "gan-train loss=f_gan_kl loss.") == ["loss.saturating="]
    assert "features.resolution=" in completion.candidates(main.EVALUATE, "gan-eval outputs/x features.")


@pytest.mark.parametrize(
    ("line", "answers", "replies"),
    [
        ("gan-train loss=wg", ["loss=wgan", "loss=wgan_gp"], ["wgan", "wgan_gp"]),  # readline's word begins behind the =
        ("gan-train model=mlp lo", ["loss="], ["loss="]),
    ],
)
def test_bash_replaces_the_word_that_it_sees(tmp_path, line, answers, replies):
    program = tmp_path / "gan-train"
    program.write_text(f"#!/bin/sh\n[ \"$*\" = '--complete {line}' ] && printf '%s\\n' {' '.join(answers)}\n")
    program.chmod(0o755)
    ask = f"COMP_LINE='{line}' COMP_POINT={len(line)}; _gan_cli {program}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-c", f"{completion.script('bash')}\n{ask}"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == replies


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_read_their_script(shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(completion.script(shell))
    done = subprocess.run([shell, "-n", str(tmp_path / "script")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
