"""The scalars of the commands: names, types, defaults, ranges and their meaning.

These dataclasses are Hydra's schemas and also what ``--help`` and completion read, so that the three cannot differ.
Standard library only: help must not wait for Hydra.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gan_cli.config.scalars import MISSING, scalar

REPORT_TEXTS = ("title", "source", "differences")
"""Keys of a config's ``report`` node whose values are texts."""
DEVICE = "auto (best one here), cpu, cuda, cuda:N or mps"
DEVICES = ("auto", "cpu", "cuda", "mps")
DEBUG = "show tracebacks"
PRECISIONS, LAYOUTS = ("auto", "fp32", "bf16", "fp16", "tf32"), ("auto", "contiguous", "channels_last")
TRUST = "modules of your own, or that you have read, which a run from elsewhere may name (remembered)"


@dataclass
class Train:
    """Length of the training, stated by one of the first five keys, and sizes of its rounds."""

    steps: int | None = scalar(3000, "rounds of the game (null: another budget is given)", low=0)
    images: int | None = scalar(None, "real images that the discriminator sees, instead of steps", low=0)
    epochs: float | None = scalar(None, "passes through the training data, instead of steps", low=0)
    minutes: float | None = scalar(None, "minutes of training, measurements and pictures not counted, instead of steps", low=0)
    processor_minutes: float | None = scalar(None, "minutes of processor time, of all cores together, instead of steps", low=0)
    batch_size: int = scalar(64, "samples per turn", low=1)
    accumulate: int = scalar(1, "equal parts in which each batch is computed, one after another, to need less memory", low=1)
    batches: str = scalar(
        "shuffled", "all samples once per epoch, or equally many of each class", choices=("shuffled", "balanced")
    )
    n_critic: int = scalar(1, "discriminator turns before each generator turn", low=1)
    generator_batches: int = scalar(1, "how many batches each generator turn takes at once, as one larger batch", low=1)


@dataclass
class TrainConfig:
    """``gan-train``: its scalars, and a node for every group of components."""

    train: Train = field(default_factory=Train)
    eval_every: int = scalar(1000, "rounds between evaluations of the metric (0: only at the end)", low=0)
    checkpoint_every: int = scalar(1000, "rounds between checkpoints (0: only at the end)", low=0)
    sample_every: int = scalar(500, "rounds between pictures of samples (0: only at the end)", low=0)
    log_every: int = scalar(10, "rounds between logged numbers (0: only at the end)", low=0)
    keep_checkpoints: int | None = scalar(None, "how many of the newest checkpoints stay, at least two (null: all)", low=1)
    early_stopping: int | None = scalar(
        None, "evaluations without a gain of the metric above its error, after which the run ends (null: never)", low=1
    )
    keep_best: int = scalar(0, "how many of the best checkpoints, by the run's metric, stay beside the newest", low=0)
    ema: float | None = scalar(0.999, "decay of the averaged players that are sampled (null: none)", low=0, high=1)
    latent: str = scalar("normal", "law of the latents' coordinates: N(0, 1) or U(-1, 1)", choices=("normal", "uniform"))
    seed: int = scalar(0, "start of every random stream", low=0, high=2**63)
    device: str = scalar("auto", DEVICE, suggested=DEVICES, form=r"auto|cpu|cuda(:\d+)?|mps|meta")
    processes: int = scalar(1, "how many of this machine compute each batch together (torchrun: as it says)", low=1)
    batch_norm: str = scalar(
        "whole", "samples whose statistics it takes: of all processes, or of each alone", choices=("whole", "per_rank")
    )
    precision: str = scalar("fp32", "of the forward passes (auto: by device and networks)", choices=PRECISIONS)
    memory_format: str = scalar("contiguous", "layout of images (auto: by precision and networks)", choices=LAYOUTS)
    compile: bool = scalar(False, "compile the networks by torch.compile, if the game needs no second derivative of them")
    deterministic: bool = scalar(True, "same seed, same run, also where a faster algorithm exists")
    trust: list[str] = scalar([], TRUST)
    debug: bool = scalar(False, DEBUG)
    resume: str | None = scalar(None, "folder of a run to be continued; auto: the one in hydra.run.dir, if it has begun")
    from_: str | None = scalar(None, "RUN@STEP: a new run that goes on from this checkpoint of another (RUN: its newest)")
    code: str = scalar(
        "same", "refuse changed modules of your own, use them, or overlook the change", choices=("same", "new", "ignore")
    )
    init_from: str | None = scalar(None, "a run or a checkpoint whose players this run begins with (null: fresh ones)")
    init_players: list[str] | None = scalar(None, "which of its players (null: all)")
    init_average: bool = scalar(False, "begin with its averaged players instead of the trained ones")
    frozen: list[str] = scalar(
        [], "players that never move, or layers of them, as discriminator.body.0 or discriminator.body.*"
    )
    method: str | None = scalar(None, "what tables and figures of a sweep call this run (null: by what was swept)")

    model: Any = MISSING
    optimizer: Any = MISSING
    learning_rate: Any = MISSING
    averaging: Any = MISSING
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

    labels: str = scalar(
        "data", "shares of the classes among samples: those of the data, or equal ones", choices=("data", "uniform")
    )
    truncation: float | None = scalar(None, "bound on each coordinate of normal latents (null: none)", low=0)
    standing_statistics: int | None = scalar(
        None, "batches from which batch norm's statistics are computed again (null: those of training)", low=1
    )
    sampling_steps: int | None = scalar(None, "steps from noise to a sample, of diffusion (null: as in the run)", low=1)
    eta: float | None = scalar(None, "fresh noise in each of them: 0 DDIM, 1 ancestral (null: as in the run)", low=0, high=1)
    guidance: float | None = scalar(None, "w of classifier-free guidance, of diffusion (null: as it was trained)", low=-1)


