"""Image features of a small network that is trained once on the data set's own labels.

Data sets that look unlike ImageNet's photographs (digits, clothes) are scored by a classifier of their own. Its accuracy on
held-out images is reported with it: classes that it confuses in real images cannot be judged in generated ones.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.activity import activity, count_samples, counted
from gan_cli.data.base import Data, Dataset, evenly_spaced, seeded_generator
from gan_cli.data.images.cache import default_folder
from gan_cli.errors import UserError
from gan_cli.metrics.features.base import Features, deterministic_convolutions, quantize_images
from gan_cli.metrics.features.cache import content_key, load_or_compute

FORMAT = 1
"""Part of every cache key: increase it if the network or its training changes."""

MIN_SIDE = 8
"""Smallest side length of an image, in pixels."""

READ_BATCH = 1000
"""Number of images read at a time."""

WAITING = "Waiting for another process that trains the same classifier."
ADVICE = "These features need no labels: features=efficientnet_lite0, features=inception, features=pixels."


class ClassifierNetwork(nn.Module):
    """Stages of two 3×3 convolutions with batch norm and ReLU, then global average pooling and a linear layer.

    The first convolution of each stage halves the image. There are as many stages as lead to at most 4×4 pixels, and at least
    three; their channels are w, 2w, 4w, 4w, …

    Args:
        channels: Channels of the images.
        size: Shorter side of the images in pixels.
        classes: Number K of classes.
        width: Channels w of the first stage.
        g: Generator of the initial weights; default random streams are not used.
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
        """Map uint8 images ``[B, C, H, W]`` to non-negative features ``[B, d]`` and logits ``[B, K]``."""
        x = (x.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        features = self.trunk(x).mean((2, 3))
        return features, self.head(features)


class TrainedClassifier(NamedTuple):
    """A trained network in eval mode.

    Attributes:
        network: The network.
        device: Device that it computes on.
        shape: Shape ``(C, H, W)`` of its images.
        sha256: Checksum of its weights, hexadecimal.
        heldout_accuracy: Its accuracy on held-out images, in [0, 1].
    """

    network: ClassifierNetwork
    device: torch.device
    shape: tuple[int, ...]
    sha256: str
    heldout_accuracy: float


@dataclass(frozen=True)
class Classifier(Features):
    """Features and logits of a classifier trained on the data set's training labels.

    The features are the 4·``width`` inputs of the last layer. The classifier is trained once, by AdamW with a one-cycle
    learning rate. The same data and settings give the same network on one machine. It is stored under ``default_folder()``, by
    the content of the images and labels.

    Args:
        epochs: Passes over the training images.
        batch_size: Images per batch.
        lr: Highest learning rate of the one-cycle schedule.
        width: Channels of the first stage.
        flip: True to mirror half of the images during training.
        max_samples: Largest number of images, evenly spaced, to train on, and to test on.
        seed: Seed of the initial weights and of the order of the images.

    Raises:
        UserError: If a field is out of range. In ``fitted``, if the data are points, images smaller than 8 pixels, or have
            fewer than two classes. On a call, if the images have another shape than the training images, or hold NaN or Inf.
    """

    epochs: int = 8
    batch_size: int = 128
    lr: float = 0.01
    width: int = 32
    flip: bool = True
    max_samples: int = 60_000
    seed: int = 0
    trained: TrainedClassifier | None = field(default=None, init=False, repr=False, compare=False)
    name: ClassVar[str] = "classifier"
    trained_on_data: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for least, names in ((1, ("epochs", "width")), (2, ("batch_size", "max_samples")), (0, ("seed",))):
            for name in names:
                checks.count(name, getattr(self, name), least)
        checks.number("lr", self.lr, above=0)
        checks.flag("flip", self.flip)

    def fitted(self, data: Data, device: torch.device) -> Self:
        """Return these features with their network on ``device``, trained on ``data`` or loaded from the disk."""
        fitted = dataclasses.replace(self)
        object.__setattr__(fitted, "trained", train_or_load(data, fitted, device))  # not a config key
        return fitted

    @property
    def provenance(self) -> dict[str, Any]:
        """Extractor, and the settings or, once fitted, the SHA-256 of the weights and the held-out accuracy."""
        if self.trained is None:
            return {"extractor": self.name, "resizing": "none", **_settings(self)}
        known = {"weights": self.trained.sha256, "heldout_accuracy": self.trained.heldout_accuracy}
        return {"extractor": self.name, "resizing": "none", **known}

    @torch.no_grad()
    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images ``[N, C, H, W]``, float in [-1, 1] or uint8, to features ``[N, d]`` and logits ``[N, K]``, float32."""
        if self.trained is None:
            raise UserError("features=classifier is not trained yet: call fitted(data, device) first.")
        if tuple(x.shape[1:]) != self.trained.shape:
            expected = list(self.trained.shape)
            raise UserError(f"features=classifier was trained on images {expected} and got {list(x.shape[1:])}.")
        network, device = self.trained.network, self.trained.device
        batches = []
        with deterministic_convolutions():
            for chunk in x.split(self.batch_size):
                batches.append(network(quantize_images(chunk, self.name).to(device)))
                count_samples(len(chunk))
        features, logits = (torch.cat([part.cpu() for part in parts]) for parts in zip(*batches, strict=True))
        return features, logits


@lru_cache(maxsize=1)
def train_or_load(data: Data, settings: Classifier, device: torch.device) -> TrainedClassifier:
    """Return the classifier for ``data``: from memory, else from the disk, else trained on ``device`` and stored.

    Raises:
        UserError: If the data are not labelled images that a classifier can be trained on.
    """
    _require_classes(data)
    x, y = _load_labelled(data.train, settings.max_samples)
    heldout = _load_labelled(data.heldout, settings.max_samples)
    network = ClassifierNetwork(
        x.shape[1], min(x.shape[2:]), data.classes, settings.width, seeded_generator("classifier", settings.seed)
    )

    def compute() -> dict[str, Tensor]:
        train_classifier(network.to(device), x, y, settings)
        accuracy = torch.tensor(classifier_accuracy(network, *heldout, settings.batch_size), dtype=torch.float64)
        return {"heldout_accuracy": accuracy, **{name: tensor.cpu() for name, tensor in network.state_dict().items()}}

    metadata = {"format": FORMAT, "classes": data.classes, **_settings(settings)}
    path = default_folder() / "classifiers" / f"{content_key(metadata, x, y, *heldout)}.npz"

    def fits(tensors: Mapping[str, Tensor]) -> bool:
        expected = {"heldout_accuracy": torch.zeros(()), **network.state_dict()}
        return {name: t.shape for name, t in tensors.items()} == {name: t.shape for name, t in expected.items()}

    state = load_or_compute(path, compute, fits, WAITING)
    accuracy = float(state.pop("heldout_accuracy"))
    network.load_state_dict(state)
    network.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)
    return TrainedClassifier(network, device, data.shape, content_key(list(state), *state.values()), accuracy)


@torch.enable_grad()
@deterministic_convolutions()
def train_classifier(network: ClassifierNetwork, x: Tensor, y: Tensor, settings: Classifier) -> None:
    """Train ``network`` in place, on the device that it is on.

    Args:
        network: The network.
        x: Images, uint8 ``[N, C, H, W]``.
        y: Labels, int64 ``[N]``.
        settings: Number of epochs, batch size, learning rate, mirroring and seed.
    """
    g, device = seeded_generator("classifier order", settings.seed), network.head.weight.device
    network.train().to(memory_format=torch.channels_last)
    batches = max(len(x) // settings.batch_size, 1)  # an incomplete last batch is dropped; the order differs in every epoch
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.lr, total_steps=settings.epochs * batches + 1)
    with activity("training a classifier on the data set's labels, once", settings.epochs * batches) as training:
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
                training.advance()


@torch.no_grad()
def classifier_accuracy(network: ClassifierNetwork, x: Tensor, y: Tensor, batch_size: int) -> float:
    """Return the share of images ``x``, uint8 ``[N, C, H, W]``, that are classified as their labels ``y``, int64 ``[N]``."""
    network.eval()
    device = network.head.weight.device
    batches = zip(x.split(batch_size), y.split(batch_size), strict=True)
    with deterministic_convolutions():
        correct = [network(images.to(device))[1].argmax(1).cpu() == labels for images, labels in batches]
    return float(torch.cat(correct).double().mean())


def _convolution(channels: int, out: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]


def _settings(classifier: Classifier) -> dict[str, Any]:
    return {entry.name: getattr(classifier, entry.name) for entry in dataclasses.fields(classifier) if entry.init}


def _require_classes(data: Data) -> None:
    quantize_images(torch.empty(0, *data.shape, dtype=torch.uint8), Classifier.name)
    n_train, n_heldout = len(data.train), len(data.heldout)
    if min(data.shape[1:]) < MIN_SIDE:
        problem = f"images of {MIN_SIDE} pixels or more; these are {list(data.shape)}"
    elif data.classes < 2:
        problem = f"labels of 2 classes or more; this data set has {data.classes}"
    elif n_train < 2 or not n_heldout:
        problem = f"at least 2 training images and 1 held-out image; there are {n_train} and {n_heldout}"
    else:
        return
    raise UserError(f"features=classifier needs {problem}.\n{ADVICE}")


def _load_labelled(dataset: Dataset, max_samples: int) -> tuple[Tensor, Tensor]:
    """Return images, uint8 ``[N, C, H, W]``, and labels, int64 ``[N]``."""
    images, labels = [], []
    for chunk in counted("reading labelled images", evenly_spaced(len(dataset), max_samples).split(READ_BATCH)):
        x, y = dataset.batch(chunk)
        if y is None:
            raise UserError(f"features=classifier needs labels, but some images of this data set have none.\n{ADVICE}")
        images.append(quantize_images(x, Classifier.name))
        labels.append(y)
    return torch.cat(images), torch.cat(labels)
