"""Searches: trials that learn from those before, nothing twice, nothing lost."""

import json
import signal
from importlib import import_module
from pathlib import Path
from statistics import median
from textwrap import dedent

import pytest
from hydra.types import RunMode
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from support import configs
from support.sweeps import jobs_of

from gan_cli.cli.pruning import PRUNERS, TrialPruner
from gan_cli.cli.study import Space, Study, score, space
from gan_cli.config.combinations import merged
from gan_cli.config.compose import GRID, loader
from gan_cli.config.compose import SEARCH as SWEEPER
from gan_cli.errors import Stopped, UserError
from gan_cli.metrics.base import Value
from gan_cli.report.records.search import read_search
from gan_cli.training.loop import End
from gan_cli.training.pruning import Pruning

SEARCH = ["-m", "hydra/sweeper=optuna", "seed=int(interval(1,1000))"]


@pytest.fixture(scope="module", autouse=True)
def sklearn():
    """Import what optuna imports: it sets environment variables when it is imported."""
    import_module("sklearn")


def described(*words):
    return space(merged({}, words, loader()))


def seeds(jobs):
    return [job["cfg"]["seed"] for job in jobs.trained]


@pytest.mark.parametrize(
    ("word", "distribution"),
    [
        ("x=interval(1,3)", FloatDistribution(1.0, 3.0)),
        ("x=tag(log,interval(1e-5,1e-3))", FloatDistribution(1e-5, 1e-3, log=True)),
        ("x=int(interval(1,5))", IntDistribution(1, 5)),
        ("x=int(tag(log,interval(1,512)))", IntDistribution(1, 512, log=True)),
        ("x=range(2,10,4)", IntDistribution(2, 6, step=4)),
        ("x=range(0.5,2,0.5)", CategoricalDistribution(["0.5", "1.0", "1.5"])),
        ("x=a,b", CategoricalDistribution(["a", "b"])),
        ("x=[1,2],[3]", CategoricalDistribution(["[1,2]", "[3]"])),
    ],
)
def test_values_on_the_command_line_are_distributions(word, distribution):
    found = described(word, "fixed=1", "choice=choice(only)")
    assert (found.distributions, found.fixed) == ({"x": distribution}, ["fixed=1", "choice=only"])


def test_suggested_numbers_are_short():
    assert Space(["a=1"], {}).overrides({"b": 1.23456789e-5, "c": 7, "d": "x"}) == ["a=1", "b=1.235e-05", "c=7", "d=x"]


@pytest.mark.slow
def test_a_search_learns_from_its_trials(tmp_path):
    searched = described("x=interval(-10,10)", "kind=good,bad")
    study = Study(tmp_path / "study.log", searched, "tpe", 0, tmp_path)
    distances = []
    while trials := study.ask(40, 1):
        [trial] = trials
        distances.append(abs(trial.params["x"] - 3) + (trial.params["kind"] == "bad"))
        study.tell(trial, distances[-1])
    assert median(distances[20:]) < 0.5 * median(distances[:10])
    assert study.best().value == min(distances) < 0.5
    assert study.importance()["x"] > study.importance()["kind"]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
@pytest.mark.slow
def test_suggestions_depend_on_the_trials_before_alone(tmp_path, sampler):
    searched = described("x=interval(0,1)", "y=tag(log,interval(1,100))")

    def suggested(name, parts):
        for most in parts:  # each of them opens the file again
            study = Study(tmp_path / name, searched, sampler, 5, tmp_path)
            while trials := study.ask(most, 1):
                study.tell(trials[0], trials[0].params["x"])
        return [trial.params for trial in study.trials]

    assert suggested("whole", [14]) == suggested("parts", [3, 12, 14])


def test_several_searches_share_a_study(tmp_path):
    searched = described("x=interval(0,1)")
    one, other = (Study(tmp_path / "study.log", searched, "random", 0, tmp_path / name) for name in "ab")
    asked = [study.ask(4, 1)[0] for study in (one, other, one, other)]
    assert len({trial.params["x"] for trial in asked[:2]}) == 2
    assert [trial.number for trial in asked] == [0, 1, 0, 1]  # what runs is asked for again, by its own search
    for study, trial in zip((one, other), asked, strict=False):
        study.tell(trial, 0.5)
    assert [one.ask(3, 5)[0].number, other.ask(3, 5)] == [2, []]


def test_lower_scores_are_better():
    assert score(2.0, False) < score(3.0, False)
    assert score(3.0, True) < score(2.0, True)
    assert score(float("nan"), False) is None


