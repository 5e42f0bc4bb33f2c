"""The scalars of the commands: names, types, defaults, ranges and their meaning.

These dataclasses are Hydra's schemas and also what ``--help`` and completion read, so that the three cannot differ.
Standard library only: help must not wait for Hydra.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MISSING: Any = "???"
"""OmegaConf's mark of a value that must still be given."""


def _scalar(
    default: Any,
    help: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    suggested: tuple[str, ...] = (),
    form: str = "",
) -> Any:
    given = {"default_factory": lambda: list(default)} if isinstance(default, list) else {"default": default}
    known = {"help": help, "low": low, "high": high, "choices": choices, "suggested": suggested, "form": form}
    return field(**given, metadata={**known, "default": default})


REPORT_TEXTS = ("title", "source", "differences")
"""Keys of a config's ``report`` node whose values are texts."""
DEVICE = "auto (best one here), cpu, cuda, cuda:N or mps"
DEVICES = ("auto", "cpu", "cuda", "mps")
DEBUG = "show tracebacks"
TRUST = "modules of your own, or that you have read, which a run from elsewhere may name (remembered)"


@dataclass
class Train:
    """Length of the training and sizes of its rounds."""

    steps: int = _scalar(3000, "rounds of the game", low=0)
    batch_size: int = _scalar(64, "samples per turn", low=1)
    batches: str = _scalar(
        "shuffled", "all samples once per epoch, or equally many of each class", choices=("shuffled", "balanced")
    )
    n_critic: int = _scalar(1, "discriminator turns before each generator turn", low=1)


@dataclass
class TrainConfig:
    """``gan-train``: its scalars, and a node for every group of components."""

    train: Train = field(default_factory=Train)
    eval_every: int = _scalar(1000, "rounds between evaluations of the metric (0: only at the end)", low=0)
    checkpoint_every: int = _scalar(1000, "rounds between checkpoints (0: only at the end)", low=0)
    sample_every: int = _scalar(500, "rounds between pictures of samples (0: only at the end)", low=0)
    log_every: int = _scalar(10, "rounds between logged numbers (0: only at the end)", low=0)
    keep_checkpoints: int | None = _scalar(None, "how many of the newest checkpoints stay, at least two (null: all)", low=1)
    keep_best: int = _scalar(0, "how many of the best checkpoints, by the run's metric, stay beside the newest", low=0)
    ema: float | None = _scalar(0.999, "decay of the averaged players that are sampled (null: none)", low=0, high=1)
    latent: str = _scalar("normal", "law of the latents' coordinates: N(0, 1) or U(-1, 1)", choices=("normal", "uniform"))
    seed: int = _scalar(0, "start of every random stream", low=0, high=2**63)
    device: str = _scalar("auto", DEVICE, suggested=DEVICES, form=r"auto|cpu|cuda(:\d+)?|mps|meta")
    precision: str = _scalar("fp32", "of the forward passes", choices=("fp32", "bf16"))
    deterministic: bool = _scalar(True, "same seed, same run, also where a faster algorithm exists")
    trust: list[str] = _scalar([], TRUST)
    debug: bool = _scalar(False, DEBUG)
    resume: str | None = _scalar(None, "folder of a run to be continued; auto: the one in hydra.run.dir, if it has begun")
    from_: str | None = _scalar(None, "RUN@STEP: a new run that goes on from this checkpoint of another (RUN: its newest)")
    code: str = _scalar(
        "same", "refuse changed modules of your own, use them, or overlook the change", choices=("same", "new", "ignore")
    )
    init_from: str | None = _scalar(None, "a run or a checkpoint whose players this run begins with (null: fresh ones)")
    init_players: list[str] | None = _scalar(None, "which of its players (null: all)")
    init_average: bool = _scalar(False, "begin with its averaged players instead of the trained ones")
    frozen: list[str] = _scalar(
        [], "players that never move, or layers of them, as discriminator.body.0 or discriminator.body.*"
    )
    method: str | None = _scalar(None, "what tables and figures of a sweep call this run (null: by what was swept)")

    model: Any = MISSING
    optimizer: Any = MISSING
    learning_rate: Any = MISSING
    solver: Any = MISSING
    regularizer: Any = MISSING
    augmentation: Any = MISSING
    metric: Any = MISSING
    features: Any = MISSING
    diagnostics: Any = MISSING
    logger: Any = MISSING
    dataset: Any = MISSING
    loss: Any = MISSING
    game: Any = MISSING
    schedule: Any = MISSING
    report: dict[str, Any] | None = None


@dataclass
class SamplingConfig:
    """Options that change how samples are drawn after training."""

    labels: str = _scalar(
        "data", "shares of the classes among samples: those of the data, or equal ones", choices=("data", "uniform")
    )
    truncation: float | None = _scalar(None, "bound on each coordinate of normal latents (null: none)", low=0)
    standing_statistics: int | None = _scalar(
        None, "batches from which batch norm's statistics are computed again (null: those of training)", low=1
    )
    sampling_steps: int | None = _scalar(None, "steps from noise to a sample, of diffusion (null: as in the run)", low=1)
    eta: float | None = _scalar(None, "fresh noise in each of them: 0 DDIM, 1 ancestral (null: as in the run)", low=0, high=1)
    guidance: float | None = _scalar(None, "w of classifier-free guidance, of diffusion (null: as it was trained)", low=-1)


