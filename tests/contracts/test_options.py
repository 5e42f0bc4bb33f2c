"""Every option of every group composes, builds, and plays a round; the table finds the options by itself."""

import layouts
import pytest
import small
import torch

from gan_cli.build import build
from gan_cli.data.stream import Stream
from gan_cli.sampling import Measurement, cycling_labels, generate

CPU = torch.device("cpu")
MEASURED = ("dataset", "experiment", "features", "game", "metric")
"""Groups that have a say in what the metric is taken of, or how."""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("published")


def test_the_table_is_not_empty():
    assert {"loss", "regularizer", "model", "model/generator", "dataset", "optimizer", "game"} <= set(small.groups())
    assert len(small.everything()) > 50


@pytest.mark.parametrize(("group", "option"), small.everything())
def test_an_option_plays_a_round(group, option, root, monkeypatch):
    layouts.trust_checksums(monkeypatch)
    cfg = small.config(f"{group}={option}", root=root)
    torch.manual_seed(0)
    data, game, solver, schedule, learning_rate, metric = build(cfg, CPU)
    assert 0 <= learning_rate(1) <= 1
    before = {player: [p.clone() for p in turn.parameters] for player, turn in solver.turns.items()}
    batches = Stream(data.train, cfg.train.batch_size, cfg.seed)
    stats = solver.round(schedule(1), batches)
    batches.close()
    for name, value in stats.items():
        assert value.ndim == 0
        assert value.isfinite(), name
        assert not value.requires_grad, name
    assert set(schedule(1)) == set(solver.turns)
    for player, turn in solver.turns.items():
        assert {f"loss/{player}", f"grad_norm/{player}"} <= set(stats)
        moved = [not torch.equal(a, b) for a, b in zip(before[player], turn.parameters, strict=True)]
        assert any(moved), f"{player} stood still"
        assert all(p.isfinite().all() for p in turn.parameters)
    fake = generate(game, 3, seed=0, y=cycling_labels(3, data.classes))
    assert fake.shape == (3, *data.shape)
    assert fake.isfinite().all()
    if group in MEASURED:
        measurement = Measurement(metric, data, cfg.seed, CPU)
        assert not measurement.enabled or measurement(game) >= 0