@pytest.mark.parametrize("name", [name if name == "median" else pytest.param(name, marks=pytest.mark.long) for name in PRUNERS])
@pytest.mark.slow
def test_pruning_goes_on_where_it_was_killed(tmp_path, name):
    """The file of the study then holds metrics of rounds that are played again."""
    searched = described("x=interval(0,1)")

    def played(folder, kills):
        study = Study(tmp_path / folder / "study.log", searched, "random", 0, tmp_path / folder)

        def begun(trial):
            end = End(8)
            return end, Pruning(end, 0, TrialPruner(study.file, trial.number, lambda: PRUNERS[name](2, 8)), False)

        while trials := study.ask(10, 1):
            [trial], step, left = trials, 0, kills
            end, pruning = begun(trial)
            while not end.reached(step):
                step += 1
                pruning.judge(step, Value(trial.params["x"] + 1 / step))
                if left and (step == 5 or pruning.has_pruned):
                    left, step = left - 1, max(0, step - 2)
                    end, pruning = begun(trial)
            if pruning.has_pruned:
                study.tell_pruned(trial)
            else:
                study.tell(trial, trial.params["x"])
        return [(trial.params, trial.state.name, trial.value, trial.intermediate_values) for trial in study.trials]

    whole = played("whole", 0)
    assert {state for _, state, *_ in whole} == {"COMPLETE", "PRUNED"}
    assert min(whole, key=lambda trial: trial[0]["x"])[1] == "COMPLETE"
    assert played("parts", 2) == whole


@pytest.mark.slow
def test_a_pruned_trial_is_shown_and_not_repeated(call, jobs):
    words = [*SEARCH, "hydra.sweeper.pruner=successive_halving", "eval_every=1", "hydra.sweep.dir=s"]
    answer = call("train", *words, "hydra.sweeper.n_trials=4")
    rows = jobs_of(Path("s"))
    pruned = [row for row in rows if row["status"] == "pruned"]
    assert (answer.code, answer.err, len(rows)) == (0, "", 4)
    assert 0 < len(pruned) < 4
    assert f"{4 - len(pruned)} of 4 jobs finished, {len(pruned)} were pruned. They lie in s" in answer.out
    assert f"pruned at step 1, fd {pruned[0]['metric']['final']:.4g}" in answer.out
    assert f"best of {4 - len(pruned)} finished trials" in answer.out
    result = json.loads(Path(pruned[0]["folder"], "result.json").read_text())
    assert result["status"] == "pruned"
    assert call("train", *words, "hydra.sweeper.n_trials=4").code == 0
    assert len(jobs.trained) == 4
    never = call("train", *SEARCH, "hydra.sweeper.pruner=median", "eval_every=0", "hydra.sweep.dir=t")
    assert (never.code, Path("t").exists()) == (2, False)
    assert "hydra.sweeper.pruner=median needs evaluations in the course of a trial: eval_every=N." in never.err


@pytest.mark.slow
def test_a_search_ends_with_the_best_command(call, jobs, tmp_path):
    jobs.measure = lambda cfg: abs(cfg.seed - 300.0)
    answer = call("train", *SEARCH, "loss=plain,hinge", "hydra.sweeper.n_trials=6", "hydra.sweep.dir=s")
    assert (answer.code, answer.err) == (0, "")
    best = min(jobs.trained, key=lambda job: abs(job["cfg"]["seed"] - 300))["cfg"]
    loss = best["loss"]["_target_"].removeprefix("m.").lower()
    assert answer.out.endswith(f"gan-train seed={best['seed']} loss={loss}\n")
    assert "6 trials, 0 of them begun already: s" in answer.out
    found = json.loads((tmp_path / "work" / "s" / "sweep.json").read_text())
    assert found["search"]["n_trials"] == 6
    assert sum(found["search"]["importance"].values()) == pytest.approx(1)
    assert {job["seed"] for job in found["jobs"]} == {*seeds(jobs)}

    jobs.higher_is_better = True
    highest = call("train", *SEARCH, "hydra.sweeper.n_trials=2", "hydra.sweep.dir=t").out
    seed = max(seeds(jobs)[6:], key=lambda seed: abs(seed - 300))
    assert f"gan-train seed={seed}" in highest.splitlines()[-1]


@pytest.mark.slow
def test_a_search_goes_on_where_it_was_stopped(call, jobs):
    assert call("train", *SEARCH, "hydra.sweeper.n_trials=3", "hydra.sweep.dir=whole").code == 0
    whole = seeds(jobs)
    jobs.trained.clear()
    jobs.fail = {whole[1]: Stopped("stopped", signal.SIGTERM)}
    assert call("train", *SEARCH, "hydra.sweeper.n_trials=3", "hydra.sweep.dir=s").code == 128 + signal.SIGTERM
    assert seeds(jobs) == whole[:2]
    jobs.fail = {}
    answer = call("train", *SEARCH, "hydra.sweeper.n_trials=3", "hydra.sweep.dir=s")
    assert seeds(jobs)[2:] == whole[1:]
    assert jobs.trained[2]["cfg"]["resume"] == f"s/seed-{whole[1]}", "it continues from its checkpoint"
    assert "2 of them begun already" in answer.out
    more = call("train", *SEARCH, "hydra.sweeper.n_trials=4", "hydra.sweep.dir=s")
    assert (more.code, len(jobs.trained)) == (0, 5)