@dataclass
class EvalConfig(SamplingConfig):
    """``gan-eval``: a run, all runs of a folder, or two folders of images, evaluated."""

    run: str | None = _scalar(None, "folder of a run or of several (a sweep); the bare path will do")
    others: list[str] = _scalar([], "further runs or sweeps to compare it with; the bare paths will do")
    real: str | None = _scalar(None, "folder of real images, instead of a run")
    fake: str | None = _scalar(None, "folder of generated images, beside real=")
    size: int | None = _scalar(None, "side in pixels that real images of a folder are brought to (null: as they are)", low=1)
    fit: str | None = _scalar(None, "how they are brought to it, as dataset.fit (null: crop)", choices=("pad", "crop"))
    checkpoint: str | None = _scalar(
        None, "last, best, all, a step, or a path (null: last and best)", suggested=("last", "best", "all")
    )
    n_samples: int | None = _scalar(
        None,
        "real and generated samples (null: n_samples of the metric, which is the run's or that of metric=; of folders, all)",
        low=1,
    )
    n_fake: int | None = _scalar(None, "generated samples (null: n_fake of the metric, or as many as real ones)", low=1)
    root: str | None = _scalar(None, "folder or file where the data set lies (null: as in the run)")
    out: str | None = _scalar(None, "folder for eval.json and eval.csv (null: the run's own; of folders, outputs/)")
    ema: bool = _scalar(True, "evaluate the averaged players if the run has them")
    inverse: bool = _scalar(False, "measure a translator's way back, where the game has one")
    seed: int | None = _scalar(None, "start of every random stream (null: as in the run)", low=0, high=2**63)
    device: str = _scalar("auto", DEVICE, suggested=DEVICES, form=r"auto|cpu|cuda(:\d+)?|mps|meta")
    trust: list[str] = _scalar([], TRUST)
    debug: bool = _scalar(False, DEBUG)

    metric: Any = None
    features: Any = None
    diagnostics: Any = None


@dataclass
class SampleConfig(SamplingConfig):
    """``gan-sample``: pictures from one checkpoint of a run."""

    run: str = _scalar(MISSING, "folder of the run; the bare path will do")
    checkpoint: str = _scalar("last", "last, best (of those that training has measured), a step, or a path")
    mode: str = _scalar(
        "grid",
        "a picture, one file each (sequences: a table), walks, what axes or codes of the latent do, the way to a class, a film",
        choices=("grid", "single", "interpolation", "traverse", "steer", "video"),
    )
    n: int | None = _scalar(None, "how many samples; rounded up to as many of each class (null: 64, or one per seed)", low=1)
    seeds: list[str] | None = _scalar(None, "a seed for each sample, as 0-9,42, the same ones for each class (null: see seed)")
    classes: list[str] | None = _scalar(None, "classes by name or number, a row or folder for each (null: all, see labels)")
    columns: int | None = _scalar(None, "columns of a grid, steps of a walk or an axis (null: by their number)", low=1)
    path: list[str] | None = _scalar(None, "of walks, one or several: slerp, lerp, pixels, classes (null: as the latents' law)")
    axes: list[str] | None = _scalar(None, "coordinates of the latent that mode=traverse moves, as 0-4,9 (null: the codes)")
    target: str | None = _scalar(None, "class by name or number that mode=steer leads to, by a classifier's gradient")
    film: str = _scalar(
        "training",
        "of mode=video: stored pictures, the same latents at each checkpoint, or a closed walk",
        choices=("training", "checkpoints", "walk"),
    )
    seconds: float = _scalar(8.0, "length of a film", low=0.1, high=3600)
    fps: int = _scalar(25, "pictures of a film per second", low=1, high=121)
    source: str | None = _scalar(None, "folder of images for a translator (null: held-out sources of its data set)")
    fit: str = _scalar("crop", "these images at the size of training, or as they are (mode=single)", choices=("crop", "whole"))
    inverse: bool = _scalar(False, "translate the other way, where the game can")
    root: str | None = _scalar(None, "folder or file where the data set lies, if it is needed (null: as in the run)")
    out: str | None = _scalar(None, "file or folder to be written; the suffix decides the format (null: inside the run)")
    ema: bool = _scalar(True, "sample the averaged players if the run has them")
    seed: int = _scalar(0, "start of every random stream", low=0, high=2**63)
    device: str = _scalar("auto", DEVICE, suggested=DEVICES, form=r"auto|cpu|cuda(:\d+)?|mps|meta")
    trust: list[str] = _scalar([], TRUST)
    debug: bool = _scalar(False, DEBUG)


