"""The study of a search: the space of its values, its trials in a file, and the sampler that suggests the next."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from gan_cli import files
from gan_cli.config.grammar import key_of
from gan_cli.config.names import is_run_only
from gan_cli.errors import UserError

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy
    from optuna.distributions import BaseDistribution
    from optuna.storages import JournalStorage
    from optuna.trial import FrozenTrial

NAME = "study.log"
"""Name of the study's file in the folder of the search."""
FOLDER = "folder"
"""Attribute of a trial that names the folder of its search."""
ENOUGH = 5
"""Number of scored trials from which the importance of keys is computed."""
DIGITS = 4
"""Number of significant digits of the values that are tried."""


@dataclass(frozen=True)
class Space:
    """The values that the trials of a search try, and the overrides that they have in common.

    Attributes:
        fixed: The overrides of all trials.
        distributions: Maps each key that is searched, as it is overridden, to the distribution of its values.
    """

    fixed: Sequence[str]
    distributions: Mapping[str, "BaseDistribution"]

    def overrides(self, values: Mapping[str, Any]) -> list[str]:
        """Return the overrides of the trial with these values."""
        tried = (f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value) for value in values.values())
        return [*self.fixed, *(f"{key}={text}" for key, text in zip(values, tried, strict=True))]

    def example(self) -> list[str]:
        """Return the overrides of some trial, whose real numbers are not whole."""
        optuna = _optuna()
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        return self.overrides(study.ask(dict(self.distributions)).params)

    def scales(self) -> dict[str, str]:
        """Return the scale of each key's values: ``linear``, ``log``, or ``choice`` for a list of them."""
        kinds = {False: "linear", True: "log", None: "choice"}
        return {key.lstrip("+~"): kinds[getattr(one, "log", None)] for key, one in self.distributions.items()}

    def described(self) -> list[str]:
        """Return what makes the numbers of two trials comparable: whatever affects their results, and the distributions."""
        fixed = sorted(word for word in self.fixed if not is_run_only(key_of(word)))
        return [*fixed, *(f"{key}={distribution}" for key, distribution in sorted(self.distributions.items()))]


def space(words: Sequence[Override]) -> Space:
    """Return the search space that overrides describe.

    ``interval(a,b)`` is a range of real numbers, ``int(interval(a,b))`` one of integers, and ``tag(log,...)`` a logarithmic
    one; ``range(a,b,step)`` and ``a,b,c`` are the values that they list.

    Raises:
        UserError: If nothing is searched, or a range is empty.
    """
    fixed, distributions = [], {}
    for word in words:
        values = list(word.sweep_string_iterator()) if word.is_discrete_sweep() else []
        if not word.is_sweep_override():
            fixed.append(str(word.input_line))
        elif len(values) == 1:
            fixed.append(f"{word.get_key_element()}={values[0]}")
        else:
            distributions[word.get_key_element()] = _distribution(word, values)
    if not distributions:
        raise UserError(
            "nothing to search: no key has several values.\n"
            "As in optimizer.lr='tag(log,interval(1e-5,1e-3))' train.n_critic='int(interval(1,5))' loss=wgan_gp,hinge"
        )
    return Space(fixed, distributions)


def _distribution(word: Override, values: Sequence[str]) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    sweep = word.value()
    log = isinstance(sweep, (IntervalSweep, RangeSweep)) and "log" in sweep.tags
    try:
        if isinstance(sweep, IntervalSweep):
            low, high = sweep.start, sweep.end
            assert low is not None
            assert high is not None
            if isinstance(low, int) and isinstance(high, int):
                return IntDistribution(low, high, log=log)
            return FloatDistribution(low, high, log=log)
        if isinstance(sweep, RangeSweep) and all(isinstance(one, int) for one in (sweep.start, sweep.stop, sweep.step)):
            numbers = sorted(map(int, values))
            return IntDistribution(numbers[0], numbers[-1], log, 1 if log else abs(int(sweep.step)))
        return CategoricalDistribution(values)
    except ValueError as error:
        raise UserError(f"{word.input_line}: {error}") from error


