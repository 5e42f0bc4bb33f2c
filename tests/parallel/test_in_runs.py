"""Runs whose batches are computed in parts: what they say, record and refuse."""

from contextlib import nullcontext
from itertools import chain, repeat
from types import SimpleNamespace

import pytest
from support import configs, runs
from torch import nn

from gan_cli.errors import UserError
from gan_cli.parallel import ranks as ranks_module
from gan_cli.parallel.division import Division
from gan_cli.parallel.ranks import LostProcess, Ranks
from gan_cli.runs import environment
from gan_cli.training import division, together

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


@pytest.mark.parametrize(
    ("parts", "batch_norm", "said"),
    [
        (1, "whole", "2 processes with 8 samples each, with batch norm's statistics of all processes"),
        (2, "whole", "2 processes with 2 parts of 4 samples, with batch norm's statistics of all processes, part by part"),
        (1, "per_rank", "2 processes with 8 samples each, each with batch norm's statistics of its own"),
    ],
)
def test_processes_and_the_statistics_of_batch_norm_are_recorded(parts, batch_norm, said):
    game, run = nn.Sequential(nn.BatchNorm1d(2)), SimpleNamespace()
    run.game, run.solver = game, SimpleNamespace(division=Division(parts, game, ranks=Ranks(0, 2)))
    run.cfg = SimpleNamespace(train=SimpleNamespace(batch_size=16), batch_norm=batch_norm)
    assert division.facts(run) == {"batches": said}


def test_a_batch_that_the_processes_cannot_share_is_refused_before_any_is_started(tmp_path):
    with pytest.raises(UserError, match=r"^processes=3 train\.accumulate=2: a batch of 4 samples cannot be cut into 6 equal"):
        runs.train(configs.config("dataset=ring"), tmp_path / "run", "processes=3 train.accumulate=2")


def test_a_process_with_other_players_is_named(monkeypatch):
    run, ranks = SimpleNamespace(game=nn.Linear(1, 1)), Ranks(0, 3)
    monkeypatch.setattr(ranks, "exchange", lambda numbers: [[numbers[0]], [numbers[0]], [7]])
    monkeypatch.setattr(ranks_module, "_here", [ranks])
    monkeypatch.setattr(ranks, "ordered", lambda *order: nullcontext())
    with pytest.raises(UserError, match="the players of process 2 differ from those of process 0 at step 5"):
        together.compare(run, lambda step: None, 5)


class Unfinished:
    """A message that is never answered."""

    def wait(self, *within):
        raise RuntimeError("Operation timed out!")

    def is_completed(self):
        return False


def test_a_process_that_does_not_answer_is_given_up_unless_process_0_is_alive(monkeypatch):
    monkeypatch.setenv("GAN_CLI_TIMEOUT", "0.05")
    with pytest.raises(LostProcess, match=r"another process of this run has not answered for 0 s\."):
        Ranks(0, 2)._finish(Unfinished(), 0.05)
    waiting, beats = Ranks(1, 2), chain([1, 2], repeat(3))
    waiting.store = SimpleNamespace(add=lambda key, n: next(beats))
    with pytest.raises(LostProcess):
        waiting._finish(Unfinished(), None)
    assert next(beats) == 3, "each sign of life is waited for"