@dataclass
class ExportConfig:
    """``gan-export``: networks of one checkpoint of a run, as files for other programs."""

    run: str = _scalar(MISSING, "folder of the run; the bare path will do")
    checkpoint: str = _scalar("last", "last, a step, or a path")
    format: str = _scalar(
        "safetensors", "weights that init_from= takes, a graph, or a program", choices=("safetensors", "onnx", "torchscript")
    )
    players: list[str] | None = _scalar(None, "players by name, as generator,discriminator (null: what makes the samples)")
    out: str | None = _scalar(None, "folder to be written (null: inside the run)")
    ema: bool = _scalar(True, "export the averaged players if the run has them")
    trust: list[str] = _scalar([], TRUST)
    debug: bool = _scalar(False, DEBUG)


@dataclass
class ReportConfig:
    """``gan-report``: a page about a run, a sweep, or every experiment of a folder."""

    run: str = _scalar(MISSING, "folder of a run, a sweep, or several of them; the bare path will do")
    x: str | None = _scalar(None, "swept key, as train.n_critic, over which the numbers y are drawn (null: no such figure)")
    y: list[str] = _scalar([], "numbers of gan-eval or logged tags that are drawn over x ([]: the metric of the run)")
    median: int | None = _scalar(None, "width of the curves' median filter in points, odd (null: a 25th of each)", low=1)
    stages: int = _scalar(5, "pictures of samples under the curve", low=1, high=13)
    methods: int | None = _scalar(12, "methods of each data set whose samples and estimates are shown (null: all)", low=1)
    quiz: int = _scalar(24, "images of the real-or-generated quiz (0: none)", low=0, high=401)
    seed: int = _scalar(0, "draws the quiz", low=0, high=2**63)
    root: str | None = _scalar(None, "folder or file where the data set lies (null: as in the run)")
    checkpoints: bool = _scalar(False, "pack the checkpoints into the archives of --export, too")
    trust: list[str] = _scalar([], TRUST)
    debug: bool = _scalar(False, DEBUG)


@dataclass
class RunsConfig:
    """``gan-runs``: the runs below a folder, filtered and sorted."""

    folder: str = _scalar("outputs", "where runs are looked for; the bare path will do")
    status: list[str] | None = _scalar(
        None, "running, finished, failed, stopped, requeue, unfinished or unreadable; several by commas (null: all)"
    )
    sort: str = _scalar("age", "order of the table", choices=("age", "size", "step", "metric", "method", "data", "status"))
    debug: bool = _scalar(False, DEBUG)


COMMANDS: Mapping[str, type] = {
    "gan-train": TrainConfig,
    "gan-eval": EvalConfig,
    "gan-sample": SampleConfig,
    "gan-export": ExportConfig,
    "gan-report": ReportConfig,
    "gan-runs": RunsConfig,
}
"""The commands, and the keys of each."""


@dataclass(frozen=True)
class Scalar:
    """One scalar: ``kind`` is bool, int, float, str or list (of words), ``optional`` says whether it may be null.

    ``choices`` are all values that there are, ``suggested`` some of many, and ``form`` is a pattern that all of them match,
    which the help describes.
    """

    kind: type
    optional: bool
    default: Any
    help: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    suggested: tuple[str, ...] = ()
    form: str = ""

    def problem(self, value: Any) -> str | None:
        """Return why a value of the right kind is refused ("must be at least 1"), or None if it is not."""
        if value is None:
            return None
        if self.choices and value not in self.choices:
            return f"must be {', '.join(self.choices[:-1])} or {self.choices[-1]}"
        if self.form and not re.fullmatch(self.form, str(value)):
            return f"must be {self.help}"
        if self.low is not None and not value >= self.low:
            return f"must be at least {self.low}"
        if self.high is not None and not value < self.high:
            return f"must be below {self.high}"
        return None


def key_of(entry: dataclasses.Field[Any]) -> str:
    """Return the key of a field; that of a word of Python, as ``from``, has a field with an underscore behind it."""
    return entry.name.removesuffix("_")


def scalars(schema: type) -> Mapping[str, Scalar]:
    """Return all scalars of ``schema`` by dotted name, inherited ones last; nodes of components are not among them."""
    hints = typing.get_type_hints(schema)
    found: dict[str, Scalar] = {}
    for entry in sorted(dataclasses.fields(schema), key=lambda entry: entry.name not in schema.__annotations__):
        hint = hints[entry.name]
        if dataclasses.is_dataclass(hint):
            found |= {f"{entry.name}.{name}": scalar for name, scalar in scalars(typing.cast(type, hint)).items()}
        elif entry.metadata:
            kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
            kind = typing.get_origin(kinds[0]) or kinds[0]
            found[key_of(entry)] = Scalar(kind, types.NoneType in kinds, **entry.metadata)
    return found


def components(schema: type) -> list[str]:
    """Return the names of the nodes that groups fill in."""
    return [entry.name for entry in dataclasses.fields(schema) if entry.type is Any]
