"""The pruner of a trial: compares its metric at each evaluation with those of the other trials in the study's file."""

import copy
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from gan_cli.cli.study import opened, score
from gan_cli.errors import UserError

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial

NONE = "none"
"""Name of the pruner that prunes no trial."""
PRUNED_AT = "pruned_at"
"""Attribute of a trial: the step at which it was pruned."""


class TrialPruner:
    """A ``gan_cli.training.pruning.Pruner`` that asks one of optuna's pruners.

    Args:
        file: File of the study.
        number: Number of the trial.
        pruner: Makes the pruner.

    Attributes:
        pruned_at: The step at which the trial was pruned. None: it was not.
    """

    def __init__(self, file: Path, number: int, pruner: "Callable[[], BasePruner]") -> None:
        self.storage, self.study = opened(file)
        study = self.storage.get_study_id_from_name(self.study.study_name)
        self.id = self.storage.get_trial_id_from_study_id_trial_number(study, number)
        self.pruner = pruner()
        self.pruned_at: int | None = self.storage.get_trial(self.id).user_attrs.get(PRUNED_AT)

    def prunes(self, step: int, value: float, higher_is_better: bool) -> bool:
        """Record the metric at ``step``, and return True if the trial is to end here."""
        lower_is_better = score(value, higher_is_better)
        self.storage.set_trial_intermediate_value(self.id, step, math.nan if lower_is_better is None else lower_is_better)
        if self.pruner.prune(self.study, self._until(step)):
            self.storage.set_trial_user_attr(self.id, PRUNED_AT, step)
            self.pruned_at = step
        return self.pruned_at == step

    def _until(self, step: int) -> "FrozenTrial":
        """Return the trial as it was at ``step``: a run that was killed plays rounds again whose metric is known already."""
        trial = copy.copy(self.storage.get_trial(self.id))
        trial.intermediate_values = {at: value for at, value in trial.intermediate_values.items() if at <= step}
        return trial


def trial_pruner(sweeper: DictConfig, cfg: DictConfig) -> TrialPruner | None:
    """Return the pruner of the trial that a job is, or None if the job is no trial that may be pruned.

    Args:
        sweeper: The sweeper's node of the job.
        cfg: The config of the job.
    """
    if "trial" not in sweeper:
        return None
    first, last = max(sweeper.warmup, cfg.eval_every), cfg.train.steps
    return TrialPruner(Path(sweeper.storage), sweeper.trial, lambda: PRUNERS[sweeper.pruner](first, last))


def check_pruner(name: str, warmup: int) -> None:
    """Check the options of pruning.

    Raises:
        UserError: If there is no such pruner, or the number of rounds is none.
    """
    if name not in (NONE, *PRUNERS):
        raise UserError(f"hydra.sweeper.pruner must be one of {', '.join((NONE, *PRUNERS))}, not {name!r}")
    if type(warmup) is not int or warmup < 0:
        raise UserError(f"hydra.sweeper.warmup must be a whole number, at least 0, not {warmup!r}")


def _median(first: int, last: int | None) -> "BasePruner":
    """Prune a trial whose best metric so far is worse than the median of those of finished trials at the same step."""
    from optuna.pruners import MedianPruner

    return MedianPruner(n_warmup_steps=first)


def _successive_halving(first: int, last: int | None) -> "BasePruner":
    """Keep the best quarter of the trials at ``first``, 4 * ``first``, 16 * ``first``, ... (Li et al. 2020, ASHA)."""
    from optuna.pruners import SuccessiveHalvingPruner

    return SuccessiveHalvingPruner(min_resource=first)


def _hyperband(first: int, last: int | None) -> "BasePruner":
    """Divide the trials among successive halvings by 3 that begin at different steps (Li et al. 2018)."""
    from optuna.pruners import HyperbandPruner

    return HyperbandPruner(min_resource=first, max_resource="auto" if last is None else last)


PRUNERS: "Mapping[str, Callable[[int, int | None], BasePruner]]" = {
    "median": _median,
    "successive_halving": _successive_halving,
    "hyperband": _hyperband,
}
"""Maps a name to a function of the first and the last step at which trials are compared."""
