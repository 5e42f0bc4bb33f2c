"""A sweep that searches: optuna suggests the values of each trial from the results of those before."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_loader import ConfigLoader
from hydra.types import RunMode

from gan_cli.cli import cluster
from gan_cli.cli.jobs import Job, with_values
from gan_cli.cli.launchers import unfinished
from gan_cli.cli.pruning import NONE, check_pruner
from gan_cli.cli.study import FOLDER, NAME, Study, score, space
from gan_cli.cli.summary import print_summary
from gan_cli.cli.sweeper import Sweep
from gan_cli.config.combinations import merged
from gan_cli.config.compose import SEARCH, compose, own_options
from gan_cli.config.grammar import key_of, quote
from gan_cli.config.hydra_internals import register_plugin
from gan_cli.errors import UserError
from gan_cli.own_code import reason
from gan_cli.runs.started import in_one_line, options_arguments

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


class Search(Sweep):
    """A sweep whose jobs are trials of a search for the best metric.

    It has the folders, the locks and the closing table of a sweep, and goes on where it was stopped.

    Args:
        n_trials: Number of trials, those of earlier calls and of other searches on the same storage included.
        n_jobs: Number of trials that are suggested and run at a time. None: the number of the launcher's workers.
        sampler: ``tpe`` (tree-structured Parzen estimator) or ``random``.
        seed: Seed of the sampler.
        storage: File of the study, which several searches may share. None: one in the folder of the search.
        pruner: ``median``, ``successive_halving`` or ``hyperband`` end a trial that does worse than others; ``none``.
        warmup: Number of rounds before which no trial is pruned.
        fresh: Number of further runs of the best trial of each method, with other seeds; they begin after the last trial.
        params: Maps a key to its values, as on the command line.
    """

    __module__ = SEARCH.rpartition(".")[0]

    def __init__(
        self,
        n_trials: int,
        n_jobs: int | None,
        sampler: str,
        seed: int,
        storage: str | None,
        pruner: str,
        warmup: int,
        fresh: int,
        params: dict[str, str] | None = None,
    ) -> None:
        super().__init__(None, params)
        self.n_trials, self.n_jobs = n_trials, n_jobs
        self.storage = None if storage is None else Path(storage)
        self.pruner, self.warmup, self.fresh = pruner, warmup, fresh
        self.numbers: dict[str, int] = {}
        self.how: Mapping[str, Any] = {"sampler": sampler, "seed": seed}

    def sweep(self, arguments: list[str]) -> None:
        """Run trials until there are ``n_trials``.

        Raises:
            UserError: If there is nothing to search, the config of a trial is invalid, or the trials have no metric.
            SystemExit: With code 1, after the table has been printed, if a trial failed.
        """
        assert self.config is not None
        assert self.hydra_context is not None
        configs, folder = self.hydra_context.config_loader, self._folder()
        for key, value, least in (("n_trials", self.n_trials, 1), ("n_jobs", self.n_jobs or 1, 1), ("fresh", self.fresh, 0)):
            if type(value) is not int or value < least:
                raise UserError(f"hydra.sweeper.{key} must be a whole number, at least {least}, not {value!r}")
        check_pruner(self.pruner, self.warmup)
        searched = space(merged(self.params, arguments, configs))
        self._prepare(configs, [key.lstrip("+~") for key in searched.distributions])
        example = searched.example()
        self._add({}, example, configs)  # refuses what no trial could be, before there is a study
        cfg = compose(configs, "train", [*(word for word in self.ours if key_of(word) != "hydra.mode"), *example])
        if self.pruner != NONE and not cfg.eval_every:
            raise UserError(f"hydra.sweeper.pruner={self.pruner} needs evaluations in the course of a trial: eval_every=N.")
        self._show_supplied()
        study = Study(self._file, searched, folder=folder, **self.how)
        jobs: dict[str, Job] = {}
        confirming: list[Job] = []

        def job(trial: "FrozenTrial") -> Job:
            return self._add(jobs, searched.overrides(trial.params), configs)

        trials = [trial for trial in study.trials if study.is_own(trial)]
        done = {one.folder for one in map(job, trials) if one.is_finished()}
        print(f"{self.n_trials} trials, {len(study.trials)} of them begun already: {folder}", flush=True)
        cluster.check(self.config.hydra.launcher)
        excuse = unfinished(self.config.hydra.launcher)
        try:
            with self._side_by_side():
                complete = True
                while complete and (trials := study.ask(self.n_trials, self.n_jobs or self._workers())):
                    asked = [job(trial) for trial in trials]
                    todo = {one.subdir: one for one in asked if not one.has_ended()}
                    self.numbers = {one.subdir: trial.number for trial, one in zip(trials, asked, strict=True)}
                    self._launch(list(todo.values()), trials[0].number)
                    told = [self._tell(study, trial, one) for trial, one in zip(trials, asked, strict=True)]
                    complete = all(told)
                if complete and self.fresh:
                    confirming += self._fresh_jobs(jobs, configs)
                    done |= {one.folder for one in confirming if one.is_finished()}
                    self._launch([one for one in confirming if one.folder not in done], len(jobs))
            excuse = "ended without a result"
        except UserError:
            raise
        except Exception as error:  # the launcher lost its workers, not one job its way
            excuse = reason(error)
        finally:
            # an experiment that is a search itself would begin one again
            single = ["hydra.mode=RUN"] if cfg.hydra.mode == RunMode.MULTIRUN else []
            failed = self._summarize(study, [*jobs.values(), *confirming], len(confirming), done, excuse, single) if jobs else 0
        if failed:
            raise SystemExit(1)

    def _tell(self, study: Study, trial: "FrozenTrial", job: Job) -> bool:
        """Tell the study how a trial has ended, and return True, or False if it has been interrupted.

        Raises:
            UserError: If the trial has finished without a metric.
        """
        result = job.result() or {}
        if result.get("status") == "finished":
            metric = result["metric"]
            if metric is None:
                raise UserError(f"a search needs a metric, and {job.folder} has none: leave out metric=none.")
            study.tell(trial, score(metric["final"], metric["higher_is_better"]))
        elif result.get("status") == "pruned":
            study.tell_pruned(trial)
        elif result.get("status") == "failed":
            study.tell(trial, None)
        return result.get("status") in ("finished", "pruned", "failed")

    def _fresh_jobs(self, trials: Mapping[str, Job], configs: ConfigLoader) -> list[Job]:
        """Return the jobs of the best trial of each method with the seeds that follow that of the trial."""
        from gan_cli.evaluation.best_of import best_trials
        from gan_cli.evaluation.sweeps import sweep_runs

        self.swept, jobs = [*self.swept, "seed"], dict[str, Job]()
        for best in best_trials(self._folder(), [run for run in sweep_runs(self._folder()) if run.name in trials]):
            for seed in range(best.seed + 1, best.seed + 1 + self.fresh):
                self._add(jobs, with_values(trials[best.name].overrides, {"seed": str(seed)}), configs)
        print(f"{len(jobs)} runs of the best trials with fresh seeds", flush=True)
        return list(jobs.values())

    def _own(self, job: Job) -> list[str]:
        """Return the words by which a trial that may be pruned knows its number and the file of the study."""
        if self.pruner == NONE or job.subdir not in self.numbers:
            return []
        file = quote(str(self._file.absolute()))
        return [f"++hydra.sweeper.trial={self.numbers[job.subdir]}", f"hydra.sweeper.storage={file}"]

    @property
    def _file(self) -> Path:
        """The file of the study."""
        return self.storage or self._folder() / NAME

    def _summarize(self, study: Study, jobs: list[Job], fresh: int, done: set[Path], excuse: str, single: Sequence[str]) -> int:
        """Print the table of the jobs and the command line of the best trial, and return the number of failed jobs.

        Args:
            study: The study.
            jobs: The trials, and last so many runs with ``fresh`` seeds.
            fresh: Number of these runs.
            done: Folders of the jobs that an earlier call had finished.
            excuse: The reason shown for a job that left no result.
            single: Words that let the best command train a single run.
        """
        best, keys = study.best(), study.importance()
        entry = {"n_trials": len(study.trials), "best": None if best is None else best.number}
        found = {**entry, "fresh": fresh, "keys": study.space.scales(), "importance": keys}
        failed = print_summary(self._folder(), jobs, done, excuse, self.options, {"search": found})
        if len(keys) > 1:
            print("importance:", ", ".join(f"{key} {share:.0%}" for key, share in keys.items()))
        if best is not None:
            assert self.config is not None
            where = "" if study.is_own(best) else f", by the search in {best.user_attrs[FOLDER]}"
            print(f"best of {len(study.scored)} finished trials, trial {best.number}{where}:")
            options = options_arguments(own_options(self.config.hydra))
            print(in_one_line([*options, *study.space.overrides(best.params), *single]))
        return failed


register_plugin(Search, SEARCH)