@dataclass
class EvalConfig(SamplingConfig):
    """``gan-eval``: a run, all runs of a folder, or two folders of images, evaluated."""

    run: str | None = scalar(None, "folder of a run or of several (a sweep); the bare path will do")
    others: list[str] = scalar([], "further runs or sweeps to compare it with; the bare paths will do")
    real: str | None = scalar(None, "folder of real images, instead of a run")
    fake: str | None = scalar(None, "folder of generated images, beside real=")
    size: int | None = scalar(None, "side in pixels that real images of a folder are brought to (null: as they are)", low=1)
    fit: str | None = scalar(None, "how they are brought to it, as dataset.fit (null: crop)", choices=("pad", "crop"))
    checkpoint: str | None = scalar(
        None, "last, best, all, a step, or a path (null: last and best)", suggested=("last", "best", "all")
    )
    n_samples: int | None = scalar(
        None,
        "real and generated samples (null: n_samples of the metric, which is the run's or that of metric=; of folders, all)",
        low=1,
    )
    n_fake: int | None = scalar(None, "generated samples (null: n_fake of the metric, or as many as real ones)", low=1)
    root: str | None = scalar(None, "folder or file where the data set lies (null: as in the run)")
    out: str | None = scalar(None, "folder for eval.json and eval.csv (null: the run's own; of folders, outputs/)")
    ema: bool = scalar(True, "evaluate the averaged players if the run has them")
    best_of: int | None = scalar(
        None, "compare the methods of a search after this many trials, and their best settings on the held-out split", low=1
    )
    reference: str | None = scalar(
        None, "method of a sweep that all others are compared with: its settings, or a part of them (null: the best one)"
    )
    inverse: bool = scalar(False, "measure a translator's way back, where the game has one")
    seed: int | None = scalar(None, "start of every random stream (null: as in the run)", low=0, high=2**63)
    device: str = scalar("auto", DEVICE, suggested=DEVICES, form=r"auto|cpu|cuda(:\d+)?|mps|meta")
    trust: list[str] = scalar([], TRUST)
    debug: bool = scalar(False, DEBUG)

    metric: Any = None
    features: Any = None
    diagnostics: Any = None


