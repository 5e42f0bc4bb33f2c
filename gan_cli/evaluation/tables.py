"""Results as tables, readable from 80 columns on: of a run, of a curve, of a sweep. Print them one by one."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from gan_cli.evaluation.comparison import LEVEL, Comparison, Mean, Ranking, Row
from gan_cli.evaluation.number_format import fixed, format_value, place, signed, significant
from gan_cli.evaluation.results import Number, Provenance, Result, remarks, word

ABREAST = 4
"""Numbers side by side in one table; more of them take another one."""
KEYS_WIDTH = 34
"""Swept keys that need more room share one column, where ``key=value`` may be as long as ``PAIR_WIDTH`` in one line."""
PAIR_WIDTH = 22


def caption(provenance: Provenance, seed: bool = True) -> str:
    """All that decides a number, in a few lines; without the ``seed`` where many stand together."""
    features = dict(provenance.features)
    extractor = [f"features {features.pop('extractor')}"] if features else []
    lines = [
        *([", ".join([*extractor, *(f"{key} {word(value)}" for key, value in features.items())])] if extractor else []),
        f"{provenance.n_fake} generated against {provenance.n_real} real samples ({provenance.split}, content "
        f"{word(provenance.reference)})"
        + {None: "", True: ", averaged players", False: ", trained players"}[provenance.ema]
        + "".join(f", {key} {word(value)}" for key, value in provenance.sampling.items())
        + (f", seed {provenance.seed}" if seed else ""),
        *([f"protocol: {provenance.protocol}"] if provenance.protocol else []),
    ]
    settings = ", ".join(f"{key} {word(value)}" for key, value in flat(provenance.settings))
    return "\n".join([*lines, *([f"{provenance.metric}: {settings}"] if settings else [])])


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Settings as dotted keys: those of a composed metric lie under the names of its parts."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def run_tables(results: Iterable[Result]) -> list[Group]:
    """Checkpoints of a run, or a folder of images: a row per number, a column per checkpoint, and the floor.

    Results of different provenance come in tables of their own.
    """
    return [_run_table(alike) for alike in _alike(results)]


def curve_tables(results: Iterable[Result]) -> list[Group]:
    """The checkpoints of a run as a curve: a row per step, a column per number, the floor below.

    Results of different provenance come in tables of their own.
    """
    return [table for alike in _alike(results) for table in _curve_tables(alike)]


def sweep_tables(comparison: Comparison) -> list[Group]:
    """A sweep: for each ranking its methods by the chief number, then their other numbers; last, the runs left out."""
    tables: list[Group] = []
    for ranking in comparison.rankings:
        tables += [_ranking_table(ranking), *_other_tables(ranking)]
    if comparison.left_out:
        table = blank()
        table.add_column("run", overflow="fold")
        table.add_column("why", overflow="fold")
        for name, reason in comparison.left_out.items():
            table.add_row(Text(name), Text(reason))
        tables.append(titled("not compared", table))
    return tables


def _run_table(results: Sequence[Result]) -> Group:
    table = blank()
    table.add_column("", no_wrap=True)
    for result in results:
        _numeric(table, " = ".join(result.chosen) or "value", *([f"step {result.step}"] if result.step is not None else []))
    floored = _has_floor(results[0])
    if floored:
        _numeric(table, "floor")
    for name, number in results[0].numbers.items():
        cells = [_cell(result.numbers.get(name)) for result in results]
        table.add_row(Text(_directed(name, number)), *cells, *([_floor(number)] if floored else []))
    return titled(results[0].source, table, *remarks(results), *_floor_note(results[0]), caption(results[0].provenance))


def _curve_tables(results: Sequence[Result]) -> Iterable[Group]:
    ordered = sorted(results, key=lambda result: -1 if result.step is None else result.step)
    for names in _chunks(ordered[0].numbers, ABREAST):
        table = blank()
        table.add_column("step", justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
        for name in names:
            _numeric(table, *_folded(_directed(name, ordered[0].numbers[name])))
        for result in ordered:
            cells = [_cell(result.numbers.get(name)) for name in names]
            style = "bold" if "best" in result.chosen else None
            table.add_row("" if result.step is None else str(result.step), " = ".join(result.chosen), *cells, style=style)
        if _has_floor(ordered[0]):
            table.add_section()
            table.add_row("", "floor", *(_floor(ordered[0].numbers[name]) for name in names))
        said = [*remarks(ordered), *_floor_note(ordered[0])]
        yield titled(ordered[0].source, table, *said, caption(ordered[0].provenance))


def _ranking_table(ranking: Ranking) -> Group:
    several = len(ranking.rows) > 1
    table = blank()
    keys = _key_columns(table, ranking)
    _numeric(table, "seeds")
    choices = [choice for choice in ranking.rows[0].means if any(row.means[choice] for row in ranking.rows)]
    for choice in choices:
        _numeric(table, choice)
    verdicts = [_against(row) for row in ranking.rows]
    if several:  # these may be broken at their spaces, in front of an interval, and nowhere else
        longest = max(len(part) for against, _ in verdicts for part in ["", *against.split()])
        table.add_column("to the best", justify="right", min_width=longest)
        table.add_column("")
    for row, (against, verdict) in zip(ranking.rows, verdicts, strict=True):
        primary = [_mean(row.means[choice].get(ranking.primary)) for choice in choices]
        style = {"worse": "red", "better": "green"}.get(verdict, "")
        judged = [Text(against), Text(verdict, style=style)] if several else []
        table.add_row(*keys(row), _seeds(row), *primary, *judged, style=_emphasis(row))
    notes = [
        *([f"Not ranked with the first table: {', '.join(ranking.apart)}."] if ranking.apart else []),
        f"By the {_which(ranking)}. Mean ± standard error over seeds{_lonely(ranking)}.{_span(ranking)}",
        *([_explained(ranking)] if several else []),
        caption(ranking.provenance, seed=False),
    ]
    return titled(f"{_directed(ranking.primary, ranking.numbers[ranking.primary])}, best first", table, *notes)


def _other_tables(ranking: Ranking) -> Iterable[Group]:
    """The numbers beside the chief one, of the checkpoints that were ranked, in the same order."""
    others = [name for name in ranking.numbers if name != ranking.primary]
    for names in _chunks(others, ABREAST - 1):
        table = blank()
        keys = _key_columns(table, ranking)
        for name in names:
            _numeric(table, *_folded(_directed(name, ranking.numbers[name])))
        for row in ranking.rows:
            cells = [_mean(row.means[ranking.chosen].get(name)) for name in names]
            table.add_row(*keys(row), *cells, style=_emphasis(row))
        empty = [""] * (len(table.columns) - len(names) - 1)
        table.add_section()
        table.add_row("floor", *empty, *(_floor(ranking.numbers[name]) for name in names))
        yield titled(f"other numbers of the {_which(ranking)}", table)


def _key_columns(table: Table, ranking: Ranking) -> Callable[[Row], list[Text]]:
    """Adds the columns for the swept keys and returns what fills them."""
    keys = list(ranking.rows[0].settings)
    if not keys:
        table.add_column("")
        return lambda row: [Text("all runs")]
    widths = [max(len(_short(key)), *(len(row.settings[key]) for row in ranking.rows)) for key in keys]
    if sum(widths) + 2 * len(keys) > KEYS_WIDTH and len(keys) > 1:
        table.add_column("method", overflow="fold", max_width=KEYS_WIDTH)
        return lambda row: [Text("\n".join(_setting(key, row.settings[key]) for key in keys))]
    for key in keys:
        table.add_column(_short(key), overflow="fold", max_width=KEYS_WIDTH)
    return lambda row: [Text(row.settings[key]) for key in keys]


def _setting(key: str, value: str) -> str:
    """``key=value``, in two lines where that is long."""
    pair = f"{_short(key)}={value}"
    return pair if len(pair) <= PAIR_WIDTH else f"{_short(key)}=\n  {value}"


def _short(key: str) -> str:
    """A key without what every import path ends in."""
    return key.removesuffix("._target_")


def _explained(ranking: Ranking) -> str:
    each = "" if ranking.level == LEVEL else f", each with {100 * ranking.level:.5g} %"
    return (
        "To the best: mean of the paired differences over shared seeds [interval]; with 95 % all pairs of methods lie in theirs"
        f"{each}. No difference: none that these seeds show."
    )


def _which(ranking: Ranking) -> str:
    return "checkpoint asked for" if ranking.chosen == "step" else f"{ranking.chosen} checkpoint"


def _lonely(ranking: Ranking) -> str:
    return "; one seed has none" if any(len(row.seeds) == 1 for row in ranking.rows) else ""


def _span(ranking: Ranking) -> str:
    if ranking.floor is None:
        return ""
    low, high = (format_value(bound) for bound in ranking.floor)
    return f" Floor, real against real: {low}{'' if high == low else f' to {high}'}."


def _emphasis(row: Row) -> str | None:
    return "bold" if row.difference is None else None


def _against(row: Row) -> tuple[str, str]:
    """The difference to the best with its interval, and the verdict."""
    found = row.difference
    if found is None:
        return "", "best"
    if found.interval is None:
        return "" if math.isnan(found.value) else signed(found.value), found.verdict
    low, high = found.interval
    decimals = place((high - low) / 2, 2) if high > low else place(found.value, 4)
    return f"{signed(found.value, decimals)} [{signed(low, decimals)},{signed(high, decimals)}]", found.verdict


def _seeds(row: Row) -> Text:
    return Text(str(row.asked) if len(row.seeds) == row.asked else f"{len(row.seeds)} of {row.asked}")


def _mean(mean: Mean | None) -> Text:
    return Text("" if mean is None else format_value(mean.value, mean.error))


def _cell(number: Number | None) -> Text:
    return Text("" if number is None else format_value(number.value, number.error))


def _floor(number: Number) -> Text:
    """As far as the number itself goes."""
    if number.floor is None:
        return Text("")
    if number.error is None or not math.isfinite(number.floor) or not significant(number.value, number.error):
        return Text(format_value(number.floor))
    return Text(fixed(number.floor, place(number.error, 2)))


def _has_floor(result: Result) -> bool:
    return any(number.floor is not None for number in result.numbers.values())


def _floor_note(result: Result) -> list[str]:
    if not _has_floor(result):
        return []
    n = result.details.get("floor_n", result.provenance.n_real)
    against = result.details.get("floor_against", n)
    others = "as many" if against == n else str(against)
    time = " of another time" if result.details.get("floor_two_times") else ""
    return [f"Floor: the same numbers between {n} real samples and {others} other real ones{time}."]


def _directed(name: str, number: Number) -> str:
    return name if number.higher_is_better is None else f"{name} {'↑' if number.higher_is_better else '↓'}"


def _alike(results: Iterable[Result]) -> list[list[Result]]:
    """The results with equal source and provenance together; a seed of its own is a table of its own."""
    heaps: list[list[Result]] = []
    for result in results:
        same = (heap for heap in heaps if (heap[0].source, heap[0].provenance) == (result.source, result.provenance))
        if (heap := next(same, None)) is None:
            heaps.append(heap := [])
        heap.append(result)
    return heaps


def _chunks(names: Iterable[str], size: int) -> list[list[str]]:
    listed = list(names)
    return [listed[start : start + size] for start in range(0, len(listed), size)]


def blank() -> Table:
    """A table as all of them look, without columns."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)


def titled(title: str, table: Table, *notes: str) -> Group:
    """A table between its title and its notes, which may be wider than it is."""
    return Group(Text(title, style="bold"), table, *(Text(note, style="dim") for note in notes), *([Text()] if notes else []))


def _numeric(table: Table, *heading: str) -> None:
    """A column whose cells are never broken: half a number is another number."""
    table.add_column("\n".join(heading), justify="right", no_wrap=True)


def _folded(name: str, width: int = 16) -> list[str]:
    """A name in lines of about ``width``, broken behind underscores."""
    lines = [""]
    for part in name.replace("_", "_\0").split("\0"):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return lines
