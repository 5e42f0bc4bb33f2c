"""The record of a data set: its samples, classes, originals, duplicates and checksum, as plain data and in a few lines."""

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch

from gan_cli.config.form import require
from gan_cli.data.base import Data, Dataset, seeded_generator
from gan_cli.data.content import MOST_BYTES, MOST_SAMPLES, Content, digests
from gan_cli.data.origins import Origins, described
from gan_cli.errors import printable, shortened_list
from gan_cli.randomness import fork_rng
from gan_cli.types import Stateful

SHOWN = 12
"""Largest number of classes or features that a line lists."""
SOME, SOME_DECODED = 1024, 64
"""Number of samples of each part in the checksum where not all are read, and the number if each has to be decoded."""
ALL = "all samples"


@dataclass(frozen=True)
class ClassCount:
    """A class and its number of samples in both parts; None where only reading the samples would tell."""

    name: str
    train: int | None
    heldout: int | None


@dataclass(frozen=True)
class Duplicates:
    """Samples whose values equal those of another one in every byte, whatever their labels.

    Attributes:
        train: Training samples that equal an earlier training sample.
        heldout: Held-out samples that equal an earlier held-out sample.
        between: Held-out samples that equal a training sample.
    """

    train: int
    heldout: int
    between: int


@dataclass(frozen=True)
class DataRecord:
    """Record of the data that a run is trained on and measured against.

    Attributes:
        kind: ``images``, ``sequences``, ``points``, or ``nothing`` for a data set without samples.
        shape: Shape of one sample.
        train: Number of training samples.
        heldout: Number of held-out samples.
        classes: The classes in the order of their labels; empty without labels.
        values: Smallest and largest value of the samples as the players see them; None if not all samples were read.
        units: Range of each feature of sequences in the data's own units.
        duplicates: Exact duplicates; None if they were not counted.
        not_counted: Reason why they were not counted.
        checksum: SHA-256 of samples, labels and order.
        checksum_of: The samples that were hashed.
        origins: Facts about the samples before they were transformed: of ``all``, or of ``train`` and ``heldout``.
        sources: Record of the sources of an unpaired translation; None for all other data.
    """

    kind: str
    shape: tuple[int, ...]
    train: int
    heldout: int
    classes: tuple[ClassCount, ...] = ()
    values: tuple[float, float] | None = None
    units: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    duplicates: Duplicates | None = None
    not_counted: str | None = None
    checksum: str = ""
    checksum_of: str = ALL
    origins: Mapping[str, Origins] = field(default_factory=dict)
    sources: "DataRecord | None" = None

    @classmethod
    def of(cls, data: Data) -> "DataRecord":
        """Return the record of ``data``; neither the random streams nor the state of the data set change."""
        stateful = [part for part in (data.train, data.heldout) if isinstance(part, Stateful)]
        states = [deepcopy(part.state_dict()) for part in stateful]
        with fork_rng("record", torch.device("cpu")):
            record = _recorded(data)
            if data.source is not None and not data.paired:
                record = replace(record, sources=_recorded(data.swapped()))
        for part, state in zip(stateful, states, strict=True):
            part.load_state_dict(state)
        return record

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, their numbers where they have none; empty without labels."""
        return tuple(one.name for one in self.classes)

    @property
    def preprocessing(self) -> Mapping[str, Any]:
        """Transform of the images, as ``{"size": 64, "channels": 3, "fit": "crop"}``; empty where nothing is known."""
        known = (part.get("preprocessing") for part in self.origins.values())
        return next((one for one in known if isinstance(one, Mapping)), {})

    def lines(self) -> list[str]:
        """Return the record in one to four lines; none for a data set without samples."""
        if self.kind == "nothing":
            return []
        lines = [f"data: {self._counts()}", described(self.origins, self._units()), self._values()]
        if self.sources is not None:
            facts = [self.sources._counts(), described(self.sources.origins, "")]
            lines.insert(1, f"sources: {'; '.join(filter(None, facts))}")
        return [printable(line) for line in lines if line]

    def differences(self, other: "DataRecord") -> str:
        """Return the fields in which another record differs, in words."""
        mine, theirs = self.to_dict(), other.to_dict()
        return "; ".join(
            f"{name.replace('_', ' ')} {_short(theirs[name])} instead of {_short(mine[name])}"
            for name in ("kind", "shape", "train", "heldout", "duplicates", "checksum")
            if mine[name] != theirs[name]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain data."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "DataRecord":
        """Return the record from the result of ``to_dict``.

        Raises:
            FormError: If ``plain`` has another form.
        """
        require(plain, cls)
        values = dict(plain)
        values["shape"] = tuple(plain["shape"])
        values["classes"] = tuple(ClassCount(**one) for one in plain["classes"])
        values["values"] = None if plain["values"] is None else tuple(plain["values"])
        values["units"] = {name: tuple(limits) for name, limits in plain["units"].items()}
        values["duplicates"] = None if plain["duplicates"] is None else Duplicates(**plain["duplicates"])
        values["sources"] = None if plain["sources"] is None else cls.from_dict(plain["sources"])
        return cls(**values)

    def _counts(self) -> str:
        text = f"{self.train} {self.kind} to train on, {self.heldout or 'none'} held out"
        if not self.classes:
            return text
        text += f"; {len(self.classes)} classes"
        known = [(one.name, one.train, one.heldout) for one in self.classes if one.train is not None]
        shown = [f"{name} ({train} + {heldout})" for name, train, heldout in known]
        text += f": {shortened_list(shown, SHOWN)}" if shown else ""
        lacking = [name for name, _, heldout in known if heldout == 0 < self.heldout]
        return f"{text}; classes without held-out samples: {shortened_list(lacking, SHOWN)}" if lacking else text

    def _units(self) -> str:
        return shortened_list([f"{name} {low:.6g} to {high:.6g}" for name, (low, high) in self.units.items()], SHOWN)

    def _values(self) -> str:
        parts = [] if self.values is None else ["values {:.6g} to {:.6g}".format(*self.values)]
        if (found := self.duplicates) is None:
            parts.append(f"exact duplicates not counted ({self.not_counted})")
        elif found == Duplicates(0, 0, 0):
            parts.append("no exact duplicates")
        else:
            parts.append(
                f"exact duplicates: {found.train} in the training part, {found.heldout} in the held-out part, "
                f"{found.between} between them"
            )
        return "; ".join([*parts, f"checksum {self.checksum[:12]} of {self.checksum_of}"])


def _short(value: Any) -> str:
    return str(value)[:12] if isinstance(value, str) else json.dumps(value)


def _recorded(data: Data) -> DataRecord:
    kind = "nothing" if data.train.unlimited else {3: "images", 2: "sequences"}.get(len(data.shape), "points")
    contents = data.train.content(), data.heldout.content()
    train, heldout = contents
    duplicates = values = None
    if train is not None and heldout is not None:
        duplicates = _duplicates(train.digests, heldout.digests)
        values = (min(train.low, heldout.low), max(train.high, heldout.high))
    some = SOME_DECODED if data.train.decodes else SOME
    return DataRecord(
        kind=kind,
        shape=tuple(data.shape),
        train=len(data.train),
        heldout=len(data.heldout),
        classes=_classes(data, contents),
        values=values,
        units=_units_of(data),
        duplicates=duplicates,
        not_counted=None if duplicates else _reason(data),
        checksum=_checksum(data, contents, some),
        checksum_of=ALL if duplicates else f"{some} samples of each part",
        origins=_origins(data),
    )


def _duplicates(train: np.ndarray, heldout: np.ndarray) -> Duplicates:
    return Duplicates(_repeated(train), _repeated(heldout), int(np.isin(heldout, train, kind="sort").sum()))


def _repeated(hashes: np.ndarray) -> int:
    ordered = np.sort(hashes)
    return int((ordered[1:] == ordered[:-1]).sum())


def _reason(data: Data) -> str:
    if data.train.decodes:
        return "images are decoded when they are read"
    if data.train.unlimited:
        return "there are no samples"
    return f"more than {MOST_SAMPLES} samples or {MOST_BYTES >> 20} MiB"


def _units_of(data: Data) -> dict[str, tuple[float, float]]:
    if data.series is None:
        return {}
    scaling = data.series.scaling
    return {name: (low, high) for name, low, high in zip(data.series.names, scaling.low, scaling.high, strict=True)}


def _classes(data: Data, contents: tuple[Content | None, Content | None]) -> tuple[ClassCount, ...]:
    if not data.classes:
        return ()
    counts = []
    for part, content in zip((data.train, data.heldout), contents, strict=True):
        labels = part.known_labels()
        known = labels if labels is not None else None if content is None else content.labels
        counted = None if known is None else np.bincount(np.asarray(known), minlength=data.classes).tolist()
        counts.append(counted or [None] * data.classes)
    names = data.class_names or tuple(map(str, range(data.classes)))
    return tuple(ClassCount(*one) for one in zip(names, *counts, strict=True))


def _checksum(data: Data, contents: tuple[Content | None, Content | None], some: int) -> str:
    """Return the SHA-256 of the hashes and labels of all samples, or of ``some`` of each part if not all were read."""
    total = hashlib.sha256(json.dumps([data.shape, data.classes, len(data.train), len(data.heldout)]).encode())
    everything = all(content is not None for content in contents)
    for part, content in zip((data.train, data.heldout), contents, strict=True):
        if everything and content is not None:
            total.update(content.digests.tobytes())
            labels = part.known_labels()
            known = labels.numpy() if labels is not None else content.labels
            total.update(b"" if known is None else known.tobytes())
        elif len(part):
            total.update(_some_samples(part, some))
    return total.hexdigest()


def _some_samples(part: Dataset, count: int) -> bytes:
    batch = part.batch(part.draw_rows(count, seeded_generator("record")))
    return b"".join(digests(side.numpy()).tobytes() for side in batch if side is not None)


def _origins(data: Data) -> dict[str, Origins]:
    train, heldout = data.train.origins(), data.heldout.origins()
    if train is heldout:
        return {"all": train} if train else {}
    return {name: part for name, part in (("train", train), ("heldout", heldout)) if part}
