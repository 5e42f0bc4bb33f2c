"""A finished or unfinished run, opened again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from gan_cli import checkpoint, device
from gan_cli.build import build_game
from gan_cli.configs import resume_command, run_folder
from gan_cli.errors import UserError
from gan_cli.games.base import Traversal
from gan_cli.randomness import forked
from gan_cli.sampling import cycling_labels, decode, generate, set_standing_statistics, truncate


class LoadedRun:
    """One checkpoint of a run: its config, its step and its players, ready to be sampled; arguments as ``load`` has them.

    ``game``: the players in eval mode, averaged (``ema=True``) or as they were trained. ``classes``: number of labels, 0
    where there are none. The data set is not needed, nor looked for.
    """

    def __init__(
        self,
        folder: Path,
        state: dict[str, Any],
        place: torch.device,
        ema: bool,
        truncation: float | None = None,
        standing: int | None = None,
    ) -> None:
        self.folder, self.step = folder, int(state["step"])
        self.config: DictConfig = OmegaConf.create(state["config"])
        self.shape, self.classes = tuple(state["data"]["shape"]), int(state["data"]["classes"])
        with forked(0, place):  # the initial weights that are about to be replaced shall not move the streams
            self.game = build_game(self.config, self.shape, self.classes).requires_grad_(False)
        with checkpoint.fitting(folder):
            self.game.load_state_dict(state["average" if ema else "game"])
        self.game.to(place).eval()
        if truncation is not None:
            truncate(self.game, truncation)
        if standing is not None:
            set_standing_statistics(self.game, standing, self.classes)

    def sample(self, n: int, seed: int = 0, y: Tensor | None = None) -> Tensor:
        """``n`` samples, float32 ``[n, *shape]`` on the CPU: images ``[n, C, H, W]`` in [-1, 1], points ``[n, d]``.

        Equal seeds give equal samples; torch's own random streams stay as they are. ``y``: labels ``[n]`` for a conditional
        game; by default 0, 1, 2, ... over and over.
        """
        return generate(self.game, n, seed, self.labels(n) if y is None else y)

    def interpolate(self, pairs: int, steps: int, seed: int = 0, y: Tensor | None = None) -> Tensor:
        """``pairs`` walks of ``steps`` samples, ``[pairs * steps, *shape]``, each from one random latent to another.

        The walk is along the great circle between the two latents, where a Gaussian prior has its mass. ``y``: labels
        ``[pairs]`` for a conditional game, each kept along its walk; by default 0, 1, 2, ... over and over.
        """
        with forked(seed, self.game.device):
            start, end = self.game.latents(pairs), self.game.latents(pairs)
            t = torch.linspace(0, 1, steps, device=start.device)
            path = torch.stack([slerp(a, b, t) for a, b in zip(start, end, strict=True)]).flatten(0, 1)
            y = self.labels(pairs) if y is None else y
            return decode(self.game, path, None if y is None else y.repeat_interleave(steps))

    def traverse(self, n: int, seed: int = 0) -> list[tuple[Traversal, Tensor]]:
        """What each code of the game does, and the samples ``[rows * columns, *shape]`` of it, about ``n`` each.

        Raises UserError for a game whose latents have no codes.
        """
        with forked(seed, self.game.device):
            found = [(traversal, decode(self.game, traversal.latents)) for traversal in self.game.traversals(n)]
        if not found:
            raise UserError("mode=traversal shows what codes do, such as those of game=infogan: this run's latents have none.")
        return found

    def labels(self, n: int) -> Tensor | None:
        """0, 1, 2, ... over and over; None without classes."""
        return cycling_labels(n, self.classes)

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
    checkpoint_name: str | int = "last",
    ema: bool = True,
    device_name: str = "cpu",
    truncation: float | None = None,
    standing: int | None = None,
) -> LoadedRun:
    """Opens the run in the folder ``run`` for sampling: ``gan_cli.load("outputs/...").sample(16)``.

    ``checkpoint_name``: ``"last"``, a step, or the path of a checkpoint file. ``ema``: the averaged players rather than the
    trained ones. ``device_name``: auto, cpu, cuda, cuda:N or mps. ``truncation``: normal latents are drawn within this of 0.
    ``standing``: batch norm's statistics are taken anew from so many batches of 250 samples. Raises UserError where there is
    no run, no readable checkpoint, or nothing to truncate or take anew.
    """
    folder = run_folder(run)
    return LoadedRun(folder, _state(folder, str(checkpoint_name)), device.choose(device_name), ema, truncation, standing)


def _state(folder: Path, name: str) -> dict[str, Any]:
    if name == "last":
        state, _ = checkpoint.newest(folder)
        if state is None:
            raise UserError(f"{folder} holds no checkpoint yet. Continue the run with: {resume_command(folder)}")
        return state
    if name.isdecimal():
        if int(name) not in (steps := checkpoint.steps_in(folder)):
            raise UserError(f"{folder} holds no checkpoint of step {name}. There are: {', '.join(map(str, steps)) or 'none'}.")
        return checkpoint.load(checkpoint.path_of(folder, int(name)))
    return checkpoint.load(Path(name))


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Spherical interpolation between two latents of equal shape at ``t`` in [0, 1] ``[T]`` -> ``[T, *shape]``.

    sin((1 - t) w) / sin w a + sin(t w) / sin w b with w the angle between a and b (Shoemake, 1985); a straight line where they
    are parallel.
    """
    cosine = torch.dot(a.flatten(), b.flatten()) / (a.norm() * b.norm()).clamp(min=1e-12)
    angle = cosine.clamp(-1, 1).arccos()
    t = t.reshape(-1, *[1] * a.ndim)
    if angle.sin() < 1e-6:
        return torch.lerp(a, b, t)
    return (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()
