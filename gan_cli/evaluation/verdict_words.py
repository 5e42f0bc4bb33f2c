"""Rankings in words: differences with their intervals, verdicts, and what they are worth."""

import math

from gan_cli.config.names import settings_text
from gan_cli.evaluation.comparison import Ranking, Row
from gan_cli.evaluation.moderated import MAX_SEEDS
from gan_cli.evaluation.number_format import format_interval, format_signed
from gan_cli.evaluation.verdicts import TOGETHER, describe_level


def row_name(ranking: Ranking, row: Row) -> str:
    """Return the settings in which a method differs from the others."""
    return settings_text(ranking.own(row)) or "all runs"


def base_in_words(ranking: Ranking) -> str:
    """Return the kind of method that the others are compared with."""
    return "reference" if ranking.reference else "best"


def difference_text(row: Row) -> str:
    """Return the difference with its interval; empty for the method that the others are compared with."""
    difference = row.difference
    if difference is None or math.isnan(difference.value):
        return ""
    if difference.interval is None:
        return format_signed(difference.value)
    value, low, high = format_interval(difference.value, *difference.interval)
    return f"{value} [{low},{high}]"


def verdict_text(ranking: Ranking, row: Row) -> str:
    """Return the verdict on a method."""
    return base_in_words(ranking) if row.difference is None else row.difference.verdict


def seeds_text(row: Row) -> str:
    """Return the number of seeds that would tell a method apart; empty if it is told apart or cannot be."""
    if row.difference is None or row.difference.verdict != TOGETHER or not row.difference.value:
        return ""
    return f"> {MAX_SEEDS}" if row.difference.seeds is None else str(row.difference.seeds)


def legend(ranking: Ranking) -> list[str]:
    """Return lines that explain the differences, verdicts and seeds; empty for a single method."""
    if len(ranking.rows) < 2:
        return []
    level = describe_level(ranking.comparisons, "those with the reference" if ranking.reference else "all pairs of methods")
    base = base_in_words(ranking)
    lines = [
        f"To the {base}: mean difference at equal seeds, with {level} from moderated variances. "
        "Not told apart: the interval contains 0."
    ]
    if ranking.undecided:
        names = "; ".join(row_name(ranking, row) for row in ranking.undecided)
        lines += [
            f"Not told apart from the {base} ({row_name(ranking, ranking.base)}): {names}.",
            "Seeds to decide: seeds per method at which the same difference and spread would tell them apart.",
        ]
    return lines
