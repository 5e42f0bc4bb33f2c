"""Image features from a small network that learns the data set's own classes, once.

Sets that look nothing like ImageNet's photographs (digits, clothes) are scored by a classifier of their own. Its accuracy on
held-out images is measured with it: what it cannot tell apart among real images, it cannot judge in generated ones.
"""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Self

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.data.base import Data, Dataset, evenly, generator
from gan_cli.data.images.cache import default_folder
from gan_cli.errors import UserError
from gan_cli.metrics.features.base import Features, levels, reproducible
from gan_cli.metrics.features.cache import content_key, remembered

FORMAT = 1
"""Part of every key: raise it when the network or its training changes."""

LEAST = 8
"""Pixels of the shorter side."""

CHUNK = 1000
"""Images read at a time."""

WAITING = "Waiting for another process that trains the same classifier."
OTHERS = "Others need no labels: features=efficientnet_lite0, features=inception, features=pixels."


class Network(nn.Module):
    """Stages of two 3×3 convolutions with batch norm and ReLU, the first of which halves the image; then a mean and a layer.

    There are as many stages as lead to at most 4×4, and three at least; their channels are w, 2w, 4w, 4w, … ``g`` draws the
    initial weights, so that no default random stream moves.
    """

    def __init__(self, channels: int, size: int, classes: int, width: int, g: torch.Generator):
        super().__init__()
        stages = max(3, (size - 1).bit_length() - 2)
        layers: list[nn.Module] = []
        with torch.device("meta"):
            for stage in range(stages):
                out = width * min(2**stage, 4)
                layers += [*_convolution(channels, out, stride=2), *_convolution(out, out, stride=1)]
                channels = out
            self.trunk = nn.Sequential(*layers)
            self.head = nn.Linear(channels, classes)
        self.to_empty(device="cpu")
        for module in self.trunk:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=g)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 ``[B, C, H, W]`` -> features ``[B, d]``, all at least 0, and logits ``[B, K]``."""
        x = (x.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        features = self.trunk(x).mean((2, 3))
        return features, self.head(features)


class Trained(NamedTuple):
    """A network in eval mode, where it computes; the shape of its images, its SHA-256, and its accuracy on held-out ones."""

    network: Network
    device: torch.device
    shape: tuple[int, ...]
    sha256: str
    heldout_accuracy: float


@dataclass(frozen=True)
class Classifier(Features):
    """The 4·``width`` inputs of the last layer, and the logits, of a classifier trained on the data set's training labels.

    Trained once by AdamW with a one-cycle schedule up to ``lr``, for ``epochs`` passes in batches of ``batch_size``, with
    the seed ``seed``; ``flip``: half of the images are mirrored meanwhile; ``max_images``: it learns from at most that many,
    evenly spaced, and is tested on at most that many. The same data and fields give the same network on one machine. It is
    kept under ``default_folder()``, by the content of the images and labels.

    Raises UserError for points, images smaller than 8 pixels, data without labels or with one class, fields out of range,
    images of another shape than it was trained on, and NaN and Inf in them.
    """

    epochs: int = 8
    batch_size: int = 128
    lr: float = 0.01
    width: int = 32
    flip: bool = True
    max_images: int = 60_000
    seed: int = 0
    trained: Trained | None = field(default=None, init=False, repr=False, compare=False)
    name: ClassVar[str] = "classifier"

    def __post_init__(self):
        for least, names in ((1, ("epochs", "width")), (2, ("batch_size", "max_images")), (0, ("seed",))):
            for name in names:
                checks.count(name, getattr(self, name), least)
        checks.number("lr", self.lr, above=0)
        checks.flag("flip", self.flip)

    def fitted(self, data: Data, device: torch.device) -> Self:
        """These features with their network, trained on ``data`` or read from the disk, on ``device``."""
        fitted = dataclasses.replace(self)
        object.__setattr__(fitted, "trained", trained_on(data, fitted, device))  # no key of the config
        return fitted

    @property
    def provenance(self) -> dict[str, Any]:
        """The extractor, its fields; once it is fitted its weights' SHA-256 and its accuracy on the held-out images."""
        if self.trained is None:
            return {"extractor": self.name, "resizing": "none", **_settings(self)}
        known = {"weights": self.trained.sha256, "heldout_accuracy": self.trained.heldout_accuracy}
        return {"extractor": self.name, "resizing": "none", **known}

    @torch.no_grad()
    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images ``[N, C, H, W]``, float in [-1, 1] or uint8 -> features ``[N, d]``, logits ``[N, K]``, float32."""
        if self.trained is None:
            raise UserError("features=classifier knows no classes yet: fitted(data, device) trains it.")
        if tuple(x.shape[1:]) != self.trained.shape:
            wanted = list(self.trained.shape)
            raise UserError(f"features=classifier was trained on images {wanted} and got {list(x.shape[1:])}.")
        network, device = self.trained.network, self.trained.device
        with reproducible():
            batches = [network(levels(chunk, self.name).to(device)) for chunk in x.split(self.batch_size)]
        features, logits = (torch.cat([part.cpu() for part in parts]) for parts in zip(*batches, strict=True))
        return features, logits


@lru_cache(maxsize=1)
def trained_on(data: Data, settings: Classifier, device: torch.device) -> Trained:
    """The network for ``data``: kept in memory, else read from the disk, else trained on ``device`` and written there.

    Raises UserError where there is nothing to learn from such data.
    """
    _require_classes(data)
    x, y = _read(data.train, settings.max_images)
    heldout = _read(data.heldout, settings.max_images)
    network = Network(x.shape[1], min(x.shape[2:]), data.classes, settings.width, generator("classifier", settings.seed))

    def compute() -> dict[str, Tensor]:
        train(network.to(device), x, y, settings)
        accuracy = torch.tensor(accuracy_of(network, *heldout, settings.batch_size), dtype=torch.float64)
        return {"heldout_accuracy": accuracy, **{name: tensor.cpu() for name, tensor in network.state_dict().items()}}

    words = {"format": FORMAT, "classes": data.classes, **_settings(settings)}
    path = default_folder() / "classifiers" / f"{content_key(words, x, y, *heldout)}.npz"
    state = remembered(path, compute, WAITING)
    accuracy = float(state.pop("heldout_accuracy"))
    network.load_state_dict(state)
    network.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)
    return Trained(network, device, data.shape, content_key(list(state), *state.values()), accuracy)


@torch.enable_grad()
@reproducible()
def train(network: Network, x: Tensor, y: Tensor, settings: Classifier) -> None:
    """Fit ``network`` to images ``x``, uint8 ``[N, C, H, W]``, and labels ``y``, int64 ``[N]``, where the network lies."""
    g, device = generator("classifier order", settings.seed), network.head.weight.device
    network.train().to(memory_format=torch.channels_last)
    batches = max(len(x) // settings.batch_size, 1)  # an incomplete last one is left out, of another order in every epoch
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.lr, total_steps=settings.epochs * batches + 1)
    with _progress(settings.epochs * batches) as advance:
        for _ in range(settings.epochs):
            order = torch.randperm(len(x), generator=g)
            for index in order.split(settings.batch_size)[:batches]:
                images = x[index]
                if settings.flip:
                    mirrored = torch.rand(len(index), generator=g) < 0.5
                    images[mirrored] = images[mirrored].flip(3)
                loss = F.cross_entropy(network(images.to(device))[1], y[index].to(device))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                advance()


@torch.no_grad()
def accuracy_of(network: Network, x: Tensor, y: Tensor, batch_size: int) -> float:
    """The share of images ``x``, uint8 ``[N, C, H, W]``, that the network gives their label ``y``, int64 ``[N]``."""
    network.eval()
    device = network.head.weight.device
    batches = zip(x.split(batch_size), y.split(batch_size), strict=True)
    with reproducible():
        right = [network(images.to(device))[1].argmax(1).cpu() == labels for images, labels in batches]
    return float(torch.cat(right).double().mean())


def _convolution(channels: int, out: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]


def _settings(classifier: Classifier) -> dict[str, Any]:
    return {entry.name: getattr(classifier, entry.name) for entry in dataclasses.fields(classifier) if entry.init}


def _require_classes(data: Data) -> None:
    levels(torch.empty(0, *data.shape, dtype=torch.uint8), Classifier.name)
    trains, tests = len(data.train), len(data.heldout)
    if min(data.shape[1:]) < LEAST:
        problem = f"images of {LEAST} pixels or more, these are {list(data.shape)}"
    elif data.classes < 2:
        problem = f"labels of 2 classes or more, this data set has {data.classes}"
    elif trains < 2 or not tests:
        problem = f"2 images to learn from and 1 held out, there are {trains} and {tests}"
    else:
        return
    raise UserError(f"features=classifier needs {problem}.\n{OTHERS}")


def _read(dataset: Dataset, max_images: int) -> tuple[Tensor, Tensor]:
    """Images uint8 ``[N, C, H, W]`` and labels int64 ``[N]``."""
    images, labels = [], []
    for chunk in evenly(len(dataset), max_images).split(CHUNK):
        x, y = dataset.batch(chunk)
        if y is None:
            raise UserError(f"features=classifier needs labels, and some images of this data set have none.\n{OTHERS}")
        images.append(levels(x, Classifier.name))
        labels.append(y)
    return torch.cat(images), torch.cat(labels)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("training a classifier on the data set's labels, once", total=total)
        yield lambda: progress.advance(task)