@dataclass
class SampleConfig(SamplingConfig):
    """``gan-sample``: pictures from one checkpoint of a run."""

    run: str = scalar(MISSING, "folder of the run; the bare path will do")
    checkpoint: str = scalar("last", "last, best (of those that training has measured), a step, or a path")
    mode: str = scalar(
        "grid",
        "a picture, one file each (sequences: a table), walks, what axes or codes of the latent do, the way to a class, a film",
        choices=("grid", "single", "interpolation", "traverse", "steer", "video"),
    )
    n: int | None = scalar(None, "how many samples; rounded up to as many of each class (null: 64, or one per seed)", low=1)
    seeds: list[str] | None = scalar(None, "a seed for each sample, as 0-9,42, the same ones for each class (null: see seed)")
    classes: list[str] | None = scalar(None, "classes by name or number, a row or folder for each (null: all, see labels)")
    columns: int | None = scalar(None, "columns of a grid, steps of a walk or an axis (null: by their number)", low=1)
    path: list[str] | None = scalar(None, "of walks, one or several: slerp, lerp, pixels, classes (null: as the latents' law)")
    axes: list[str] | None = scalar(None, "coordinates of the latent that mode=traverse moves, as 0-4,9 (null: the codes)")
    target: str | None = scalar(None, "class by name or number that mode=steer leads to, by a classifier's gradient")
    film: str = scalar(
        "training",
        "of mode=video: stored pictures, the same latents at each checkpoint, or a closed walk",
        choices=("training", "checkpoints", "walk"),
    )
    seconds: float = scalar(8.0, "length of a film", low=0.1, high=3600)
    fps: int = scalar(25, "pictures of a film per second", low=1, high=121)
    source: str | None = scalar(None, "folder of images for a translator (null: held-out sources of its data set)")
    fit: str = scalar("crop", "these images at the size of training, or as they are (mode=single)", choices=("crop", "whole"))
    inverse: bool = scalar(False, "translate the other way, where the game can")
    root: str | None = scalar(None, "folder or file where the data set lies, if it is needed (null: as in the run)")
    out: str | None = scalar(None, "file or folder to be written; the suffix decides the format (null: inside the run)")
    ema: bool = scalar(True, "sample the averaged players if the run has them")
    seed: int = scalar(0, "start of every random stream", low=0, high=2**63)
    device: str = scalar("auto", DEVICE, suggested=DEVICES, form=r"auto|cpu|cuda(:\d+)?|mps|meta")
    trust: list[str] = scalar([], TRUST)
    debug: bool = scalar(False, DEBUG)


@dataclass
class ExportConfig:
    """``gan-export``: networks of one checkpoint of a run, as files for other programs."""

    run: str = scalar(MISSING, "folder of the run; the bare path will do")
    checkpoint: str = scalar("last", "last, a step, or a path")
    format: str = scalar(
        "safetensors", "weights that init_from= takes, a graph, or a program", choices=("safetensors", "onnx", "torchscript")
    )
    players: list[str] | None = scalar(None, "players by name, as generator,discriminator (null: what makes the samples)")
    out: str | None = scalar(None, "folder to be written (null: inside the run)")
    ema: bool = scalar(True, "export the averaged players if the run has them")
    trust: list[str] = scalar([], TRUST)
    debug: bool = scalar(False, DEBUG)


@dataclass
class ReportConfig:
    """``gan-report``: a page about a run, a sweep, or every experiment of a folder."""

    run: str = scalar(MISSING, "folder of a run, a sweep, or several of them; the bare path will do")
    x: str | None = scalar(None, "swept key, as train.n_critic, or cost, as images, over which y is drawn (null: no figure)")
    y: list[str] = scalar([], "numbers of gan-eval or logged tags that are drawn over x ([]: the metric of the run)")
    median: int | None = scalar(None, "width of the curves' median filter in points, odd (null: a 25th of each)", low=1)
    stages: int = scalar(5, "pictures of samples under the curve", low=1, high=13)
    methods: int | None = scalar(12, "methods of each data set whose samples and estimates are shown (null: all)", low=1)
    quiz: int = scalar(24, "images of the real-or-generated quiz (0: none)", low=0, high=401)
    seed: int = scalar(0, "draws the quiz", low=0, high=2**63)
    root: str | None = scalar(None, "folder or file where the data set lies (null: as in the run)")
    checkpoints: bool = scalar(False, "pack the checkpoints into the archives of --export, too")
    trust: list[str] = scalar([], TRUST)
    debug: bool = scalar(False, DEBUG)


@dataclass
class RunsConfig:
    """``gan-runs``: the runs below a folder, filtered and sorted."""

    folder: str = scalar("outputs", "where runs are looked for; the bare path will do")
    status: list[str] | None = scalar(
        None, "running, finished, pruned, failed, stopped, requeue, unfinished or unreadable; several by commas (null: all)"
    )
    sort: str = scalar("age", "order of the table", choices=("age", "size", "step", "metric", "method", "data", "status"))
    debug: bool = scalar(False, DEBUG)


COMMANDS: Mapping[str, type] = {
    "gan-train": TrainConfig,
    "gan-eval": EvalConfig,
    "gan-sample": SampleConfig,
    "gan-export": ExportConfig,
    "gan-report": ReportConfig,
    "gan-runs": RunsConfig,
}
"""The commands, and the keys of each."""