@pytest.mark.slow
def test_a_failed_trial_counts_and_is_not_repeated(call, jobs):
    call("train", *SEARCH, "hydra.sweeper.n_trials=1", "hydra.sweep.dir=s")
    jobs.fail = {seeds(jobs)[0]: UserError("diverged")}
    answer = call("train", *SEARCH, "hydra.sweeper.n_trials=3", "hydra.sweep.dir=t")
    assert (answer.code, len(jobs.trained)) == (1, 4)
    assert "diverged" in answer.out
    jobs.fail = {}
    assert call("train", *SEARCH, "hydra.sweeper.n_trials=3", "hydra.sweep.dir=t").code == 1
    assert len(jobs.trained) == 4


@pytest.mark.slow
def test_other_spaces_and_trials_without_a_metric_are_refused(call, jobs, tmp_path):
    assert call("train", *SEARCH, "hydra.sweeper.n_trials=1", "hydra.sweep.dir=s").code == 0
    other = call("train", *SEARCH, "train.steps=7", "hydra.sweeper.n_trials=2", "hydra.sweep.dir=s")
    assert (other.code, len(jobs.trained)) == (2, 1)
    assert "s/study.log holds trials of another search; what differs: train.steps=7." in other.err
    assert call("train", *SEARCH, "device=cpu", "hydra.sweeper.n_trials=2", "hydra.sweep.dir=s").code == 0
    jobs.measure = lambda cfg: None
    answer = call("train", *SEARCH, "hydra.sweep.dir=t")
    assert (answer.code, len(jobs.trained)) == (2, 3)
    assert "a search needs a metric, and t/seed-" in answer.err
    (tmp_path / "work" / "s" / "study.log").write_text('{"op_code": 99}\n')
    damaged = call("train", *SEARCH, "hydra.sweep.dir=s")
    assert damaged.code == 2
    assert "s/study.log is damaged" in damaged.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["seed=1"], "nothing to search: no key has several values."),
        (["seed=int(interval(5,1))"], "seed=int(interval(5,1)): "),
        (["seed=1,2", "hydra.sweeper.sampler=best"], "hydra.sweeper.sampler must be one of tpe, random, not 'best'"),
        (["seed=1,2", "hydra.sweeper.pruner=best"], "hydra.sweeper.pruner must be one of none, median, successive_halving, "),
        (["seed=1,2", "hydra.sweeper.warmup=-1"], "hydra.sweeper.warmup must be a whole number, at least 0, not -1"),
        (["seed=1,2", "hydra.sweeper.n_trials=0"], "hydra.sweeper.n_trials must be a whole number, at least 1, not 0"),
        (["seed=interval(1,2)"], "seed must be an integer"),
    ],
)
def test_searches_that_cannot_be_made_are_refused(call, jobs, tmp_path, words, answer):
    found = call("train", "-m", "hydra/sweeper=optuna", *words, "hydra.sweep.dir=s")
    assert (found.code, jobs.trained) == (2, [])
    assert answer in found.err
    assert not (tmp_path / "work" / "s").exists(), "nothing is left behind"


@pytest.mark.slow
def test_an_experiment_is_a_search_that_ends_with_fresh_seeds_of_the_best_trials(call, conf, jobs, tmp_path):
    text = """
    # @package _global_
    defaults:
      - override /hydra/sweeper: optuna
    hydra:
      mode: MULTIRUN
      sweeper:
        {sampler: random, n_trials: 4, fresh: 2, params: {loss: "plain,hinge", model.generator.width: "int(interval(1,99))"}}
    """
    (conf / "experiment" / "mine.yaml").write_text(dedent(text))
    jobs.measure = lambda cfg: float(cfg.model.generator.width)
    answer = call("train", "experiment=mine", "hydra.sweep.dir=s")
    assert (answer.code, answer.err) == (0, "")
    settings = [(job["cfg"]["loss"]["_target_"], job["cfg"]["model"]["generator"]["width"]) for job in jobs.trained]
    best = {loss: min(width for one, width in settings[:4] if one == loss) for loss, _ in settings[:4]}
    assert len(best) == 2
    assert sorted(settings[4:]) == sorted([*best.items()] * 2)
    assert seeds(jobs) == [0] * 4 + [1, 2] * 2
    assert "4 runs of the best trials with fresh seeds" in answer.out
    assert answer.out.endswith(" hydra.mode=RUN\n"), "the best command is a run, not a search"
    assert len(read_search(tmp_path / "work" / "s").trials) == 4
    again = call("train", "experiment=mine", "hydra.sweep.dir=s")
    assert (again.code, len(jobs.trained)) == (0, 8)
    grid = call("train", "experiment=mine", "hydra.sweeper.fresh=-1", "hydra.sweep.dir=t")
    assert "hydra.sweeper.fresh must be a whole number, at least 0, not -1" in grid.err


def test_equal_tuning_is_a_random_search_judged_on_held_out_samples():
    cfg = configs.compose("experiment=equal_tuning")
    assert (cfg.hydra.sweeper._target_, cfg.hydra.sweeper.sampler, cfg.hydra.sweeper.fresh) == (SWEEPER, "random", 3)
    assert (cfg.hydra.mode, cfg.metric.split) == (RunMode.MULTIRUN, "heldout")
    assert configs.compose("").hydra.sweeper._target_ == GRID
