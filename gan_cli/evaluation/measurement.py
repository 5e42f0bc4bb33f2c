"""A metric put to work: the real samples it compares with, the samples of a game, and the floor below all its numbers."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gan_cli.data.base import Data, Dataset, seeded_generator
from gan_cli.data.translation.degradations import grey
from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.games.sampling import CHUNK, eval_mode
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, to_metric_input
from gan_cli.metrics.features.cache import content_key, encode_cached
from gan_cli.randomness import fork_rng

ROLES = ("select", "report")
"""What a measurement is for: choosing a checkpoint, as training does, or reporting it, on other samples."""


class Floor(NamedTuple):
    """The same numbers between two sets of ``n`` real samples: nothing below them (above, for shares) means anything.

    ``two_times``: whether the sets are of different times, so that the numbers hold how far those differ.
    """

    values: Mapping[str, float]
    n: int
    two_times: bool = False


def unnoticed(n: int) -> None:
    """Nobody waits for ``n`` more samples."""


class Measurement:
    """A metric with its real samples: ``measurement(game, seed)`` is all its numbers.

    Real and generated samples are equal in number: ``metric.n_samples``, or as many as the split holds if it is smaller.
    The real ones are fixed, whatever the seed of a run: block 0 of one shuffled order of the split for ``role="report"``,
    block 1 for ``role="select"`` (the end of the order where the split is too small for both, so that they overlap as little
    as can be). Generated labels are those of the real samples, so that they follow the data's law; translated are the sources
    that come with the real samples.

    Raises UserError where the metric does not fit the data, or fewer than two samples are left.
    """

    def __init__(
        self, metric: Metric, data: Data, device: torch.device, n_samples: int | None = None, role: str = "select"
    ) -> None:
        self.enabled = metric.n_samples > 0
        self.data, self.device, self.role = data, device, role
        self.split: Dataset = getattr(data, metric.split)
        self.asked = metric.n_samples if n_samples is None else n_samples
        self.n = min(self.asked, len(self.split))
        if self.enabled and self.n < 2:
            least = f"n_samples={self.asked}" if self.asked < 2 else f"the {metric.split} split holds {self.n}"
            raise UserError(f"{metric.name} needs at least 2 samples, but {least}.")
        began = time.perf_counter()
        self.metric = replace(metric, n_samples=self.n).fitted(data, device) if self.enabled else metric
        self.seconds = time.perf_counter() - began

    @property
    def tag(self) -> str:
        """``metric/<name>`` of the chief number."""
        return f"metric/{self.metric.name}"

    def notes(self) -> list[str]:
        """What somebody who asked for something else should know before reading the numbers."""
        found = list(self.data.series.notes) if self.data.series else []
        if self.n < self.asked:
            found.append(f"n_samples: {self.n}, not {self.asked}: the {self.metric.split} split holds no more")
        if 2 * self.n > len(self.split):
            shared = 2 * self.n - len(self.split)
            found.append(
                f"of {self.n} real samples {shared} are among those that choose the best checkpoint, too: "
                f"n_samples={len(self.split) // 2} keeps them apart"
            )
        return found

    @property
    def real(self) -> Encoded:
        """The real samples with their features, which the disk remembers; ``x`` only where the metric looks at it."""
        return self._real[0]

    @property
    def reference(self) -> str:
        """Twelve hexadecimal digits that name the very real samples."""
        return self._real[1]

    @cached_property
    def _real(self) -> tuple[Encoded, str]:
        real = self._encoded(self.split, self._block(self.role))
        return self._kept(real), content_key("samples", real.x)[:12]

    @cached_property
    def untranslated(self) -> Mapping[str, float]:
        """The same numbers of the sources as they are: what a translator that does nothing would get, in the samples' channels.

        Empty where there are no sources.
        """
        sources = self.real.y
        if self.data.source is None or sources is None:
            return {}
        channels = self.data.shape[0]
        x = sources.expand(-1, channels, -1, -1) if channels > 1 else grey(sources)
        given = encode_cached(self.metric.features, to_metric_input(x, self.metric.features), sources)
        return {name: value.value for name, value in self.metric.measure(self.real, given).items()}

    @cached_property
    def floor(self) -> Floor:
        """The metric between these real samples and as many others of the same kind.

        The others are the other role's block. Where the split is too small for that they are held-out samples, if training
        samples are compared and those are enough, else both are halves of the split. Where the data set's two parts are of
        different times, they are always from the other part, as many as it holds.
        """
        other = self.data.heldout
        real, n = self.real, self.n
        two_times = self.data.series is not None and self.data.series.by_time
        if two_times:
            other = other if self.metric.split == "train" else self.data.train
            n = min(n, len(other))
            real = self._encoded(self.split, self._block(self.role)[:n]) if n < self.n else real
            others = self._encoded(other, _order(other)[:n])
        elif 2 * n <= len(self.split):
            others = self._encoded(self.split, self._block("report" if self.role == "select" else "select"))
        elif self.metric.split == "train" and n <= len(other):
            others = self._encoded(other, _order(other)[:n])
        else:
            n = len(self.split) // 2
            real, others = (self._encoded(self.split, _order(self.split)[i * n : (i + 1) * n]) for i in range(2))
        # a half of the data may be too little for a metric that the whole was enough for
        between = self.metric.floor if n == self.n else self.metric.floor_or_empty
        return Floor({name: value.value for name, value in between(real, others).items()}, n, two_times)

    def fake(self, game: Game, seed: int, advance: Callable[[int], None] = unnoticed) -> Encoded:
        """``n`` samples of ``game`` with their features, decided by ``seed`` and the role; ``advance`` hears of each chunk.

        They have labels only where the game takes some. Raises UserError where the metric wants them and it does not.
        """
        if self.metric.needs_labels and not game.conditional:
            raise UserError(
                f"{self.metric.name}: this game takes no labels, so that no sample was asked for a class.\n"
                "Take a conditional one, such as game=cgan, or metric=all, which tells the balance of classes."
            )
        y = self.real.y
        with fork_rng(f"{self.role}/{seed}", self.device), eval_mode(game):
            latents = game.latents(self.n)
            chunks = []
            for start in range(0, self.n, CHUNK):
                chunk = slice(start, start + CHUNK)
                labels = None if y is None else y[chunk].to(self.device)
                x = to_metric_input(game.sample(latents[chunk], labels), self.metric.features)
                wanted = y[chunk] if y is not None and game.conditional else None
                chunks.append(self._kept(self.metric.features.encode(x, wanted)))
                advance(len(x))
        return joined(chunks)

    def __call__(self, game: Game, seed: int) -> Mapping[str, Value]:
        """The numbers of ``n`` samples of ``game``, the same ones for the same players and seed."""
        return self.metric.measure(self.real, self.fake(game, seed))

    def provenance(self, ema: bool, seed: int) -> dict[str, Any]:
        """All that decides the numbers beside the players, as plain data."""
        return {
            "metric": self.metric.name,
            "settings": self.metric.settings(),
            "features": self.metric.features.provenance,
            "n_real": self.n,
            "n_fake": self.n,
            "split": self.metric.split,
            "protocol": self.data.series.protocol if self.data.series else None,
            "ema": ema,
            "reference": self.reference,
            "seed": seed,
        }

    def _block(self, role: str) -> Tensor:
        order = _order(self.split)
        if role == "report":
            return order[: self.n]
        return order[self.n : 2 * self.n] if 2 * self.n <= len(order) else order[-self.n :]

    def _kept(self, encoded: Encoded) -> Encoded:
        return encoded if self.metric.needs_samples else encoded.without_samples()

    def _encoded(self, dataset: Dataset, indices: Tensor) -> Encoded:
        batches = [dataset.batch(chunk) for chunk in indices.split(CHUNK)]
        x = torch.cat([to_metric_input(batch.x, self.metric.features) for batch in batches])
        labels = [batch.y for batch in batches if batch.y is not None]
        return encode_cached(self.metric.features, x, torch.cat(labels) if labels else None)


def joined(parts: list[Encoded]) -> Encoded:
    """Several encoded sets as one."""
    logits = [part.logits for part in parts if part.logits is not None]
    labels = [part.y for part in parts if part.y is not None]
    return Encoded(
        torch.cat([part.x for part in parts]),
        torch.cat([part.features for part in parts]),
        torch.cat(logits) if logits else None,
        torch.cat(labels) if labels else None,
    )


def _order(dataset: Dataset) -> Tensor:
    return dataset.order(seeded_generator("reference"))
