"""The commands as functions, for scripts and notebooks: train, evaluate, and the run that they return."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

from hydra.types import RunMode

from gan_cli.cli import main
from gan_cli.cli.app import evaluation_config, without_hydra
from gan_cli.cli.earlier_run import check_named_here, words_of_job
from gan_cli.cli.job import record_failure, train_in, working_folder
from gan_cli.config.compose import compose, loader
from gan_cli.config.hydra_internals import supplied
from gan_cli.config.stored import read_plain
from gan_cli.config.trust import importable
from gan_cli.errors import Stopped, UserError
from gan_cli.runs import started
from gan_cli.runs.folder import read_result, run_folder
from gan_cli.runs.naming import find_run
from gan_cli.runs.streams import unfailing

if TYPE_CHECKING:
    import pandas
    from torch import Tensor

    from gan_cli.data.record import DataRecord
    from gan_cli.evaluation.results import Evaluation
    from gan_cli.games.sampling import Sampling
    from gan_cli.inference.load import LoadedRun

    Named: TypeAlias = str | Path | "Run" | LoadedRun


@dataclass(frozen=True)
class Run:
    """A run on disk, finished or not; everything is read from its folder when it is asked for.

    Attributes:
        folder: Where the run leaves everything, as ``outputs/2026-01-31_12-00-00_ring_hinge``.
    """

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", run_folder(find_run(str(self.folder))))

    @property
    def config(self) -> dict[str, Any]:
        """The whole config as plain data."""
        return read_plain(self.folder / "config.yaml")

    @property
    def result(self) -> dict[str, Any]:
        """The content of ``result.json``: status, metric before and after, fingerprint; empty until the run has ended."""
        return read_result(self.folder) or {}

    @property
    def data(self) -> "DataRecord | None":
        """The record of the data that the run is trained on: counts, classes, originals, duplicates, checksum."""
        from gan_cli.runs import record

        return record.read(self.folder)

    @property
    def metrics(self) -> "pandas.DataFrame":
        """The logged numbers: a row for each step, a column for each tag, as ``loss/generator``; NaN where none was logged."""
        import pandas

        from gan_cli.runs.logger import read

        rows: dict[int, dict[str, float | None]] = {}
        for row in read(self.folder):
            rows.setdefault(row["step"], {}).update({tag: value for tag, value in row.items() if tag != "step"})
        return pandas.DataFrame.from_dict(rows, orient="index", dtype=float).rename_axis("step").sort_index()

    def load(
        self,
        checkpoint: str | int = "last",
        ema: bool = True,
        device: str = "cpu",
        labels: str = "data",
        trust: str | Sequence[str] = (),
        **options: "Unpack[Sampling]",
    ) -> "LoadedRun":
        """Return one checkpoint, ready to be sampled; see :func:`gan_cli.load`."""
        from gan_cli.inference.load import load

        return load(self.folder, checkpoint, ema, device, labels=labels, trust=trust, **options)

    def sample(self, n: int | None = None, seed: int = 0, y: Any = None, *, seeds: Sequence[int] | None = None) -> "Tensor":
        """Return ``n`` samples of the newest checkpoint, float32 ``[n, *shape]``; images lie in [-1, 1].

        Args:
            n: Number of samples.
            seed: Equal seeds give equal samples.
            y: Labels, as :meth:`gan_cli.inference.sampler.Sampler.sample` takes them.
            seeds: A seed for each sample, instead of ``seed``.
        """
        return self.load().sample(n, seed, y, seeds=seeds)


def train(
    overrides: Sequence[str] = (),
    *,
    folder: str | Path | None = None,
    config_dir: str | Path | None = None,
    silent: bool = False,
    **settings: Any,
) -> Run:
    """Train a run and return it: ``gan_cli.train(["train.steps=500"], dataset="ring", loss="wgan_gp", seed=1)``.

    The same as ``gan-train`` with the same words, to the bit. Ctrl-C ends the round, saves it, and raises ``Stopped``; the
    run continues with ``gan_cli.train([f"resume={run.folder}"])``. Random streams, threads, flags of torch, environment and
    import path of this process are afterwards as they were.

    Args:
        overrides: Words of the command line, each ``KEY=VALUE`` or ``GROUP=OPTION``.
        folder: A folder for the run that holds none yet (None: a new one below ``outputs/``).
        config_dir: A folder with options of your own, as in ``config_dir/loss/mine.yaml``.
        silent: Show no progress.
        **settings: Further overrides whose keys have no dot: ``seed=1`` is the word ``seed=1``, ``None`` is ``null``.

    Returns:
        The run, as it lies on disk.

    Raises:
        UserError: If the words, the data or the parts do not fit together; the message is the command line's.
    """
    place = [] if folder is None else [f"hydra.run.dir={folder}"]
    configs = None if config_dir is None else str(config_dir)
    words = main.train_overrides([*overrides, *_words(settings), *place], configs)
    loaded = loader(configs)
    words = words_of_job(words, loaded)
    cfg = compose(loaded, "train", words)
    if cfg.hydra.mode == RunMode.MULTIRUN:
        raise UserError("this is a sweep, not one run: start it with gan-train -m.")
    check_named_here(cfg, words)
    with unfailing(own_process=False), working_folder(cfg, words) as path, _process_as_it_was():
        from gan_cli.runs.console import Terminal, say

        console, job = Terminal(quiet=silent), without_hydra(cfg)
        for line in supplied(loaded) if cfg.resume is None else ():
            say(console, line)
        if cfg.resume is None:
            started.record(path, cfg)
        try:
            train_in(path, job, cfg.hydra, lambda line: say(console, line), console)
        except Stopped:
            raise
        except Exception as error:
            record_failure(error, job, path)
            raise
        return Run(path)


def evaluate(
    run: "Named | Sequence[Named] | None" = None,
    overrides: Sequence[str] = (),
    *,
    config_dir: str | Path | None = None,
    silent: bool = False,
    **settings: Any,
) -> "Evaluation":
    """Measure a run, a sweep or two folders of images: ``gan_cli.evaluate(run, metric="kid", n_samples=1000).frame()``.

    The same as ``gan-eval`` with the same words; ``eval.json`` and ``eval.csv`` are written too.

    Args:
        run: A run or its folder, a folder of several runs, a list of these to be compared, or None with ``real=DIR, fake=DIR``.
        overrides: Words of the command line.
        config_dir: A folder with options of your own, as in ``config_dir/metric/mine.yaml``.
        silent: Show no progress.
        **settings: Further overrides whose keys have no dot, as ``checkpoint="all"``.

    Returns:
        The results, each number with its error, its floor and its provenance.

    Raises:
        UserError: If there is no such run, or its samples cannot be measured so; the message is the command line's.
    """
    runs = run if isinstance(run, Sequence) and not isinstance(run, str) else [] if run is None else [run]
    folders = [one if isinstance(one, str | Path) else one.folder for one in runs]
    configs = None if config_dir is None else str(config_dir)
    words = main.use_overrides(main.EVALUATE, [*(f"run={one}" for one in folders), *overrides, *_words(settings)], configs)
    cfg = evaluation_config(words, configs)
    with importable(os.getcwd(), cfg.trust, configs), _process_as_it_was():
        from rich.console import Console

        from gan_cli.evaluation.command import measure

        return measure(cfg, Console(stderr=True, quiet=silent))[0]


def _words(settings: Mapping[str, Any]) -> list[str]:
    """Return keyword arguments as words of the command line."""
    return [f"{key}={_word(value)}" for key, value in settings.items()]


def _word(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_word, value))}]"
    return {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else str(value)


@contextmanager
def _process_as_it_was() -> Iterator[None]:
    """Put back what a run sets in its process: random streams, threads, flags of torch, and the environment."""
    import torch

    from gan_cli.randomness import random_state, set_random_state

    environment = dict(os.environ)
    # cuBLAS repeats itself to the bit only with a workspace of its own
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    devices = [torch.device("cpu"), *(torch.device("cuda", index) for index in gpus)]
    streams = [random_state(device) for device in devices]
    n_threads, cudnn = torch.get_num_threads(), (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark)
    deterministic, warn_only = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
        torch.set_num_threads(n_threads)
        for device, stream in zip(devices, streams, strict=True):
            set_random_state(stream, device)
        os.environ.clear()
        os.environ.update(environment)
