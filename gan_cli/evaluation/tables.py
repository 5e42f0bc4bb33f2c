"""Results as console tables, readable from 80 columns on."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from gan_cli.evaluation.comparison import Comparison, Mean, Ranking, Row
from gan_cli.evaluation.floor_words import REAL, floor_in_words, floor_note
from gan_cli.evaluation.layout import FirstThatFits, blank_table, chunks, numeric_column, titled_table, wrap_name
from gan_cli.evaluation.number_format import decimal_place, format_fixed, format_value, is_significant
from gan_cli.evaluation.remarks import remarks
from gan_cli.evaluation.results import Number, Provenance, Result, flatten_settings, format_setting, named
from gan_cli.evaluation.verdict_words import base_in_words, difference_text, legend, seeds_text, verdict_text
from gan_cli.inference.labels import LABELS

MAX_COLUMNS = 4
"""Maximum number of value columns in one table; further numbers go to another table."""
KEYS_WIDTH = 34
"""Swept keys that need more room share one column."""
NAME_WIDTH = 7
"""Narrowest column of a swept key with longer values."""
PAIR_WIDTH = 22
"""Maximum length of ``key=value`` on one line of the shared column."""


def caption(provenance: Provenance, seed: bool = True) -> str:
    """Return everything a number depends on, in a few lines; without the seed where several seeds are combined."""
    features = dict(provenance.features)
    extractor = [f"features {features.pop('extractor')}"] if features else []
    lines = [
        *(
            [", ".join([*extractor, *(f"{key} {format_setting(value)}" for key, value in features.items())])]
            if extractor
            else []
        ),
        f"{provenance.n_fake} generated against {provenance.n_real} real samples ({provenance.split}, "
        f"{_preprocessing(provenance)}content {format_setting(provenance.reference)})"
        + {None: "", True: ", averaged players", False: ", trained players"}[provenance.ema]
        + "".join(f", {key} {format_setting(value)}" for key, value in provenance.sampling.items())
        + (f", {LABELS[provenance.labels]}" if provenance.labels in LABELS else "")
        + (f", seed {provenance.seed}" if seed else ""),
        *([f"protocol: {provenance.protocol}"] if provenance.protocol else []),
    ]
    settings = ", ".join(f"{key} {format_setting(value)}" for key, value in flatten_settings(provenance.settings))
    return "\n".join([*lines, *([f"{provenance.metric}: {settings}"] if settings else [])])


def _preprocessing(provenance: Provenance) -> str:
    """Return how real images were brought to their size, with a comma behind it; empty for other samples."""
    if not provenance.preprocessing:
        return ""
    given = [f"{key} {format_setting(value)}" for key, value in provenance.preprocessing.items() if value is not None]
    return f"{', '.join(given) or 'sizes as they are'}, "


def run_tables(results: Iterable[Result]) -> list[Group]:
    """Return tables of a run's checkpoints or of a folder of images: a row per number, a column per checkpoint, and the floor.

    Results of different provenance have separate tables.
    """
    return [_run_table(alike) for alike in group_by_provenance(results)]


def curve_tables(results: Iterable[Result]) -> list[Group]:
    """Return tables of a run's checkpoints as a curve: a row per step, a column per number, and the floor below.

    Results of different provenance have separate tables.
    """
    return [table for alike in group_by_provenance(results) for table in _curve_tables(alike)]


def sweep_tables(comparison: Comparison) -> list[Group]:
    """Return tables of a sweep: for each ranking the primary number, then the other numbers; last, the runs left out."""
    tables: list[Group] = []
    for ranking in comparison.rankings:
        tables += [_ranking_table(ranking), *_other_tables(ranking)]
    if comparison.left_out:
        table = blank_table()
        table.add_column("run", overflow="fold")
        table.add_column("why", overflow="fold")
        for name, reason in comparison.left_out.items():
            table.add_row(Text(name), Text(reason))
        tables.append(titled_table("not compared", table))
    return tables


def _run_table(results: Sequence[Result]) -> Group:
    table = blank_table()
    table.add_column("", no_wrap=True)
    for result in results:
        step = [] if result.step is None else [f"step {result.step}"]
        numeric_column(table, " = ".join(result.chosen) or "value", *step)
    floored = _has_floor(results[0])
    if floored:
        numeric_column(table, "floor")
    for name, number in results[0].numbers.items():
        cells = [_number_text(result.numbers.get(name)) for result in results]
        table.add_row(Text(named(name, results[0].numbers)), *cells, *([_floor_text(number)] if floored else []))
    return titled_table(results[0].source, table, *remarks(results), *floor_note(results[0]), caption(results[0].provenance))


def _curve_tables(results: Sequence[Result]) -> Iterable[Group]:
    ordered = sorted(results, key=lambda result: -1 if result.step is None else result.step)
    for names in chunks(ordered[0].numbers, MAX_COLUMNS):
        table = blank_table()
        table.add_column("step", justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
        for name in names:
            numeric_column(table, *wrap_name(named(name, ordered[0].numbers)))
        for result in ordered:
            cells = [_number_text(result.numbers.get(name)) for name in names]
            style = "bold" if "best" in result.chosen else None
            table.add_row("" if result.step is None else str(result.step), " = ".join(result.chosen), *cells, style=style)
        if _has_floor(ordered[0]):
            table.add_section()
            table.add_row("", "floor", *(_floor_text(ordered[0].numbers[name]) for name in names))
        notes = [*remarks(ordered), *floor_note(ordered[0])]
        yield titled_table(ordered[0].source, table, *notes, caption(ordered[0].provenance))


def _ranking_table(ranking: Ranking) -> Group:
    choices = [choice for choice in ranking.rows[0].means if any(row.means[choice] for row in ranking.rows)]
    primary = {choice: [_mean_text(row.means[choice].get(ranking.primary)) for row in ranking.rows] for choice in choices}
    if len(choices) > 1 and all(texts == primary[choices[0]] for texts in primary.values()):
        primary = {" = ".join(choices): primary[choices[0]]}
    compared = {heading: texts for heading, texts in primary.items() if ranking.chosen in heading.split(" = ")}
    seeds = {"seeds": [_seeds_text(row) for row in ranking.rows]}
    narrow = (_ranked(ranking, columns, is_narrow=True) for columns in (seeds | compared, compared))
    table = FirstThatFits(_ranked(ranking, seeds | primary), *narrow)
    notes = [
        *([f"Not comparable with the first table: {', '.join(ranking.differs_in)}."] if ranking.differs_in else []),
        f"By the {checkpoint_name(ranking)}. Mean ± standard error over seeds{_single_seed_note(ranking)}.",
        *([f"Floor, {REAL}: {floor_in_words(ranking)}."] if ranking.floor else []),
        *legend(ranking),
        caption(ranking.provenance, seed=False),
    ]
    title = f"{named(ranking.primary, ranking.numbers)}, best first{shared(ranking)}"
    return titled_table(title, table, *notes)


def _ranked(ranking: Ranking, columns: Mapping[str, Sequence[Text]], is_narrow: bool = False) -> Table:
    """Return the table of the methods with these columns, by their headings, between settings and verdicts.

    In a narrow one nothing but the settings may be made narrower still.
    """
    several, table = len(ranking.rows) > 1, blank_table()
    keys = _key_columns(table, ranking)
    for heading in columns:
        numeric_column(table, heading)
    judged = _judgement_columns(table, ranking, is_narrow) if several else lambda row: []
    for row, *cells in zip(ranking.rows, *columns.values(), strict=True):
        table.add_row(*keys(row), *cells, *judged(row), style=_emphasis(row))
    return table


def _judgement_columns(table: Table, ranking: Ranking, is_narrow: bool) -> Callable[[Row], list[Text]]:
    """Add the columns of differences, verdicts and seeds that would decide, and return the function that fills them.

    The text of the first two may be broken before an interval and between words, and nowhere else.
    """
    space = "\n" if is_narrow else " "

    def texts(row: Row) -> list[str]:
        against = difference_text(row).replace(" ", space)
        return [against, verdict_text(ranking, row).replace(" ", space), seeds_text(row)]

    against, verdicts, seeds = zip(*map(texts, ranking.rows), strict=True)
    least = _longest_word(against)
    table.add_column(f"to the {base_in_words(ranking)}", justify="right", min_width=least, no_wrap=is_narrow)
    table.add_column("", min_width=_longest_word(verdicts), no_wrap=is_narrow)
    if any(seeds):
        numeric_column(table, "seeds to", "decide")
    style = {"worse": "red", "better": "green"}
    return lambda row: [Text(text, style=style.get(text, "")) for text in texts(row)[: 3 if any(seeds) else 2]]


def _other_tables(ranking: Ranking) -> Iterable[Group]:
    """Return tables of the other numbers of the ranked checkpoints, in the same order."""
    others = [name for name in ranking.numbers if name != ranking.primary]
    for names in chunks(others, MAX_COLUMNS - 1):
        table = blank_table()
        keys = _key_columns(table, ranking)
        for name in names:
            numeric_column(table, *wrap_name(named(name, ranking.numbers)))
        for row in ranking.rows:
            cells = [_mean_text(row.means[ranking.chosen].get(name)) for name in names]
            table.add_row(*keys(row), *cells, style=_emphasis(row))
        empty = [""] * (len(table.columns) - len(names) - 1)
        table.add_section()
        table.add_row("floor", *empty, *(_floor_text(ranking.numbers[name]) for name in names))
        yield titled_table(f"other numbers of the {checkpoint_name(ranking)}{shared(ranking)}", table)


def _key_columns(table: Table, ranking: Ranking) -> Callable[[Row], list[Text]]:
    """Add the columns of the swept keys in which methods differ, and return the function that fills them."""
    keys = list(ranking.own(ranking.rows[0]))
    if not keys:
        table.add_column("")
        return lambda row: [Text("all runs")]
    widths = [max(len(_short_key(key)), *(len(row.settings[key]) for row in ranking.rows)) for key in keys]
    if sum(widths) + 2 * len(keys) > KEYS_WIDTH and len(keys) > 1:
        table.add_column("method", overflow="fold", max_width=KEYS_WIDTH)
        return lambda row: [Text("\n".join(_setting(key, row.settings[key]) for key in keys))]
    names = {key: {row.settings[key]: wrap_name(row.settings[key], KEYS_WIDTH) for row in ranking.rows} for key in keys}
    for key, lines in names.items():
        longest = max(len(line) for name in lines.values() for line in name)
        table.add_column(_short_key(key), overflow="fold", min_width=min(longest, NAME_WIDTH), max_width=KEYS_WIDTH)
    return lambda row: [Text("\n".join(names[key][row.settings[key]])) for key in keys]


def _longest_word(texts: Iterable[str]) -> int:
    return max((len(word) for text in texts for word in text.split()), default=0)


def shared(ranking: Ranking) -> str:
    """Return what all rows have in common, for the title."""
    pairs = ", ".join(f"{_short_key(key)}={value}" for key, value in ranking.shared.items())
    return f": {pairs}" if pairs else ""


def _setting(key: str, value: str) -> str:
    """Return ``key=value``, on two lines if it is long."""
    pair = f"{_short_key(key)}={value}"
    return pair if len(pair) <= PAIR_WIDTH else f"{_short_key(key)}=\n  {value}"


def _short_key(key: str) -> str:
    """Return a key without a trailing ``_target_``."""
    return key.removesuffix("._target_")


def checkpoint_name(ranking: Ranking) -> str:
    """Return the checkpoints of a ranking in words."""
    return "requested checkpoint" if ranking.chosen == "step" else f"{ranking.chosen} checkpoint"


def _single_seed_note(ranking: Ranking) -> str:
    return "; a single seed has no error" if any(len(row.seeds) == 1 for row in ranking.rows) else ""


def _emphasis(row: Row) -> str | None:
    return "bold" if row.difference is None else None


def _seeds_text(row: Row) -> Text:
    return Text(str(row.n_seeds) if len(row.seeds) == row.n_seeds else f"{len(row.seeds)} of {row.n_seeds}")


def _mean_text(mean: Mean | None) -> Text:
    return Text("" if mean is None else format_value(mean.value, mean.error))


def _number_text(number: Number | None) -> Text:
    return Text("" if number is None else format_value(number.value, number.error))


def _floor_text(number: Number) -> Text:
    """Format a floor with its standard deviation, or else to the decimal place of its number."""
    if number.floor is None:
        return Text("")
    if number.floor_error is not None:
        return Text(format_value(number.floor, number.floor_error))
    if number.error is None or not math.isfinite(number.floor) or not is_significant(number.value, number.error):
        return Text(format_value(number.floor))
    return Text(format_fixed(number.floor, decimal_place(number.error, 2)))


def _has_floor(result: Result) -> bool:
    return any(number.floor is not None for number in result.numbers.values())


def group_by_provenance(results: Iterable[Result]) -> list[list[Result]]:
    """Group results of equal source and provenance; each seed has its own table."""
    groups: list[list[Result]] = []
    for result in results:
        same = (group for group in groups if (group[0].source, group[0].provenance) == (result.source, result.provenance))
        if (group := next(same, None)) is None:
            groups.append(group := [])
        group.append(result)
    return groups
