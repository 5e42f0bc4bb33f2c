"""A finished or unfinished run, opened again."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from gan_cli.build import build_data, build_game
from gan_cli.config.locations import location_key
from gan_cli.data.base import Data
from gan_cli.data.images.arrays import to_float
from gan_cli.data.images.folder import native_images
from gan_cli.data.images.transform import Transform
from gan_cli.data.scaling import Series, unnamed
from gan_cli.device import choose
from gan_cli.drawing import Panel
from gan_cli.errors import UserError
from gan_cli.games.protocols import HasTraversals, Invertible
from gan_cli.games.sampling import (
    Sampling,
    conditions,
    cycling_labels,
    decode,
    examples,
    generate,
    picture_strips,
    set_sampling,
)
from gan_cli.randomness import fork_rng
from gan_cli.runs.checkpoint import fitting, newest, path_of, steps_in
from gan_cli.runs.checkpoint import load as load_checkpoint
from gan_cli.runs.folder import resume_command, run_folder
from gan_cli.runs.version import check_version


class LoadedRun:
    """One checkpoint of a run: its config, its step and its players, ready to be sampled; arguments as ``load`` has them.

    ``game``: the players in eval mode, averaged (``ema=True``) or as they were trained. ``classes``: number of labels, 0
    where there are none; ``source``: shape of what is translated, None where nothing is. ``inverse``: translates back.
    ``series``: of sequences, their features' names and the way back to the data's own units, as the checkpoint keeps them.

    The data set is needed, and looked for where the config says or in ``root``, only where held-out sources are translated.
    """

    def __init__(
        self,
        folder: Path,
        state: dict[str, Any],
        place: torch.device,
        ema: bool,
        *,
        inverse: bool = False,
        root: str | None = None,
        **sampling: Unpack[Sampling],
    ) -> None:
        self.folder, self.step = folder, int(state["step"])
        self.config: DictConfig = OmegaConf.create(state["config"])
        check_version(folder, self.config)
        self.inverse, self.root = inverse, root
        self.trained_on = state["data"]
        shape, source = tuple(self.trained_on["shape"]), self.trained_on["source"]
        self.classes = int(self.trained_on["classes"])
        self.source: tuple[int, ...] | None = None if source is None else tuple(source)
        with fork_rng(0, place):  # the initial weights that are about to be replaced shall not move the streams
            self.game = build_game(self.config, shape, self.classes, self.source).requires_grad_(False)
        with fitting(folder):
            self.game.load_state_dict(state["ema" if ema else "game"])
            self.game.objective.load_state_dict(state["objective"])
        self.game.begin_round(max(self.step, 1))
        if inverse:
            if not isinstance(self.game, Invertible):
                name = type(self.game).__name__
                raise UserError(f"{name} has no way back: only a game that translates both ways has, such as game=cyclegan.")
            self.game = self.game.inverse()
            assert self.source is not None
            shape, self.source = self.source, shape
        self.shape = shape
        kept = self.trained_on["series"]
        self.series = unnamed(shape[-1]) if kept is None else Series.from_dict(kept)
        self.game.to(place).eval()
        if sampling.get("standing_statistics") and self.source is not None:
            raise UserError("standing_statistics: this run's samples are translated from sources, not drawn. Leave it out.")
        set_sampling(self.game, self.classes, **sampling)

    @cached_property
    def data(self) -> Data:
        """The data set of the run, seen the way that is translated."""
        data = build_data(with_root(self.config, self.root))
        return self.checked(data.swapped() if self.inverse else data)

    def checked(self, data: Data) -> Data:
        """``data``, seen the way that is translated. UserError unless it is what the run was trained on."""
        if not (data.swapped() if self.inverse else data).matches(self.trained_on):
            raise UserError(
                f"the data set is not the one that {self.folder} was trained on: other samples, columns or ranges.\n"
                "Put that one back, or say with root= where it lies."
            )
        return data

    def sample(self, n: int, seed: int = 0, y: Tensor | None = None) -> Tensor:
        """``n`` samples, float32 ``[n, *shape]`` on the CPU: images ``[n, C, H, W]`` in [-1, 1], points ``[n, d]``,
        sequences ``[n, T, F]``, which ``series.scaling.to_units`` takes to the data's own units.

        Equal seeds give equal samples; torch's own random streams stay as they are. ``y``: labels ``[n]`` for a conditional
        game, by default 0, 1, 2, ... over and over; sources ``[n, *source]`` for a translator, by default held-out ones, drawn
        by ``seed``, over and over where there are fewer. Of given ``y`` there may be fewer than ``n``.
        """
        y = self.conditions(n, seed) if y is None else y
        return generate(self.game, n if y is None else len(y), seed, y)

    def picture_strips(self, n: int, seed: int = 0, y: Tensor | None = None) -> list[Tensor]:
        """What a picture of the same samples shows in strips: of a translator sources too, and targets where it has them."""
        targets = examples(self.data, n, seed).x if y is None and self.source is not None and self.data.paired else None
        y = self.conditions(n, seed) if y is None else y
        with fork_rng(seed, self.game.device):
            return picture_strips(self.game, self.game.latents(n if y is None else len(y)), y, targets)

    def interpolate(self, pairs: int, steps: int, seed: int = 0, y: Tensor | None = None) -> Tensor:
        """``pairs`` walks of ``steps`` samples, ``[pairs * steps, *shape]``, each from one random latent to another.

        The walk is the game's own: of normal latents along the great circle. ``y``: labels
        ``[pairs]`` for a conditional game, each kept along its walk; by default 0, 1, 2, ... over and over. UserError where
        samples are decided by their sources.
        """
        if self.source is not None and not self.game.latents(1).numel():
            raise UserError("mode=interpolation: this game's samples are decided by their sources, there is no latent to vary.")
        with fork_rng(seed, self.game.device):
            start, end = self.game.latents(pairs), self.game.latents(pairs)
            t = torch.linspace(0, 1, steps, device=start.device).reshape(-1, *[1] * (start.ndim - 1))
            path = torch.stack([self.game.interpolate(a, b, t) for a, b in zip(start, end, strict=True)]).flatten(0, 1)
            y = self.conditions(pairs, seed) if y is None else y
            return decode(self.game, path, None if y is None else y.repeat_interleave(steps, dim=0))

    def traverse(self, n: int, seed: int = 0) -> list[Panel]:
        """What each code of the game does to images, about ``n`` for each.

        Raises UserError for a game whose latents have no codes, and where samples are no images.
        """
        if len(self.shape) != 3:
            raise UserError("mode=traversal lays images side by side, and this run's samples are none.")
        if not isinstance(self.game, HasTraversals):
            raise UserError("mode=traversal shows what codes do, such as those of game=infogan: this run's latents have none.")
        with fork_rng(seed, self.game.device):
            return [Panel(decode(self.game, t.latents), t.title, t.rows, t.columns) for t in self.game.traversals(n)]

    def conditions(self, n: int, seed: int) -> Tensor | None:
        """What ``n`` samples are given: labels 0, 1, 2, ... over and over, held-out sources, or nothing (None)."""
        return cycling_labels(n, self.classes) if self.source is None else conditions(self.data, n, seed)

    def images(self, folder: Path, n: int) -> Tensor:
        """The first ``n`` images of ``folder`` by name as sources ``[n, *source]``, their middle squares scaled to size.

        Raises UserError where this game translates no images, or the folder has none that can be decoded.
        """
        if self.source is None or len(self.source) != 3:
            raise UserError(f"source={folder}: the samples of this run are not translated from images. Leave it out.")
        channels, side, _ = self.source
        pictures, transform = native_images(folder), Transform(side, channels)
        return to_float(np.stack([pictures.array(index, transform) for index in range(min(n, len(pictures)))]))

    def labels_of(self, classes: Sequence[int], n: int) -> Tensor:
        """Labels of ``n`` samples, rounded up to equally many of each of ``classes``, one class after the other.

        Raises UserError for a game that takes no labels, and for classes that the data set lacks.
        """
        if not self.game.conditional:
            raise UserError(f"classes={[*classes]}: the game of this run takes no labels.")
        if not classes or not all(0 <= c < self.classes for c in classes):
            raise UserError(f"classes={[*classes]}: this run's data set has the classes 0 to {self.classes - 1}.")
        return torch.tensor(classes).repeat_interleave(-(-n // len(classes)))


def load(
    run: str | Path,
    checkpoint: str | int = "last",
    ema: bool = True,
    device: str = "cpu",
    *,
    inverse: bool = False,
    root: str | None = None,
    **sampling: Unpack[Sampling],
) -> LoadedRun:
    """Opens the run in the folder ``run`` for sampling: ``gan_cli.load("outputs/...").sample(16)``.

    ``checkpoint``: ``"last"``, a step, or the path of a checkpoint file. ``ema``: the averaged players rather than the
    trained ones. ``device``: auto, cpu, cuda, cuda:N or mps. ``inverse``: a translator's way back; ``root``: where the
    data set lies, if its samples are needed and it has moved. ``sampling``: what shall be otherwise than in training, see
    :class:`~gan_cli.games.sampling.Sampling`. Raises UserError where there is no run, no readable
    checkpoint, no way back, or nothing that could be drawn so.
    """
    folder = run_folder(run)
    return LoadedRun(
        folder,
        _state(folder, str(checkpoint)),
        choose(device),
        ema,
        inverse=inverse,
        root=root,
        **sampling,
    )


def with_root(config: DictConfig, root: str | None) -> DictConfig:
    """Return the config with its data set in the folder, or file, ``root`` (None: where the config says).

    Raises:
        UserError: If the data set lies in no folder and no file.
    """
    if root is None:
        return config
    moved = OmegaConf.merge(config, {"dataset": {place_of(config.dataset, root): root}})
    assert isinstance(moved, DictConfig)
    return moved


def place_of(dataset: DictConfig, root: str) -> str:
    """Return the key of a data set that says where it lies.

    Raises:
        UserError: If there is none, so that ``root`` is of no use.
    """
    key = location_key(dataset)
    if key is None:
        raise UserError(f"root={root}: this run's data set lies in no folder and no file.")
    return key


def _state(folder: Path, name: str) -> dict[str, Any]:
    if name == "last":
        state, _ = newest(folder)
        if state is None:
            raise UserError(f"{folder} holds no checkpoint yet. Continue the run with: {resume_command(folder)}")
        return state
    if name.isdecimal():
        if int(name) not in (steps := steps_in(folder)):
            raise UserError(f"{folder} holds no checkpoint of step {name}. There are: {', '.join(map(str, steps)) or 'none'}.")
        return load_checkpoint(path_of(folder, int(name)))
    return load_checkpoint(Path(name))
