"""Loading of trained runs for sampling."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from gan_cli.activity import activity
from gan_cli.build import build_data, build_game
from gan_cli.config.trust import check, importable
from gan_cli.data.base import Data
from gan_cli.data.scaling import Series, unnamed
from gan_cli.device import choose
from gan_cli.errors import UserError
from gan_cli.games.protocols import Invertible
from gan_cli.games.sampling import Sampling, set_sampling
from gan_cli.inference.labels import Labels
from gan_cli.inference.needed import needed, with_root
from gan_cli.inference.sampler import Sampler
from gan_cli.randomness import fork_rng
from gan_cli.runs.checkpoint import fitting
from gan_cli.runs.console import displayed
from gan_cli.runs.folder import run_folder
from gan_cli.runs.naming import find_run
from gan_cli.runs.trained import is_own, named_checkpoint, warn_of_edits
from gan_cli.runs.version import check_version


class LoadedRun(Sampler):
    """One checkpoint of a run, ready to be sampled; see ``load`` for the arguments.

    The data set is needed only to translate held-out sources. It is then read from where the config says, or from ``root``.
    A loss, regularizer or augmentation whose module is not here is left out: samples do not depend on it, but turns do.

    Attributes:
        folder: Folder of the run.
        step: Step of the checkpoint.
        config: Config of the run.
        left_out: Keys of the parts that are left out, such as ``loss``.
        game: The averaged or the trained players, in eval mode.
        shape: Shape of one sample.
        classes: Number of labels, 0 if there are none.
        class_names: Names of the classes; empty if they have none.
        source: Shape of one source that is translated. None: samples are not translated.
        inverse: True if the translator's way back is used.
        labels: How the labels of samples are drawn.
        series: For sequences, the names of the features and the scaling to the data's own units, as stored in the checkpoint.
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
        labels: str = "data",
        **sampling: Unpack[Sampling],
    ) -> None:
        self.folder, self.step = folder, int(state["step"])
        self.config: DictConfig = OmegaConf.create(state["config"])
        check_version(folder, self.config)
        kept, self.left_out = needed(state["config"], folder)
        parts = OmegaConf.create(kept) if self.left_out else self.config
        self.inverse, self.root = inverse, root
        self.trained_on = state["data"]
        shape, source = tuple(self.trained_on["shape"]), self.trained_on["source"]
        self.classes = int(self.trained_on["classes"])
        self.class_names: list[str] = self.trained_on["class_names"]
        self.source: tuple[int, ...] | None = None if source is None else tuple(source)
        with fork_rng(0, place):  # initial weights, replaced below, must not advance the random streams
            self.game = build_game(parts, shape, self.classes, self.source).requires_grad_(False)
        self._load_state(state, "ema" if ema else "game")
        self.game.begin_round(max(self.step, 1))
        if inverse:
            if not isinstance(self.game, Invertible):
                name = type(self.game).__name__
                raise UserError(f"{name} has no way back: only a game that translates both ways has, such as game=cyclegan.")
            self.game = self.game.inverse()
            assert self.source is not None
            shape, self.source = self.source, shape
        self.shape = shape
        classes = self.classes if self.source is None else 0
        self.labels = Labels.of(self.game, labels, classes, self.trained_on.get("class_counts"))
        series = self.trained_on["series"]
        self.series = unnamed(shape[-1]) if series is None else Series.from_dict(series)
        self.game.to(place).eval()
        if sampling.get("standing_statistics") and self.source is not None:
            raise UserError("standing_statistics: this run's samples are translated from sources, not drawn. Leave it out.")
        set_sampling(self.game, self.classes, **sampling)

    def _load_state(self, state: Mapping[str, Any], which: str) -> None:
        """Load the ``ema`` or the ``game`` of a checkpoint.

        The weights of what is left out, such as buffers of an augmentation, have no place.

        Raises:
            UserError: If they do not fit, or players lack weights because a regularizer is left out.
        """
        with fitting(self.folder):
            found = self.game.load_state_dict(state[which], strict=not self.left_out)
            self.game.objective.load_state_dict(state["objective"])
        if found.missing_keys:
            check(state["config"], self.folder)  # names the module that is not here

    @cached_property
    def data(self) -> Data:
        """The data set of the run, with source and target swapped if ``inverse`` is set."""
        with importable(os.getcwd()):
            check({"dataset": OmegaConf.to_container(self.config.dataset)}, self.folder)
            data = build_data(with_root(self.config, self.root))
        return self.check_data(data.swapped() if self.inverse else data)

    def check_data(self, data: Data) -> Data:
        """Return ``data`` if it is the data set that the run was trained on.

        Raises:
            UserError: If it is another one.
        """
        if not (data.swapped() if self.inverse else data).matches(self.trained_on):
            raise UserError(
                f"the data set is not the one that {self.folder} was trained on: other samples, columns or ranges.\n"
                "Restore that one, or set root= to its folder or file."
            )
        return data


def load(
    run: str | Path,
    checkpoint: str | int = "last",
    ema: bool = True,
    device: str = "cpu",
    *,
    inverse: bool = False,
    root: str | None = None,
    labels: str = "data",
    trust: str | Sequence[str] = (),
    **sampling: Unpack[Sampling],
) -> LoadedRun:
    """Open the run in the folder ``run`` for sampling: ``gan_cli.load("outputs/...").sample(16)``.

    Modules of your own are looked for where Python looks and in the working folder, as by the commands.

    Args:
        run: Folder of the run, ``latest``, or a part of the name of one below ``outputs/``.
        checkpoint: ``"last"``, a step, or the path of a checkpoint file.
        ema: True for the averaged players, False for the trained ones.
        device: auto, cpu, cuda, cuda:N or mps.
        inverse: Use a translator's way back.
        root: Folder or file of the data set if its samples are needed and it has moved.
        labels: ``data`` for labels in the shares of the training data, ``uniform`` for equally many of each class.
        trust: Modules of your own, or that you have read, which the run may name. They are remembered.
        **sampling: Sampling options that differ from training, see :class:`~gan_cli.games.sampling.Sampling`.

    Raises:
        EarlierVersionError: If an earlier version made the run.
        UserError: If there is no run, no readable checkpoint, no way back, or the game cannot be sampled in this way; or if
            the run names a module that is not trusted.
    """
    with importable(os.getcwd(), [trust] if isinstance(trust, str) else trust), displayed(Console(stderr=True)):
        folder = run_folder(find_run(str(run)))
        state = named_checkpoint(folder, str(checkpoint))
        if is_own(folder, str(checkpoint)):
            warn_of_edits(folder, state)
        with activity(f"loading {folder.name} at step {state['step']}"):
            return LoadedRun(folder, state, choose(device), ema, inverse=inverse, root=root, labels=labels, **sampling)
