"""The request of a gan-sample command line, checked before a run is loaded."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from gan_cli.errors import UserError
from gan_cli.inference.ranges import numbers
from gan_cli.inference.walks import CLASSES, PATHS

N = 64
"""Number of samples unless it is given."""
DEFAULTS = {"video": 16, "steer": 8}
"""The same for modes with another one."""


@dataclass(frozen=True)
class Request:
    """The config of gan-sample, with what a user types as lists and ranges read.

    Attributes:
        cfg: The config.
        n: Number of samples.
        seeds: A seed for each sample; None for ``cfg.seed``.
        classes: Classes by name or number; None for labels drawn as ``cfg.labels`` says.
        paths: Ways of an interpolation, one below the other; None for the game's own.
        axes: Coordinates of the latent that a traversal moves; None for the game's codes.
        source: Folder of images to be translated; None for held-out ones.
        fit: ``crop`` or ``whole``: how these images are brought to the run's size, or not.
    """

    cfg: DictConfig
    n: int
    seeds: list[int] | None
    classes: list[str] | None
    paths: list[str | None]
    axes: list[int] | None
    source: Path | None
    fit: str

    @classmethod
    def of(cls, cfg: DictConfig) -> "Request":
        """Return the request of a config.

        Raises:
            UserError: If a value cannot be read, or two of them cannot be used together.
        """
        seeds = None if cfg.seeds is None else numbers(cfg.seeds, "seeds")
        if seeds is not None and cfg.n not in (None, len(seeds)):
            raise UserError(f"n={cfg.n} and {len(seeds)} seeds: give one of them; each seed is one sample.")
        for word in cfg.path or ():
            if word not in PATHS:
                raise UserError(f"path={word}: it must be one or several of {', '.join(PATHS)}, as in path=slerp,pixels.")
        found = cls(
            cfg,
            n=len(seeds) if seeds is not None else DEFAULTS.get(cfg.mode, N) if cfg.n is None else cfg.n,
            seeds=seeds,
            classes=None if cfg.classes is None else [*cfg.classes],
            paths=[None] if cfg.path is None else [*cfg.path],
            axes=None if cfg.axes is None else numbers(cfg.axes, "axes"),
            source=None if cfg.source is None else Path(cfg.source),
            fit=cfg.fit,
        )
        found.check()
        return found

    def check(self) -> None:
        """Check that the fields can be used with the mode and with each other.

        Raises:
            UserError: If they cannot.
        """
        mode = self.cfg.mode
        given = {"path": self.cfg.path is not None, "axes": self.axes is not None, "fit": self.fit != "crop"}
        given |= {"source": self.source is not None, "columns": self.cfg.columns is not None}
        given |= {"target": self.cfg.target is not None}
        modes = {
            "path": ("interpolation", "video"),
            "axes": ("traverse",),
            "fit": ("single",),
            "source": ("grid", "single"),
            "columns": ("grid", "interpolation", "traverse", "steer"),
            "target": ("steer",),
        }
        for key in modes:
            if given[key] and mode not in modes[key]:
                words = " or ".join(f"mode={one}" for one in modes[key])
                raise UserError(f"{key} cannot be used with mode={mode}: choose {words}.")
        if mode in ("video", "steer") and self.classes is not None:
            raise UserError(f"classes cannot be used with mode={mode}. Leave it out, or choose labels=uniform.")
        if mode == "steer" and self.cfg.target is None:
            raise UserError("mode=steer leads to a class: name it in target=..., by name or number.")
        if self.fit == "whole" and self.source is None:
            raise UserError("fit=whole translates images of your own at their own sizes: name their folder in source=...")
        if self.source is not None and self.seeds is not None:
            raise UserError("source and seeds cannot be used together: a sample has a source or a seed of its own.")
        if mode == "traverse" and self.classes is not None and self.axes is None:
            raise UserError("classes cannot be used with mode=traverse: the codes of a traversal are not the data's classes.")
        if self.source is not None and self.classes is not None:
            raise UserError("source and classes cannot be used together: a sample has a source or a class.")
        if CLASSES in self.paths and self.classes is None:
            raise UserError("path=classes leads from class to class: name at least two in classes=[...].")
        if mode == "interpolation" and self.seeds is not None and len(self.seeds) < 2 and self.paths != [CLASSES]:
            raise UserError("seeds: a walk leads from seed to seed, so name at least two.")