class Study:
    """The trials of a search, those of other searches on the same file included.

    The next suggestion depends on the seed and on the trials so far alone, so a search that is stopped and started again
    goes on as it would have.

    Args:
        file: Holds the trials.
        space: What they try.
        sampler: ``tpe`` or ``random``.
        seed: Seed of the sampler.
        folder: Folder of this search.

    Raises:
        UserError: If the file holds the trials of another search space.
    """

    def __init__(self, file: Path, space: Space, sampler: str, seed: int, folder: Path) -> None:
        self.file, self.space, self.seed, self.folder = file, space, seed, str(folder.absolute())
        self.sampler = _choice("sampler", sampler, _samplers())
        file.parent.mkdir(parents=True, exist_ok=True)
        self.alone = _Lock.of(file)
        with self.alone():
            _, self.study = opened(file, self.alone)
            described = self.study.user_attrs.get("space")
            if described is None:
                self.study.set_user_attr("space", space.described())
            elif described != space.described():
                changed = sorted({*described} ^ {*space.described()})
                raise UserError(
                    f"{file} holds trials of another search; what differs: {', '.join(changed)}.\n"
                    "Trials of different spaces are not comparable: take another hydra.sweep.dir or hydra.sweeper.storage."
                )

    @property
    def trials(self) -> list["FrozenTrial"]:
        """All trials in the order of their suggestion."""
        return self.study.trials

    def is_own(self, trial: "FrozenTrial") -> bool:
        """Return True if this search has asked for the trial."""
        return bool(trial.user_attrs.get(FOLDER) == self.folder)

    def ask(self, most: int, largest: int) -> list["FrozenTrial"]:
        """Return trials to run: those of this search that were interrupted, or new ones.

        Args:
            most: Number of trials in the study from which no new one is begun.
            largest: Largest number of trials to return.
        """
        from optuna.trial import TrialState

        with self.alone():
            todo = [trial for trial in self.trials if trial.state is TrialState.RUNNING and self.is_own(trial)][:largest]
            for number in range(len(self.trials), min(most, len(self.trials) + largest - len(todo))):
                self.study.sampler = self.sampler(seed=self.seed + number)
                self.study.ask(dict(self.space.distributions)).set_user_attr(FOLDER, self.folder)
                todo.append(self.trials[number])
            return todo

    def tell(self, trial: "FrozenTrial", score: float | None) -> None:
        """Record the score of a trial, of which lower is better. None: it failed."""
        from optuna.trial import TrialState

        self.study.tell(trial.number, score, state=None if score is not None else TrialState.FAIL)

    def tell_pruned(self, trial: "FrozenTrial") -> None:
        """Record that a trial was pruned, with the metrics that it has recorded itself."""
        from optuna.trial import TrialState

        self.study.tell(trial.number, state=TrialState.PRUNED)

    @property
    def scored(self) -> list["FrozenTrial"]:
        """The trials that have a score."""
        from optuna.trial import TrialState

        return [trial for trial in self.trials if trial.state is TrialState.COMPLETE]

    def best(self) -> "FrozenTrial | None":
        """Return the trial with the lowest score, or None if none has one."""
        return min(self.scored, key=lambda trial: (trial.value, trial.number), default=None)

    def importance(self) -> dict[str, float]:
        """Return the share of each key in the differences between good and other trials; empty if they are too few.

        Computed by PED-ANOVA (Watanabe, Bansal and Hutter 2023, "PED-ANOVA: Efficiently Quantifying Hyperparameter
        Importance in Arbitrary Subspaces").
        """
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        if len(self.scored) < ENOUGH:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that all scores are equal, which the shares show
            return get_param_importances(self.study, evaluator=PedAnovaImportanceEvaluator())


class _Lock:
    """The lock of a study's file, which its holder may take several times; the kernel releases it when a process ends."""

    def __init__(self, path: Path) -> None:
        self.path, self.depth, self.held = path, 0, ExitStack()

    @classmethod
    def of(cls, file: Path) -> "_Lock":
        return cls(file.with_name(f"{file.name}.lock"))

    def acquire(self) -> bool:
        if self.depth == 0:
            self.held.enter_context(files.file_lock(self.path))
        self.depth += 1
        return True

    def release(self) -> None:
        self.depth -= 1
        if self.depth == 0:
            self.held.close()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()


def score(value: float | None, higher_is_better: bool) -> float | None:
    """Return what a search minimises: a number of which lower is better; None if it is not finite."""
    if value is None or not math.isfinite(value):
        return None
    return -value if higher_is_better else value


def opened(file: Path, lock: _Lock | None = None) -> "tuple[JournalStorage, OptunaStudy]":
    """Return the content of ``file`` and the study in it, a new one if there is none.

    Args:
        file: Holds the trials.
        lock: Its lock, which is taken to write. None: one of its own.

    Raises:
        UserError: If the file cannot be read.
    """
    optuna = _optuna()
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    held: Any = lock or _Lock.of(file)  # has the two methods that are called, not the base
    try:
        storage = JournalStorage(JournalFileBackend(str(file), held))
        return storage, optuna.create_study(storage=storage, study_name="gan-cli", load_if_exists=True)
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:  # whatever its reader stumbles over
        raise UserError(f"{file} is damaged, or no study of optuna: {error}.\nTake another hydra.sweep.dir.") from error


def _optuna() -> Any:
    """Import optuna, whose own lines about studies and trials are left out."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _samplers() -> dict[str, Any]:
    from optuna.samplers import RandomSampler, TPESampler

    return {"tpe": TPESampler, "random": RandomSampler}


def _choice(key: str, name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        raise UserError(f"hydra.sweeper.{key} must be one of {', '.join(known)}, not {name!r}")
    return known[name]
