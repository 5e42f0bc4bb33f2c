"""The names of estimates are explained where a user meets them."""

import torch

from gan_cli import losses
from gan_cli.losses.estimates import MEANINGS, meaning
from gan_cli.training.estimates import ExplainEstimates

ALL = [getattr(losses, name) for name in losses.__all__ if name != "Loss"]


def test_every_estimate_of_a_loss_has_a_meaning():
    real, fake = torch.rand(8, 1), torch.rand(8, 1)
    found = {name for loss in ALL for name in loss().estimate(real, fake)}
    assert {"js", "wasserstein", "tv", "triangular", "kl"} <= found
    assert all(map(meaning, found))


def test_one_of_several_discriminators():
    assert meaning("js_there") == meaning("js") != meaning("twice_js") == MEANINGS["twice_js"]
    assert meaning("reverse_kl").startswith(
        "On held-out data a lower bound, in expectation, of the divergence KL(Q||P). A value below 0 says nothing"
    )
    assert meaning("cycle") == meaning("jsd") == ""


def test_the_jobs_of_a_process_explain_their_estimates_once(monkeypatch):
    monkeypatch.setattr(ExplainEstimates, "seen", set())
    said = []
    for step in (1, 2):
        explain = ExplainEstimates(said.append)
        explain(
            step, {"loss/generator": torch.ones(()), "estimate/triangular": torch.zeros(()), "estimate/own": torch.ones(())}
        )
    assert len(said) == 1
    assert said[0].startswith(
        "estimate/triangular: On held-out data a lower bound, in expectation, of the triangular discrimination, the integral"
    )
