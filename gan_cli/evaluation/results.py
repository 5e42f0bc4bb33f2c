"""What an evaluation leaves behind: numbers beside all that decides them, as ``eval.json`` and ``eval.csv``."""

import csv
import dataclasses
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_cli.errors import UserError
from gan_cli.files import atomic_write, file_lock, write_json

if TYPE_CHECKING:
    import pandas

JSON, CSV = "eval.json", "eval.csv"


@dataclass(frozen=True)
class Number:
    """One measured number.

    ``error``: its standard error, None where unknown; ``floor``: the same measure between real samples and other real
    samples, as many as were compared here, None where it was not taken. ``higher_is_better``: None where neither is.
    """

    value: float
    error: float | None = None
    higher_is_better: bool | None = False
    floor: float | None = None


@dataclass(frozen=True)
class Provenance:
    """All that decides a number beside the samples that were judged.

    ``settings``: the metric's; ``features``: the extractor and what belongs to it (``extractor``, ``weights`` as SHA-256,
    ``resizing``, ...); ``ema``: whether averaged players were judged (images: None);
    ``reference``: hash of the real samples' content; ``sampling``: how samples were drawn where not as in training;
    ``protocol``: of sequences, how they were cut and split, in words; ``group``: the group whose option gave the number,
    ``metric`` for samples or ``diagnostics`` for players.
    Two numbers may be ranked together where everything but ``seed`` agrees.
    """

    metric: str
    settings: Mapping[str, Any]
    features: Mapping[str, Any]
    n_real: int
    n_fake: int
    split: str
    ema: bool | None
    reference: str
    seed: int
    sampling: Mapping[str, Any] = field(default_factory=dict)
    protocol: str | None = None
    group: str = "metric"

    def __post_init__(self) -> None:
        # in the form that a file gives back, so that what was read equals what was written
        object.__setattr__(self, "settings", plain(self.settings))
        object.__setattr__(self, "features", plain(self.features))
        object.__setattr__(self, "sampling", plain(self.sampling))

    def decisive(self) -> dict[str, Any]:
        """Return what must agree, by name; the settings as ``metric.<key>`` or ``diagnostics.<key>``."""
        return {
            self.group: self.metric,
            **self.features,
            **{f"{self.group}.{key}": value for key, value in self.settings.items()},
            "n_real": self.n_real,
            "n_fake": self.n_fake,
            "split": self.split,
            "ema": self.ema,
            "reference": self.reference,
            **self.sampling,
            **({"protocol": self.protocol} if self.protocol else {}),
        }


def differences(a: Provenance, b: Provenance) -> list[str]:
    """Why two numbers must not be ranked together, as ``n_fake 1000 against 5000``; empty where they may."""
    left, right = a.decisive(), b.decisive()
    keys = dict.fromkeys([*left, *right])
    return [f"{key} {word(left.get(key))} against {word(right.get(key))}" for key in keys if left.get(key) != right.get(key)]


def word(value: Any) -> str:
    """A setting as it is shown: checksums by their first twelve digits, true, false and none in lower case."""
    text = str(value)
    if isinstance(value, str) and len(text) >= 40 and set(text) <= set("0123456789abcdef"):
        return text[:12]
    return text.lower() if value is None or isinstance(value, bool) else text


