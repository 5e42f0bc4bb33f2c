"""The figure that the command line asks for: numbers over a swept key."""

from collections.abc import Sequence

from omegaconf import DictConfig

from gan_cli.errors import UserError, shortened_list
from gan_cli.report.figures.costs import CostCurves
from gan_cli.report.figures.curves import Figure
from gan_cli.report.figures.sweeps import SweepCurves
from gan_cli.report.records.primary import primary_metric
from gan_cli.report.records.runs import RunRecord
from gan_cli.runs.costs import COSTS


def requested(cfg: DictConfig, runs: Sequence[RunRecord]) -> list[Figure]:
    """Return the figure of the numbers ``cfg.y`` over ``cfg.x``, a swept key or a cost; none if the config names none.

    Raises:
        UserError: If the runs do not differ in the key, its values are no numbers, or no run has the numbers.
    """
    if cfg.x is None:
        if cfg.y:
            raise UserError(f"y=[{','.join(cfg.y)}] needs the key over which it is drawn: x=KEY.")
        return []
    metric = primary_metric(tag for run in runs for tag in run.tags)
    if cfg.x in COSTS:
        names = [_number(name if "/" in name else f"metric/{name}", runs) for name in cfg.y or [metric or "metric"]]
        if not any(run.series(COSTS[cfg.x]) for run in runs):
            raise UserError(f"x={cfg.x}: these runs have not logged {COSTS[cfg.x]}.")
        return [CostCurves(title=f"{', '.join(names)} over {cfg.x.replace('_', ' ')}", tags=names, cost=cfg.x)]
    swept = list(dict.fromkeys(key for run in runs for key in run.settings))
    numeric = [key for key in swept if any(run.setting(key) is not None for run in runs)]
    if len({value for run in runs if (value := run.setting(cfg.x)) is not None}) < 2:
        what = "takes no numbers" if cfg.x in swept else "is not swept"
        there = f"Keys with numbers: {', '.join(numeric)}." if numeric else "No key with numbers is swept in these runs."
        raise UserError(f"x={cfg.x} {what} here.\n{there} Costs: {', '.join(COSTS)}.")
    if not cfg.y and metric is None:
        raise UserError(f"x={cfg.x}: these runs have no metric. Name what is drawn: y=TAG.")
    numbers = [_number(name, runs) for name in cfg.y or [metric]]
    return [SweepCurves(title=f"{', '.join(numbers)} over {cfg.x}", key=cfg.x, numbers=numbers, log_x=None, caption=CAPTION)]


CAPTION = "Means over seeds with their standard errors."


def _number(name: str, runs: Sequence[RunRecord]) -> str:
    """Return the name of a number of these runs: of gan-eval, or a logged tag, of which ``metric/`` may be left out."""
    for one in (name, f"metric/{name}"):
        if any(run.number(one) is not None for run in runs):
            return one
    measured = dict.fromkeys(number for run in runs for result in run.results for number in result.numbers)
    known = [*measured, *dict.fromkeys(tag for run in runs for tag in run.tags)]
    raise UserError(f"y={name}: no run has this number.\nThere is {shortened_list(known, 12)}")
