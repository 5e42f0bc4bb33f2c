"""Searches: trials that learn from those before, nothing twice, nothing lost."""

import json
import signal
from statistics import median

import pytest
import sklearn  # noqa: F401  # which optuna imports, and which sets environment variables when it is imported
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from gan_cli.cli.search import score
from gan_cli.cli.study import Space, Study, space
from gan_cli.config.combinations import merged
from gan_cli.config.compose import loader
from gan_cli.errors import Stopped, UserError

SEARCH = ["-m", "hydra/sweeper=optuna", "seed=int(interval(1,1000))"]


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


@pytest.mark.slow
def test_a_search_ends_with_the_best_command(call, jobs, tmp_path):
    jobs.measure = lambda cfg: abs(cfg.seed - 300.0)
    answer = call("train", *SEARCH, "loss=plain,hinge", "hydra.sweeper.n_trials=15", "hydra.sweep.dir=s")
    assert (answer.code, answer.err) == (0, "")
    best = min(jobs.trained, key=lambda job: abs(job["cfg"]["seed"] - 300))["cfg"]
    loss = best["loss"]["_target_"].removeprefix("m.").lower()
    assert answer.out.endswith(f"gan-train seed={best['seed']} loss={loss}\n")
    assert "15 trials, 0 of them begun already: s" in answer.out
    found = json.loads((tmp_path / "work" / "s" / "sweep.json").read_text())
    assert found["search"]["n_trials"] == 15
    assert sum(found["search"]["importance"].values()) == pytest.approx(1)
    assert {job["seed"] for job in found["jobs"]} == {*seeds(jobs)}

    jobs.higher_is_better = True
    highest = call("train", *SEARCH, "loss=plain,hinge", "hydra.sweeper.n_trials=15", "hydra.sweep.dir=t").out
    seed = max(seeds(jobs)[15:], key=lambda seed: abs(seed - 300))
    assert f"gan-train seed={seed} " in highest.splitlines()[-1]


@pytest.mark.slow
def test_a_search_goes_on_where_it_was_stopped(call, jobs):
    assert call("train", *SEARCH, "hydra.sweeper.n_trials=13", "hydra.sweep.dir=whole").code == 0
    whole = seeds(jobs)
    jobs.trained.clear()
    jobs.fail = {whole[11]: Stopped("stopped", signal.SIGTERM)}
    assert call("train", *SEARCH, "hydra.sweeper.n_trials=13", "hydra.sweep.dir=s").code == 128 + signal.SIGTERM
    assert seeds(jobs) == whole[:12]
    jobs.fail = {}
    answer = call("train", *SEARCH, "hydra.sweeper.n_trials=13", "hydra.sweep.dir=s")
    assert seeds(jobs)[12:] == whole[11:]
    assert jobs.trained[12]["cfg"]["resume"] == f"s/seed-{whole[11]}", "it continues from its checkpoint"
    assert "12 of them begun already" in answer.out
    more = call("train", *SEARCH, "hydra.sweeper.n_trials=14", "hydra.sweep.dir=s")
    assert (more.code, len(jobs.trained)) == (0, 15)


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
        (["seed=1,2", "hydra.sweeper.n_trials=0"], "hydra.sweeper.n_trials must be a whole number, at least 1, not 0"),
        (["seed=interval(1,2)"], "seed must be an integer"),
    ],
)
def test_searches_that_cannot_be_made_are_refused(call, jobs, tmp_path, words, answer):
    found = call("train", "-m", "hydra/sweeper=optuna", *words, "hydra.sweep.dir=s")
    assert (found.code, jobs.trained) == (2, [])
    assert answer in found.err
    assert not (tmp_path / "work" / "s").exists(), "nothing is left behind"
