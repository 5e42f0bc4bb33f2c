"""The best checkpoints of a run: kept beside the newest ones, the same after a resume, and named by checkpoint=best."""

import pytest
from support import configs
from support.runs import differences, train

from gan_cli.errors import UserError
from gan_cli.files import write_json
from gan_cli.runs import best, checkpoint
from gan_cli.runs.trained import named_checkpoint
from gan_cli.training import monitors

VALUES = {0: 9.0, 2: 5.0, 4: 1.0, 6: 3.0, 8: 2.0, 10: 2.5}
STEPS = "train.steps=10 eval_every=2 checkpoint_every=3 sample_every=0 keep_checkpoints=2 keep_best=1"


def logged(folder, curve):
    (folder / "metrics.jsonl").write_text("".join(f'{{"step": {step}, "metric/w1": {value}}}\n' for step, value in curve))


@pytest.mark.parametrize(("higher", "steps"), [(False, [5, 2]), (True, [1, 4])])
def test_the_best_steps_are_those_of_the_best_finite_values(tmp_path, higher, steps):
    logged(tmp_path, [(1, 7.0), (2, 1.0), (3, "null"), (4, 8.0), (5, 2.0), (6, 99.0)])
    ranking = best.Ranking(tag="metric/w1", higher_is_better=higher)
    assert best.best_steps(tmp_path, ranking, 2, range(6)) == steps
    assert best.best_steps(tmp_path, ranking, 0, range(6)) == []


def test_of_equal_values_the_later_one_is_better(tmp_path):
    logged(tmp_path, [(1, 7.0), (2, 7.0)])
    assert best.best_steps(tmp_path, best.Ranking(tag="metric/w1", higher_is_better=False), 1, [1, 2]) == [2]


@pytest.mark.parametrize("content", [{}, {"tag": 3, "higher_is_better": True}, {"tag": "metric/w1", "higher_is_better": False}])
def test_a_run_without_a_measured_checkpoint_has_no_best_one(tmp_path, content):
    write_json(tmp_path / best.FILE, content)
    with pytest.raises(UserError, match="training has measured no checkpoint"):
        best.best_step(tmp_path)


@pytest.mark.slow
def test_the_best_checkpoint_stays_and_is_the_same_after_a_resume(tmp_path, monkeypatch):
    def observe(self, step):
        self.latest = {self.measurement.tag: VALUES[step]}
        return self.latest

    def save(folder, step, *rest):
        drawn[step] = (folder / "samples" / f"step_{step:08d}.png").is_file()
        return written(folder, step, *rest)

    drawn, written = {}, checkpoint.save
    monkeypatch.setattr(checkpoint, "save", save)
    monkeypatch.setattr(monitors.EvaluateMetric, "observe", observe)
    cfg = configs.config("dataset=ring", "metric.n_samples=8")
    train(cfg, tmp_path / "whole", f"{STEPS} sample_every=4")
    assert drawn == {2: False, 3: False, 4: True, 6: False, 9: False, 10: True}  # nothing of a step is lost after a kill
    assert checkpoint.steps_in(tmp_path / "whole") == [4, 9, 10]
    assert named_checkpoint(tmp_path / "whole", "best")["step"] == 4
    train(cfg, tmp_path / "cut", f"{STEPS} train.steps=6")
    train(cfg, tmp_path / "cut", STEPS, resume=True)
    assert checkpoint.steps_in(tmp_path / "cut") == [4, 9, 10]
    for step in (4, 10):
        assert not differences(
            *(checkpoint.load(checkpoint.path_of(tmp_path / name, step))["game"] for name in ("cut", "whole"))
        )
    with pytest.raises(UserError, match="keep_best=1: this run has no metric that ranks checkpoints"):
        train(configs.config("dataset=ring metric=none"), tmp_path / "none", STEPS)
