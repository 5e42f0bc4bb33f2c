"""Measurement of a game with a metric: real samples, generated samples, and the floor of all numbers."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_cli.activity import activity
from gan_cli.data.base import Data, Dataset, seeded_generator
from gan_cli.data.translation.degradations import grey
from gan_cli.errors import UserError
from gan_cli.evaluation.copies import Copies, training_hashes
from gan_cli.evaluation.counts import check_counts
from gan_cli.evaluation.floors import Floor, measure_floor
from gan_cli.evaluation.real_samples import RealSamples
from gan_cli.games.base import Game
from gan_cli.games.sampling import CHUNK, cycling_labels, eval_mode
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, concatenate, to_metric_input
from gan_cli.metrics.features.cache import content_key, encode_cached
from gan_cli.parallel.dealing import Results, SampledBatches
from gan_cli.parallel.ranks import Order, here
from gan_cli.randomness import fork_rng

ROLES = ("select", "report")
"""Purpose of a measurement: selecting a checkpoint, as in training, or reporting it, on other samples."""


class Measurement:
    """A metric with its real samples; ``measurement(game, seed)`` returns all its numbers.

    There are as many generated samples as real ones unless the metric's ``n_fake`` says otherwise. The real ones are fixed,
    whatever the seed of a run: with ``role="report"`` block 0 of one shuffled order of the split, with ``role="select"`` block
    1, or the end of the order if the split is too small for both, so that they overlap as little as possible. Generated samples
    are conditioned on the labels of the real samples, which follow the distribution of the data; translators receive the
    sources of the real samples.

    Args:
        metric: The metric.
        data: The data set.
        device: Device of the features and of the game.
        n_samples: Number of samples, at least 2, limited to the size of the split. None: the metric's own number.
        role: ``select`` or ``report``.

    Attributes:
        enabled: False for a metric that measures nothing.
        n: Number of real samples.
        n_fake: Number of generated samples.
        samples: The real samples of both splits.
        seconds: Time that fitting the metric took.

    Raises:
        TooFewSamples: If the metric needs more samples than are left.
        UserError: If the metric does not fit the data, or needs as many generated as real samples.
    """

    def __init__(
        self, metric: Metric, data: Data, device: torch.device, n_samples: int | None = None, role: str = "select"
    ) -> None:
        self.enabled = metric.n_samples > 0
        self.data, self.device, self.role = data, device, role
        self.split: Dataset = getattr(data, metric.split)
        self.requested = metric.n_samples if n_samples is None else n_samples
        self.n = check_counts(metric, data, n_samples)
        self.n_fake = self.n if metric.n_fake is None else metric.n_fake
        start = time.perf_counter()
        self.sampled = SampledBatches()
        self.metric = replace(metric, n_samples=self.n).fitted(data, device) if self.enabled else metric
        self.samples = RealSamples(data, self.metric.features)
        self.seconds = time.perf_counter() - start
        if self.n_fake != self.n and (self.metric.equal_sizes or data.source is not None):
            reason = "a translator has one sample for each source" if data.source is not None else "it compares them in pairs"
            raise UserError(
                f"n_fake={self.n_fake}: {self.metric.name} needs as many generated as real samples, {self.n}: {reason}.\n"
                "Leave n_fake out."
            )

    @property
    def tag(self) -> str:
        """``metric/<name>`` of the primary number."""
        return f"metric/{self.metric.name}"

    def limits(self) -> list[str]:
        """Return what the number of samples in the split limits: the parts that are left out, and the number itself."""
        lines = left_out_lines(self.metric)
        if self.n < self.requested:
            lines.append(f"n_samples: {self.n}, not {self.requested}: the {self.metric.split} split holds no more")
        return lines

    def notes(self) -> list[str]:
        """Return notes on deviations from the requested evaluation."""
        notes = [*(self.data.series.notes if self.data.series else ()), *self.limits()]
        if 2 * self.n > len(self.split):
            shared = 2 * self.n - len(self.split)
            notes.append(
                f"of {self.n} real samples {shared} are among those that choose the best checkpoint, too: "
                f"n_samples={len(self.split) // 2} keeps them apart"
            )
        return notes

    @property
    def classes(self) -> list[str]:
        """Names of the classes, or their numbers if they have no names; empty without labels."""
        return list(self.data.class_names) or [str(label) for label in range(self.data.classes)]

    @property
    def real(self) -> Encoded:
        """The real samples with their features, which are cached on disk; ``x`` only if the metric needs it."""
        return self._real[0]

    @property
    def reference(self) -> str:
        """Twelve hexadecimal digits that identify the real samples."""
        return self._real[1]

    @cached_property
    def _real(self) -> tuple[Encoded, str]:
        real = self.samples.encoded(self.split, self._block(self.role))
        return self._without_unused_samples(real), content_key("samples", real.x)[:12]

    @cached_property
    def untranslated(self) -> Mapping[str, float]:
        """The numbers of the untranslated sources, in the samples' channels: the score of a translator that changes nothing.

        Empty if there are no sources.
        """
        sources = self.real.y
        if self.data.source is None or sources is None:
            return {}
        channels = self.data.shape[0]
        x = sources.expand(-1, channels, -1, -1) if channels > 1 else grey(sources)
        encoded = encode_cached(self.metric.features, to_metric_input(x, self.metric.features), sources)
        return {name: value.value for name, value in self.metric.measure(self.real, encoded).items()}

    @cached_property
    def floor(self) -> Floor:
        """The metric between these real samples and as many other real samples as there are generated ones.

        The others are further samples of the split, beginning with the block of the other role. If the split is too small for
        that, they come from the other split if it holds enough. Training samples are no others of held-out ones if the metric
        or its features have seen them. Otherwise both sets are halves of the split. If the two splits are of different periods
        of a time series, the others always come from the other split. If more samples are generated than there are other real
        ones, the others are all that there are, but at least as many as the real samples.
        """
        name = "heldout" if self.metric.split == "train" else "train"
        other: Dataset = getattr(self.data, name)
        real, n, m = self.real, self.n, self.n_fake
        if self.data.series is not None and self.data.series.by_time:
            n = min(n, len(other))
            real = self._encode_for_floor(self.split, self._block(self.role)[:n]) if n < self.n else real
            m = n if self.n_fake == self.n else m
            return measure_floor(
                self.metric, real, self._encode_for_floor(other, _order(other)[:m]), n < self.n, name, two_times=True
            )
        if n + min(n, m) <= len(self.split):
            others = self._encode_for_floor(self.split, self._outside_block()[:m])
            # the floors of both roles are equal if the counts are
            return measure_floor(self.metric, *((others, real) if self.role == "select" and m == n else (real, others)))
        if min(n, m) <= len(other) and (name == "heldout" or not self.metric.has_seen_training_samples):
            return measure_floor(self.metric, real, self._encode_for_floor(other, _order(other)[:m]), split=name)
        if not (n := len(self.split) // 2):
            return Floor()
        halves = _order(self.split)[:n], _order(self.split)[n : n + min(n, m)]
        first, second = (self._encode_for_floor(self.split, half) for half in halves)
        # half of the data may be too little for a metric that works on the whole split
        return measure_floor(self.metric, first, second, partial=True)

    def copies(self) -> Copies:
        """Return a count of the generated images that equal training images; none has been looked at yet."""
        return Copies(self._training_hashes)

    @cached_property
    def _training_hashes(self) -> np.ndarray:
        return training_hashes(self.data.train, self.metric.features)

    def fake(
        self, game: Game, seed: int, labels: str = "data", look: Callable[[Tensor], None] = lambda samples: None
    ) -> Encoded:
        """Return ``n_fake`` samples of ``game`` with their features.

        They have labels only if the game is conditional on labels. The processes of a run compute them together.

        Args:
            game: The game that is sampled.
            seed: Decides the samples, together with the role.
            labels: ``data`` for the labels of the real samples, in turn if there are more generated ones, ``uniform`` for
                equally many of each class.
            look: Called with the samples in the form of ``to_metric_input`` that this process makes, part by part.

        Raises:
            UserError: If the metric needs labels and the game takes none.
        """
        if self.metric.needs_labels and not game.conditional:
            raise UserError(
                f"{self.metric.name} needs labels, and the samples of this game have none.\n"
                "Choose a conditional game, such as game=cgan, or metric=all, which measures the balance of classes."
            )
        y = cycling_labels(self.n_fake, self.data.classes) if labels != "data" else self.real.y
        return concatenate([Encoded(*part) for part in self._sampled(game, seed, y, look)])  # type: ignore[arg-type]

    def help_to_sample(self, game: Game, seed: int) -> None:
        """Compute the share of this process in what process 0 computes in ``fake``."""
        self._sampled(game, seed, self._conditions, look=lambda samples: None)

    @cached_property
    def _conditions(self) -> Tensor | None:
        """The labels or sources of the real samples, for a process that does not compare them."""
        return self.samples.read(self.split, self._block(self.role))[1]

    def _sampled(self, game: Game, seed: int, y: Tensor | None, look: Callable[[Tensor], None]) -> list[Results]:
        """Return chunks of samples with their features, logits and labels; ``y`` begins anew where it ends."""
        if y is not None:
            y = y[torch.arange(self.n_fake) % len(y)]
        work = activity(f"measuring {self.metric.name}", self.n_fake, counts_samples=True)
        with work as measuring, fork_rng(f"{self.role}/{seed}", self.device), eval_mode(game):
            latents = game.latents(self.n_fake)

            def sample(i: int) -> Tensor:
                chunk = slice(i * CHUNK, (i + 1) * CHUNK)
                given = None if y is None else y[chunk].to(self.device)
                return game.sample(latents[chunk], given)

            def encode(i: int, made: Tensor) -> Results:
                x = to_metric_input(made, self.metric.features)
                look(x)
                classes = y[i * CHUNK : (i + 1) * CHUNK] if y is not None and game.conditional else None
                encoded = self._without_unused_samples(self.metric.features.encode(x, classes))
                measuring.reach(i * CHUNK + len(x))
                return encoded.x, encoded.features, encoded.logits, encoded.y

            return self.sampled.deal(here(), Order.SAMPLE, -(-self.n_fake // CHUNK), self.device, sample, encode)

    def __call__(self, game: Game, seed: int, with_errors: bool = False) -> Mapping[str, Value]:
        """Return the numbers of ``n_fake`` samples of ``game``; equal players and seeds give equal numbers.

        Args:
            game: The game that is sampled.
            seed: Decides the samples.
            with_errors: True to fill in standard errors that the metric does not know by itself, which takes longer.
        """
        real, fake = self.real, self.fake(game, seed)
        with activity(f"computing {self.metric.name}"):
            return self.metric.with_errors(real, fake) if with_errors else self.metric.measure(real, fake)

    def provenance(self, ema: bool, seed: int) -> dict[str, Any]:
        """Return everything that the numbers depend on besides the players, as plain data."""
        return {
            "metric": self.metric.name,
            "settings": self.metric.settings(),
            "features": self.metric.features.provenance,
            "n_real": self.n,
            "n_fake": self.n_fake,
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

    def _outside_block(self) -> Tensor:
        """Return the samples of the split that are not measured, those of the other role's block first."""
        order, block = _order(self.split), self._block(self.role)
        return order[~torch.isin(order, block)]

    def _without_unused_samples(self, encoded: Encoded) -> Encoded:
        return encoded if self.metric.needs_samples else encoded.without_samples()

    def _encode_for_floor(self, dataset: Dataset, indices: Tensor) -> Encoded:
        return self._without_unused_samples(self.samples.encoded(dataset, indices))


def left_out_lines(metric: Metric) -> list[str]:
    """Return a line for each part of a combined metric that cannot be computed, with the reason."""
    return [f"{name} is left out: {reason}" for name, reason in metric.left_out.items()]


def _order(dataset: Dataset) -> Tensor:
    return dataset.order(seeded_generator("reference"))
