"""Help and lists: for each command, group and option, at the width of the terminal."""

import sys

import pytest

from gan_cli.cli import help, main, options
from gan_cli.config import suggestions

COMMANDS = (main.TRAIN, main.EVALUATE, main.SAMPLE, main.EXPORT, main.REPORT, main.RUNS)


@pytest.fixture
def answer(monkeypatch, capsys):
    """``answer("--list loss", width=80)`` -> exit code, and what gan-train prints with the shipped options."""

    def ask(words, width=80):
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(sys, "argv", ["gan-train", *words.split()])
        code = main.gan_train()
        printed = capsys.readouterr()
        return code, printed.out or printed.err

    return ask


@pytest.mark.parametrize("width", [80, *(pytest.param(width, marks=pytest.mark.long) for width in (100, 200))])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_no_line_is_wider_than_the_terminal(command, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    texts = [help.text(command), help.listing(command, "")]
    for group in help.groups(command):
        texts += [help.text(command, None, group), help.listing(command, group)]
    for text in texts:
        too_long = [line for line in text.splitlines() if len(line) > width and len(line.split()) > 2]
        assert not too_long
        assert text.count("\n\n\n") == 0


def test_the_word_help(answer):
    assert answer("help") == answer("--help") == answer("-h") == answer("loss=wgan --help")
    assert answer("help loss") == answer("--help loss") == answer("-h losses")


def test_a_run_beside_help_is_no_group(monkeypatch, capsys, tmp_path):
    for words in (["--help", str(tmp_path)], [str(tmp_path), "-h"]):
        monkeypatch.setattr(sys, "argv", ["gan-eval", *words])
        assert main.gan_eval() == 0
        assert capsys.readouterr().out.startswith("usage: gan-eval")


def test_one_group(answer):
    code, text = answer("--help loss")
    assert code == 0
    assert text.startswith("gan-train loss=OPTION  (default: non_saturating)\nThe functions of the logits")
    assert "\n  wgan_gp           Wasserstein loss with gradient penalty" in text
    assert text.endswith("The keys of an option: gan-train --help loss=non_saturating\n")
    for option in suggestions.groups()["loss"]:
        assert f"\n  {option} " in text


def test_one_option(answer):
    code, text = answer("--help regularizer=gradient_penalty")
    assert code == 0
    assert "Configures gan_cli.regularizers.gradient_penalty.GradientPenalty" in text
    assert "\n  regularizer.gradient_penalty.weight=10.0" in text
    _, text = answer("-h loss=wgan_gp")
    assert "Brings regularizer=gradient_penalty, optimizer=adam_wgan_gp" in text
    assert "\n  train.n_critic=5" in text
    assert "model/generator=dcgan, model/discriminator=dcgan" in answer("-h model=dcgan")[1]


@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_list_has_a_line_for_each_option(answer, width):
    for words in ("--list experiments", "--list experiment"):
        code, text = answer(words, width)
        lines = text.splitlines()
        assert code == 0
        assert [line.split()[0] for line in lines] == suggestions.groups()["experiment"]
        assert all(len(line.split()) > 3 and len(line) < width for line in lines)
    _, text = answer("--list", width)
    assert "\nlearning_rate        4 options: Schedules that multiply" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--list los", "no group named 'los'. Did you mean loss?\navailable: augmentation, averaging, dataset,"),
        ("--help optimiser", "no group named 'optimiser'. Did you mean optimizer?\n"),
        ("--help loss=WGAN_GP", "no loss named 'WGAN_GP'. Did you mean wgan_gp?\navailable: dragan"),
    ],
)
def test_unknown_topics(answer, words, said):
    code, text = answer(words)
    assert code == 2
    assert text.startswith(f"gan-train: {said}")


def test_options_of_ones_own(answer, tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text("# A loss of my own.\n_target_: mine.Loss\nmargin: 2.0 # of the hinge\n")
    assert "\nmine              A loss of my own.\n" in answer(f"--list loss --config-dir {tmp_path}")[1]
    _, text = answer(f"--config-dir {tmp_path} --help loss=mine")
    assert text.endswith("A loss of my own.\n\nConfigures mine.Loss\n\nKeys\n  loss.margin=2.0  of the hinge\n")
    (tmp_path / "loss" / "broken.yaml").write_text("a: [")
    code, text = answer(f"--config-dir {tmp_path} --help loss=broken")
    assert (code, text.count("\n")) == (2, 1)
    assert "broken.yaml is not YAML: while parsing" in text


def test_one_key(answer):
    assert answer("-h train.steps") == (0, "  train.steps=3000  rounds of the game (null: another budget is given)\n")
    listed = "of the forward passes (auto: by device and networks): auto, fp32, bf16, fp16, tf32"
    code, text = answer("-h precision")
    assert (code, " ".join(text.split())) == (0, f"precision=fp32 {listed}")


def test_every_group_is_described():
    assert set(options.GROUPS) == set(suggestions.groups())
