"""Sampling of a game that has been trained: samples, walks between latents, traversals."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from gan_cli.data.base import Data
from gan_cli.data.classes import labels_of
from gan_cli.drawing import Panel
from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.games.protocols import HasTraversals
from gan_cli.games.sampling import Readable, chunks, conditions, decode, examples, generate, picture_strips
from gan_cli.inference import walks
from gan_cli.inference.labels import Labels, given_labels
from gan_cli.inference.sources import Sources
from gan_cli.randomness import fork_rng


class Sampler(ABC):
    """A game in eval mode, and all that its samples depend on.

    Attributes:
        config: Config of the run.
        game: The players.
        shape: Shape of one sample.
        classes: Number of labels, 0 if there are none.
        class_names: Names of the classes; empty if they have none.
        source: Shape of one source that is translated. None: samples are not translated.
        labels: How the labels of samples are drawn.
    """

    config: DictConfig
    game: Game
    shape: tuple[int, ...]
    classes: int
    class_names: list[str]
    source: tuple[int, ...] | None
    labels: Labels

    @property
    @abstractmethod
    def data(self) -> Data:
        """The data set of the run, from which sources are taken."""

    def sample(self, n: int | None = None, seed: int = 0, y: Any = None, *, seeds: Sequence[int] | None = None) -> Tensor:
        """Draw ``n`` samples.

        Args:
            n: Number of samples. None: as many as ``y`` or ``seeds`` has.
            seed: Equal seeds give equal samples; torch's own random streams are not changed.
            y: Labels ``[n]`` for a conditional game, as numbers or names in a list, an array or a tensor, or one label for all
                samples. By default they are drawn in the shares of the training data, or equally many of each class if the run
                was loaded with ``labels="uniform"``. Sources ``[n, *source]`` for a translator, by default held-out ones drawn
                by ``seed``, repeated if there are too few.
            seeds: A seed for each sample, instead of ``seed``: the sample then depends on its own seed alone, with its label
                or source, and not on ``n``.

        Returns:
            float32 ``[n, *shape]`` on the CPU: images ``[n, C, H, W]`` in [-1, 1], points ``[n, d]``, or sequences ``[n, T,
            F]``, which ``series.scaling.to_units`` converts to the data's own units.

        Raises:
            UserError: If ``n``, ``y`` and ``seeds`` have different lengths, or ``y`` are no labels or sources of this run.
        """
        return torch.cat([*self.chunks(n, seed, y, seeds=seeds)])

    def chunks(
        self, n: int | None = None, seed: int = 0, y: Any = None, *, seeds: Sequence[int] | None = None
    ) -> Iterator[Tensor]:
        """Yield the samples of ``sample`` in parts, for as many of them as memory does not hold.

        Args:
            n: Number of samples.
            seed: Decides the samples, as for ``sample``; how they are divided changes nothing.
            y: Labels or sources, as for ``sample``.
            seeds: As for ``sample``.
        """
        n, y = self.given(n, y, seeds)
        if seeds is None:
            return chunks(self.game, n, seed, self.conditions(n, seed) if y is None else y)
        y = self.conditions_of(seeds) if y is None else y
        each = (None if y is None else y[index : index + 1] for index in range(n))
        return (generate(self.game, 1, own, condition) for own, condition in zip(seeds, each, strict=True))

    def given(self, n: int | None, y: Any, seeds: Sequence[int] | None) -> tuple[int, Tensor | Readable | None]:
        """Return the number of samples and their conditions, as a caller of ``sample`` means them.

        Raises:
            UserError: If they do not fit each other or this run.
        """
        if isinstance(y, Readable) or y is None:
            found: Tensor | Readable | None = y
        elif self.source is not None:
            found = torch.as_tensor(y, dtype=torch.float32)
            if found.shape[1:] != self.source:
                raise UserError(f"y: sources of this run have shape [n, {str([*self.source])[1:-1]}], not {[*found.shape]}.")
        elif self.game.conditional:
            found = given_labels(y, self.classes, self.class_names)
        else:
            raise UserError("y: the game of this run takes no labels. Leave it out.")
        lengths = {"n": n, "seeds": None if seeds is None else len(seeds)}
        if found is not None and (isinstance(found, Readable) or found.ndim):
            lengths["y"] = len(found)
        known = {name: length for name, length in lengths.items() if length is not None}
        if len({*known.values()}) > 1:
            raise UserError(f"{', '.join(f'{name} of {length}' for name, length in known.items())}: they must be equally many.")
        number = next(iter(known.values()), 1)
        return number, found.expand(number) if isinstance(found, Tensor) and not found.ndim else found

    def picture_strips(
        self, n: int, seed: int = 0, y: Tensor | None = None, *, seeds: Sequence[int] | None = None
    ) -> list[Tensor]:
        """Return the same samples as strips of a picture; for a translator with sources and, if the data is paired, targets."""
        if seeds is not None:
            y = self.conditions_of(seeds) if y is None and self.source is None else y
            each = [self.picture_strips(1, one, None if y is None else y[i : i + 1]) for i, one in enumerate(seeds)]
            return [torch.cat(parts) for parts in zip(*each, strict=True)]
        targets = examples(self.data, n, seed).x if y is None and self.source is not None and self.data.paired else None
        y = self.conditions(n, seed) if y is None else y
        with fork_rng(seed, self.game.device):
            return picture_strips(self.game, self.game.latents(n if y is None else len(y)), y, targets)

    def latents(self, n: int, seed: int = 0, seeds: Sequence[int] | None = None) -> Tensor:
        """Return the latents of the samples that ``sample`` draws with the same arguments, ``[n, ...]``."""
        if seeds is not None:
            return torch.cat([self.latents(1, one) for one in seeds])
        with fork_rng(seed, self.game.device):
            return self.game.latents(n)

    def interpolate(
        self,
        pairs: int,
        steps: int,
        seed: int = 0,
        y: Any = None,
        path: str | None = None,
        *,
        seeds: Sequence[int] | None = None,
    ) -> Tensor:
        """Return walks between random latents.

        Args:
            pairs: Number of walks.
            steps: Number of samples in each walk.
            seed: Decides the latents.
            y: Labels ``[pairs]`` for a conditional game, constant along each walk; by default as in ``sample``.
            path: ``slerp`` along the great circle, ``lerp`` on the straight line, ``pixels`` for mixtures of the two samples at
                the ends. None: as suits the law of the latents, for normal ones along the great circle.
            seeds: A seed for each of ``pairs + 1`` latents, which the walks connect one after the other.

        Returns:
            ``[pairs * steps, *shape]``.

        Raises:
            UserError: If samples depend on their sources only, or there is no such path.
        """
        self.need_latents("mode=interpolation")
        way = walks.way(self.game, path)
        given = self.given(pairs, y, None)[1]
        with fork_rng(seed, self.game.device):
            if seeds is None:
                start, end = self.game.latents(pairs), self.game.latents(pairs)
            else:
                start, end = (ends := self.latents(pairs + 1, seeds=seeds))[:-1], ends[1:]
            given = self.conditions(pairs, seed) if given is None else given
            along = None if given is None else given[:].repeat_interleave(steps, dim=0)
            if way is None:
                a, b = (decode(self.game, z, None if given is None else given[:]) for z in (start, end))
                return walks.between(torch.lerp, a, b, steps)
            return decode(self.game, walks.between(way, start, end, steps), along)

    def interpolate_classes(
        self, classes: Sequence[int | str], rows: int, steps: int, seed: int = 0, *, seeds: Sequence[int] | None = None
    ) -> Tensor:
        """Return walks from class to class with the same latent, on mixtures of the labels' embeddings.

        Args:
            classes: Names or numbers of at least two classes, in the order of the walk.
            rows: Number of latents, a walk for each.
            steps: Number of samples in each walk.
            seed: Decides the latents.
            seeds: A seed for each latent.

        Returns:
            ``[rows * steps, *shape]``.

        Raises:
            UserError: If the game takes no labels, or its network no mixtures of them.
        """
        labels = self.labels_of(classes, len(classes))
        if len(labels) < 2:
            raise UserError("path=classes leads from class to class: name at least two in classes=[...].")
        weights = walks.mixtures(labels, self.classes, steps)
        latents = self.latents(rows, seed, seeds)
        with fork_rng(seed, self.game.device):
            try:
                return decode(self.game, latents.repeat_interleave(steps, dim=0), weights.repeat(len(latents), 1))
            except (RuntimeError, TypeError, IndexError) as error:
                raise UserError("path=classes: this run's network takes labels, but no mixtures of them.") from error

    def traverse(
        self,
        n: int,
        seed: int = 0,
        axes: Sequence[int] | None = None,
        columns: int | None = None,
        *,
        y: Any = None,
        seeds: Sequence[int] | None = None,
    ) -> list[Panel]:
        """Return a panel of about ``n`` images for each latent code of the game, or for each of ``axes``.

        Args:
            n: Number of images of a panel.
            seed: Decides the latents.
            axes: Coordinates of the latent, from 0, each moved from the 2nd to the 98th percentile of its law while the others
                stay. None: the game's own codes.
            columns: Number of values of each axis (None: 10, or ``n`` if it is smaller).
            y: Label of each row; by default as in ``sample``.
            seeds: A seed for each row.

        Raises:
            UserError: If the latents have no such axes or codes, or samples are not images.
        """
        if len(self.shape) != 3:
            raise UserError("mode=traverse needs images, and this run's samples are not images.")
        if axes is not None:
            self.need_latents("mode=traverse")
            columns = min(n, walks.COLUMNS) if columns is None else columns
            rows = -(-n // columns) if seeds is None else len(seeds)
            given = self.given(rows, y, seeds)[1]
            own = self.conditions(rows, seed) if seeds is None else self.conditions_of(seeds)
            y = own if given is None else given[:]
            names = [f"z {i + 1}" for i in range(rows)] if seeds is None else [f"seed {one}" for one in seeds]
            return walks.along_axes(self.game, self.latents(rows, seed, seeds), y, axes, columns, names)
        if not isinstance(self.game, HasTraversals):
            raise UserError(
                "mode=traverse varies latent codes, such as those of game=infogan: this run's latents have none.\n"
                "Name coordinates of the latent, as in axes=[0,1]."
            )
        with fork_rng(seed, self.game.device):
            return [Panel(decode(self.game, t.latents), t.title, t.rows, t.columns) for t in self.game.traversals(n)]

    def need_latents(self, user: str) -> None:
        """Check that samples depend on latents.

        Raises:
            UserError: If they depend on their sources only.
        """
        if self.source is not None and not self.latents(1).numel():
            raise UserError(f"{user}: this game's samples depend on their sources only, there is no latent to vary.")

    def conditions(self, n: int, seed: int) -> Tensor | None:
        """Return the conditions of ``n`` samples: labels drawn as ``labels`` says, held-out sources, or None."""
        return self.labels.draw(n, seed) if self.source is None else conditions(self.data, n, seed)

    def conditions_of(self, seeds: Sequence[int]) -> Tensor | None:
        """Return the condition of one sample for each seed."""
        if self.source is None:
            return self.labels.draw_each(seeds)
        found = [conditions(self.data, 1, seed) for seed in seeds]
        return torch.cat([one for one in found if one is not None])

    def images(self, folder: Path, n: int) -> Tensor:
        """Return the same images as ``sources`` in one tensor."""
        return self.sources(folder, n)[:]

    def sources(self, folder: Path, n: int | None) -> Sources:
        """Return the first ``n`` images of ``folder`` by name (None: all), to be translated.

        Raises:
            UserError: If this game translates no images, or the folder has none that can be decoded.
        """
        if self.source is None or len(self.source) != 3:
            raise UserError(f"source={folder}: the samples of this run are not translated from images. Leave it out.")
        return Sources(folder, n, self.source, self.config)

    def labels_of(self, classes: Sequence[int | str], n: int) -> Tensor:
        """Return labels of ``n`` samples, rounded up to equally many of each of ``classes``, one class after the other.

        Args:
            classes: Names or numbers, see :func:`gan_cli.data.classes.labels_of`.
            n: Number of samples.

        Raises:
            UserError: If the game takes no labels, or the data set has no such class.
        """
        if not self.game.conditional:
            raise UserError(f"classes={[*classes]}: the game of this run takes no labels.")
        labels = labels_of(classes, self.class_names, self.classes, "classes")
        return torch.tensor(labels).repeat_interleave(-(-n // len(labels)))
