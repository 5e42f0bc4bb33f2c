"""The rankings of a sweep as plain data, for ``eval.json``."""

from collections.abc import Iterable, Mapping
from typing import Any

from gan_cli.config.names import settings_text
from gan_cli.evaluation.comparison import Comparison, Mean, Ranking, Row
from gan_cli.evaluation.moderated import LEVEL, joint_level
from gan_cli.evaluation.results import Result
from gan_cli.evaluation.stored_form import plain


def ranking_entries(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the rankings as plain data: means with errors, differences and their intervals."""
    return [_ranking(ranking) for ranking in comparison.rankings]


def _ranking(ranking: Ranking) -> dict[str, Any]:
    entry = {
        "number": ranking.primary,
        "higher_is_better": ranking.numbers[ranking.primary].higher_is_better,
        "checkpoint": ranking.chosen,
        "compared_with": settings_text(ranking.base.settings) or "all runs",
        "reference": ranking.reference,
        "comparisons": ranking.comparisons,
        "level": LEVEL,
        "level_of_each": joint_level(ranking.comparisons),
        "not_told_apart": [settings_text(row.settings) or "all runs" for row in ranking.undecided],
        "floor": None if ranking.floor is None else list(ranking.floor),
        "floor_error": ranking.floor_error,
        "measured_as": ranking.provenance.decisive(),
        "methods": [_method(ranking, row) for row in ranking.rows],
    }
    return {key: plain(value) for key, value in entry.items()}


def _method(ranking: Ranking, row: Row) -> dict[str, Any]:
    difference = row.difference
    return {
        "method": settings_text(row.settings) or "all runs",
        "settings": dict(row.settings),
        "seeds": list(row.seeds),
        "numbers": {name: _mean(mean) for name, mean in row.means[ranking.chosen].items()},
        "by_class": {name: {label: _mean(mean) for label, mean in means.items()} for name, means in row.by_class.items()},
        "difference": None if difference is None else difference._asdict(),
    }


def _mean(mean: Mean) -> dict[str, Any]:
    return {"mean": mean.value, "error": mean.error, "n": mean.n}


def by_run(results: Iterable[Result], names: Mapping[str, str]) -> dict[str, list[Result]]:
    """Return results by the name of their run, given the names by source; others are left out."""
    found: dict[str, list[Result]] = {}
    for result in results:
        if result.source in names:
            found.setdefault(names[result.source], []).append(result)
    return found
