"""Results of evaluations: numbers with their provenance, stored as ``eval.json`` and ``eval.csv``."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_cli.config.form import FormError, require
from gan_cli.errors import UserError
from gan_cli.evaluation import columns
from gan_cli.evaluation.number_format import with_direction
from gan_cli.evaluation.stored_form import StoredResults, plain, require_result
from gan_cli.files import atomic_write, file_lock, read_json, write_json

if TYPE_CHECKING:
    import pandas

JSON, CSV = "eval.json", "eval.csv"


@dataclass(frozen=True)
class Number:
    """One measured number.

    Attributes:
        value: The number.
        error: Its standard error. None: unknown.
        higher_is_better: Direction of improvement. None: neither direction is better.
        floor: The same measure between real samples and other real samples, the mean over several draws. None: not measured.
        floor_error: Standard deviation of one of these draws. None: there was one draw.
    """

    value: float
    error: float | None = None
    higher_is_better: bool | None = False
    floor: float | None = None
    floor_error: float | None = None


def named(name: str, numbers: Mapping[str, Number]) -> str:
    """Return a number's name with an arrow in the direction of improvement, if it is one of ``numbers`` and has one."""
    return with_direction(name, numbers[name].higher_is_better) if name in numbers else name


@dataclass(frozen=True)
class Provenance:
    """Everything that a number depends on besides the samples. Numbers may be ranked together if all but ``seed`` agree.

    Attributes:
        metric: Name of the metric or of the diagnostics.
        settings: Settings of the metric.
        features: The extractor and its details (``extractor``, ``weights`` as SHA-256, ``resizing``, ...).
        n_real: Number of real samples.
        n_fake: Number of generated samples.
        split: The split of the data set that the real samples come from.
        ema: True if averaged players were measured. None: images.
        reference: Hash of the content of the real samples.
        seed: Seed of the generated samples.
        sampling: Sampling options that differ from training.
        protocol: How sequences were cut and split, in words. None: other data.
        labels: How the labels of generated samples were drawn: ``data`` or ``uniform``. None: they have none.
        preprocessing: How real images were brought to their size: ``size`` in pixels and ``fit``, ``pad`` or ``crop``; None: as
            they are. Padding lowers the Fréchet distance, so numbers of unlike padding are not ranked together.
        group: Config group of the option that gave the number: ``metric`` for samples, ``diagnostics`` for players.
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
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    labels: str | None = None

    def __post_init__(self) -> None:
        # the same plain form that a file contains, so that a result read back equals the one written
        for name in ("settings", "features", "sampling", "preprocessing"):
            object.__setattr__(self, name, plain(getattr(self, name)))

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
            **self.preprocessing,
            **self.sampling,
            "labels": self.labels or "data",  # in the data's shares both kinds of run aim at the same law
            **({"protocol": self.protocol} if self.protocol else {}),
        }


def differences(a: Provenance, b: Provenance) -> list[str]:
    """Return why two numbers cannot be ranked together, as ``n_fake 1000 against 5000``; empty if they can."""
    left, right = a.decisive(), b.decisive()
    keys = dict.fromkeys([*left, *right])
    return [
        f"{key} {format_setting(left.get(key))} against {format_setting(right.get(key))}"
        for key in keys
        if left.get(key) != right.get(key)
    ]


def format_setting(value: Any) -> str:
    """Format a setting: checksums by their first twelve digits; true, false and none in lower case."""
    text = str(value)
    if isinstance(value, str) and len(text) >= 40 and set(text) <= set("0123456789abcdef"):
        return text[:12]
    return text.lower() if value is None or isinstance(value, bool) else text


def flatten_settings(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield settings as dotted keys; those of a combined metric are nested under the names of its parts."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from flatten_settings(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@dataclass(frozen=True)
class Result:
    """Result of the evaluation of one checkpoint or of one folder of images.

    Attributes:
        source: Folder of the run or of the images.
        step: Step of the checkpoint. None: images.
        chosen: Why this checkpoint was evaluated: any of ``last``, ``best`` and ``step``.
        provenance: Everything that the numbers depend on.
        numbers: Numbers by name, the primary one first.
        details: Curves and counts as plain data.
        seconds: Time that the evaluation took.
        environment: Versions, processor and so on of the process that wrote the checkpoint, see ``runs.machine.facts``.
        costs: What the rounds up to the checkpoint have cost, by the names in ``runs.costs.COSTS``.
    """

    source: str
    step: int | None
    chosen: tuple[str, ...]
    provenance: Provenance
    numbers: Mapping[str, Number]
    details: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    environment: Mapping[str, Any] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)

    @property
    def primary(self) -> str:
        """Name of the number that checkpoints and methods are ranked by."""
        return next(iter(self.numbers))

    def to_json(self) -> dict[str, Any]:
        """Return plain data for strict JSON: NaN is None, infinity a string."""
        return {name: plain(value) for name, value in dataclasses.asdict(self).items()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Result":
        """Return the result that ``to_json`` has converted.

        Raises:
            FormError: If the content is anything else.
        """
        require_result(content)
        require(content["provenance"], Provenance, "provenance")
        numbers = {name: _number(entry) for name, entry in content["numbers"].items()}
        parts = {"chosen": tuple(content["chosen"]), "provenance": Provenance(**content["provenance"]), "numbers": numbers}
        return cls(**{**content, **parts})

    def repeats(self, other: "Result") -> bool:
        """Return True if both results are of the same source, step and provenance, seed included."""
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
        """Return a row for each number, as in ``eval.csv``.

        The columns are the run's method, data set, seed and swept keys, then the number's name, value, standard error, floor
        and provenance.
        """
        import pandas

        return pandas.DataFrame(columns.number_rows(Path(), self.results))

    def ranking(self) -> "pandas.DataFrame":
        """Return a row for each method and number of the sweep: mean over seeds, error, and difference to the best method.

        The rankings are those of all results in ``eval.json``; empty if a single run was measured.
        """
        import pandas

        return pandas.DataFrame(columns.ranking_rows(read_json(self.folder / JSON).get("rankings", [])))


def write(
    folder: Path,
    results: Sequence[Result],
    rank: Callable[[Sequence[Result]], Sequence[Mapping[str, Any]]] = lambda results: (),
) -> list[Result]:
    """Add ``results`` to those in ``folder``, and write both files atomically.

    A result that repeats an earlier one replaces it. A checkpoint that is no longer the last or best one keeps its numbers, but
    not that label.

    Args:
        folder: Folder of ``eval.json`` and ``eval.csv``; created if it does not exist.
        results: The new results.
        rank: Returns the rankings of all results in the folder, which ``eval.json`` holds beside them.

    Returns:
        All results in the folder.

    Raises:
        UserError: If ``eval.json`` is damaged. Call ``read`` before a long evaluation to detect that early.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with file_lock(folder / f".{JSON}.lock", f"Waiting for another process that writes {folder / JSON}."):
        kept = [_without_moved_choices(old, results) for old in read(folder) if not any(new.repeats(old) for new in results)]
        everything = [*kept, *results]
        rankings = {"rankings": ranked} if (ranked := rank(everything)) else {}
        write_json(folder / JSON, {"results": [result.to_json() for result in everything], **rankings})
        with atomic_write(folder / CSV) as temporary:
            temporary.write_text(columns.to_csv(folder, everything), encoding="utf-8", newline="")
    return everything


