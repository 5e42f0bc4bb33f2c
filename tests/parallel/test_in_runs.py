"""Runs whose batches are computed in parts: what they say, record and refuse."""

import pytest
from support import configs, runs

from gan_cli.errors import UserError
from gan_cli.runs import environment

pytestmark = pytest.mark.slow


def test_a_run_says_and_records_its_parts_and_resumes_with_others(tmp_path, capsys):
    cfg = configs.config("", "train.steps=1 train.batch_size=8")
    runs.train(cfg, tmp_path / "run", "train.accumulate=4")
    divided = "4 parts of 2 samples, each with batch norm's statistics of its own"
    assert f"batches: {divided}" in capsys.readouterr().out
    assert environment.at(tmp_path / "run", 1)["batches"] == divided
    assert f"batches in {divided}" in environment.in_words(environment.at(tmp_path / "run", 1))
    runs.train(cfg, tmp_path / "run", "train.steps=2 train.accumulate=1", resume=True)
    assert f"batches whole instead of {divided}" in capsys.readouterr().out.replace("\n", " ")


def test_whole_batches_are_not_mentioned(tmp_path, capsys):
    runs.train(configs.config("dataset=ring", "train.steps=1"), tmp_path / "run")
    assert "batches:" not in capsys.readouterr().out
    assert "batches in" not in environment.in_words(environment.at(tmp_path / "run", 1))


@pytest.mark.parametrize(
    ("words", "values", "said"),
    [
        ("dataset=ring", "train.accumulate=3", r"^train\.accumulate=3: a batch of 4 samples cannot be cut into 3 equal parts"),
        ("game=timegan", "train.accumulate=2", r"^train\.accumulate=2: TimeGAN takes roots of means over a whole batch"),
        ("model.discriminator.minibatch_std=true", "train.accumulate=2", r"minibatch layers compare all samples"),
        ("game=gaussian_gan regularizer=dragan", "train.accumulate=2", r"that are made part by part"),
    ],
)
def test_what_cannot_be_divided_is_refused_before_anything_is_written(words, values, said, tmp_path):
    with pytest.raises(UserError, match=said) as error:
        runs.train(configs.config(words), tmp_path / "run", values)
    assert str(error.value).count("\n") == 1
    assert not list((tmp_path / "run").iterdir())