@dataclass(frozen=True)
class Result:
    """What the evaluation of one checkpoint, or of one folder of images, gave.

    ``source``: the run's folder or the folder of images; ``step``: the checkpoint's, None for images; ``chosen``: why this
    checkpoint, of ``last``, ``best`` and ``step``; ``numbers``: by name, the chief one first; ``details``: curves and counts
    as plain data; ``seconds``: how long it took.
    """

    source: str
    step: int | None
    chosen: tuple[str, ...]
    provenance: Provenance
    numbers: Mapping[str, Number]
    details: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def primary(self) -> str:
        """The name of the number that ranks."""
        return next(iter(self.numbers))

    def to_json(self) -> dict[str, Any]:
        """Plain data that strict JSON can hold: what is not a number is None, infinity a word."""
        return {name: plain(value) for name, value in dataclasses.asdict(self).items()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Result":
        """The inverse of ``to_json``; KeyError, TypeError, ValueError or AttributeError for anything else."""
        numbers = {name: _number(entry) for name, entry in content["numbers"].items()}
        if not numbers:
            raise ValueError("a result without numbers")
        parts = {"chosen": tuple(content["chosen"]), "provenance": Provenance(**content["provenance"]), "numbers": numbers}
        return cls(**{**content, **parts})

    def repeats(self, other: "Result") -> bool:
        """Whether both say the same of the same: equal source, step and provenance, the seed included."""
        return (self.source, self.step, self.provenance) == (other.source, other.step, other.provenance)


@dataclass(frozen=True)
class Evaluation:
    """The results of one call of gan-eval.

    Attributes:
        results: One for each checkpoint or folder that was measured.
        folder: Where ``eval.json`` and ``eval.csv`` were written.
    """

    results: tuple[Result, ...]
    folder: Path

    def frame(self) -> "pandas.DataFrame":
        """Return a row for each number: its name, value, standard error, floor and provenance, as in ``eval.csv``."""
        import pandas

        return pandas.DataFrame([row for result in self.results for row in _rows(result)])


def remarks(results: Sequence[Result]) -> list[str]:
    """What metrics say of their own numbers, such as that a network that scores has not converged; of several results by name.

    They stand as ``remarks`` among the details, at any depth.
    """
    found = [(result, remark) for result in results for remark in _remarks_within(result.details)]
    if len(results) == 1:
        return [remark for _, remark in found]
    return [f"{result.source}{'' if result.step is None else f', step {result.step}'}: {remark}" for result, remark in found]


def _remarks_within(details: Mapping[str, Any]) -> Iterator[str]:
    for key, value in details.items():
        if key == "remarks":
            yield from value
        elif isinstance(value, Mapping):
            yield from _remarks_within(value)


def plain(value: Any) -> Any:
    """Mappings as dicts, sequences as lists, what is not a number as None, infinity as a word; the rest as it is."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def write(folder: Path, results: Sequence[Result]) -> list[Result]:
    """Adds ``results`` to those in ``folder``, writes both files, each whole or not at all, and returns what they hold.

    An earlier result that a new one repeats is replaced. A checkpoint that was the last or best one until now keeps its
    numbers, not that name. Raises UserError where ``read`` does: read before a long evaluation.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with file_lock(folder / f".{JSON}.lock", f"Waiting for another process that writes {folder / JSON}."):
        kept = [_renamed(old, results) for old in read(folder) if not any(new.repeats(old) for new in results)]
        everything = [*kept, *results]
        write_json(folder / JSON, {"results": [result.to_json() for result in everything]})
        with atomic_write(folder / CSV) as unfinished:
            unfinished.write_text(to_csv(everything), encoding="utf-8", newline="")
    return everything


def read(folder: Path) -> list[Result]:
    """The results in ``folder``, none where nothing was evaluated yet. Raises UserError if ``eval.json`` is damaged."""
    path = folder / JSON
    try:
        return [Result.from_json(entry) for entry in json.loads(path.read_text(encoding="utf-8"))["results"]]
    except FileNotFoundError:
        return []
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path} is damaged or was not written by this version of gan-eval ({type(error).__name__}: {error}).\n"
            "Remove it and evaluate again."
        ) from error


def to_csv(results: Iterable[Result]) -> str:
    """One row per number, in full precision; an empty field where something is unknown."""
    rows = [row for result in results for row in _rows(result)]
    columns = dict.fromkeys(key for row in rows for key in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _rows(result: Result) -> Iterable[dict[str, Any]]:
    origin = result.provenance
    for name, number in result.numbers.items():
        yield {
            "source": result.source,
            "step": result.step,
            "chosen": " ".join(result.chosen),
            "name": name,
            **dataclasses.asdict(number),
            "n_real": origin.n_real,
            "n_fake": origin.n_fake,
            "split": origin.split,
            "ema": origin.ema,
            "seed": origin.seed,
            "metric": origin.metric,
            "settings": json.dumps(origin.settings, sort_keys=True),
            "reference": origin.reference,
            "sampling": json.dumps(origin.sampling, sort_keys=True),
            "protocol": origin.protocol,
            "extractor": None,
            "weights": None,
            "resizing": None,
            **origin.features,
        }


def _renamed(old: Result, results: Sequence[Result]) -> Result:
    """``old`` without the choices that now fall on another checkpoint of the same source and provenance."""
    taken = {choice for new in results if (new.source, new.provenance) == (old.source, old.provenance) for choice in new.chosen}
    return dataclasses.replace(old, chosen=tuple(choice for choice in old.chosen if choice == "step" or choice not in taken))


def _number(entry: Mapping[str, Any]) -> Number:
    value, others = entry["value"], ("error", "floor")
    known = {key: float(entry[key]) for key in others if entry.get(key) is not None}
    return Number(**{**entry, **known, "value": math.nan if value is None else float(value)})