def read(folder: Path) -> list[Result]:
    """Return the results in ``folder``, empty if nothing has been evaluated.

    Raises:
        UserError: If ``eval.json`` is damaged.
    """
    path = folder / JSON
    try:
        content = read_json(path)
        require(content, StoredResults)
        return [Result.from_json(entry) for entry in content["results"]]
    except FileNotFoundError:
        return []
    except (OSError, FormError) as error:
        raise UserError(
            f"{path} is damaged or was not written by this version of gan-eval ({error}).\nRemove it and evaluate again."
        ) from error
    except UserError as error:
        raise UserError(f"{error}\nRemove it and evaluate again.") from error


def _without_moved_choices(old: Result, results: Sequence[Result]) -> Result:
    """Return ``old`` without the labels that now belong to another checkpoint of the same source and provenance."""
    taken = {choice for new in results if (new.source, new.provenance) == (old.source, old.provenance) for choice in new.chosen}
    return dataclasses.replace(old, chosen=tuple(choice for choice in old.chosen if choice == "step" or choice not in taken))


def _number(entry: Mapping[str, Any]) -> Number:
    value, others = entry["value"], ("error", "floor", "floor_error")
    known = {key: float(entry[key]) for key in others if entry.get(key) is not None}
    return Number(**{**entry, **known, "value": math.nan if value is None else float(value)})
