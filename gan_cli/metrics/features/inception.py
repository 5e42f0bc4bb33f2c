"""Image features of the Inception network by which FID is defined.

A Fréchet distance is called FID only with the published weights of this network. Szegedy et al.: Rethinking the Inception
Architecture for Computer Vision (2015), https://arxiv.org/abs/1512.00567, in the TensorFlow model of 2015-12-05; Heusel et
al. 2017, https://arxiv.org/abs/1706.08500, for FID. The network in PyTorch, which equals the TensorFlow original in resizing
and pooling, comes from torch-fidelity.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.images.cache import default_folder
from gan_cli.errors import FieldError, UserError, why_unloadable
from gan_cli.metrics.features.pretrained import Pretrained, download_weights, find_weights, read_weights

SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
FILE = "pt_inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{FILE}"
ADVICE = (
    "Set features.path=FILE to the file, or download it with features.download=true (metric.path, metric.download with "
    "metric=auto)."
)


def weight_locations() -> list[Path]:
    """Return the paths where the weights are searched: the cache folder, then those of pytorch-fid and torch-fidelity."""
    checkpoints = Path(torch.hub.get_dir()) / "checkpoints"
    return [default_folder() / "weights" / FILE, checkpoints / FILE, checkpoints / FILE.replace("pt_", "weights-")]


@lru_cache(maxsize=1)
def load_inception(device: torch.device, path: Path | None, fetch: bool, sha256: str) -> torch.nn.Module:
    """Return the Inception network in eval mode on ``device``.

    It maps uint8 ``[B, 3, H, W]`` to features ``[B, 2048]`` and logits ``[B, 1008]``. The checksum is verified before the file
    is parsed.

    Args:
        device: Device that the network computes on.
        path: File with the weights; None to search ``weight_locations()``.
        fetch: True to download the weights if they are found nowhere.
        sha256: Expected checksum of the file, hexadecimal.

    Raises:
        UserError: If the file is missing, has another checksum, cannot be downloaded or does not fit the network.
    """
    checks.package("torch-fidelity", "fid", "features=inception")
    path = path or find_weights(weight_locations(), sha256) or _download(fetch, sha256)
    content = read_weights(path, sha256, ADVICE)
    # Imported late, since it takes a second. It unpickles without restrictions, so it is given tensors that were read with
    # restrictions and written again.
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    try:
        tensors = io.BytesIO()
        torch.save(torch.load(io.BytesIO(content), weights_only=True, map_location="cpu"), tensors)
        tensors.seek(0)
        with torch.random.fork_rng(devices=[]):  # the random initialisation must not advance training's stream
            network = FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], tensors)
    except Exception as error:  # unpickling an arbitrary file may raise anything
        reason = why_unloadable(error)
        raise UserError(f"{path} does not hold weights of the Inception network: {reason}.\n{ADVICE}") from error
    # The channels-last layout saves a third of the time on a CPU.
    return network.to(device, memory_format=torch.channels_last)


@dataclass(frozen=True)
class Inception(Pretrained):
    """The 2048 pooled features of FID's Inception network and its logits, without bias, over 1008 classes.

    Images are resized to 299 × 299 as in TensorFlow 1.

    Args:
        batch_size: Images per batch, see ``Pretrained``.
        path: File with the weights; None to search ``weight_locations()``.
        download: True to download the weights if they are found nowhere.
        sha256: Checksum of the weights, hexadecimal; the default is that of the published file. With any other file, numbers
            carry the first digits of its checksum in their names and are never called FID.

    Raises:
        UserError: If a field is out of range. Further errors: ``Pretrained``.
    """

    path: str | None = None
    download: bool = False
    sha256: str = SHA256
    name: ClassVar[str] = "inception"
    published: ClassVar[Mapping[str, str]] = {"fd": "fid", "fd_infinity": "fid_infinity", "intra_fd": "intra_fid"}
    """Names of the measures that have a name of their own in these features."""

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.flag("download", self.download)
        if not re.fullmatch("[0-9a-f]{64}", str(self.sha256)):
            raise FieldError("sha256", self.sha256, "it must be 64 hexadecimal digits in lower case.")

    @property
    def provenance(self) -> dict[str, Any]:
        """Extractor, SHA-256 of the weights, and resizing."""
        return {"extractor": self.name, "weights": self.sha256, "resizing": "bilinear as in TensorFlow 1, to 299×299"}

    def label(self, measure: str) -> str:
        """Return the name in ``published``, or ``<measure>_<name>``; see the class for other weights."""
        if self.sha256 != SHA256:
            return f"{measure}_{self.name}_{self.sha256[:8]}"
        return self.published.get(measure, f"{measure}_{self.name}")

    def load(self) -> torch.nn.Module:
        return load_inception(self.device, self.weights_path, self.download, self.sha256)

    def batch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map uint8 ``[B, 1 | 3, H, W]`` to features ``[B, 2048]`` and logits ``[B, 1008]``."""
        return self.load()(x.expand(-1, 3, -1, -1))

    @property
    def weights_path(self) -> Path | None:
        """``path`` as a ``Path``, or None."""
        return None if self.path is None else Path(str(self.path)).expanduser()

    def locate(self) -> Path | None:
        """Return the file with the weights: ``path``, unchecked, or the first valid file in ``weight_locations()``, or None."""
        return self.weights_path or find_weights(weight_locations(), self.sha256)


def _download(fetch: bool, sha256: str) -> Path:
    """Download the weights to the first of ``weight_locations()`` and return the path."""
    path = weight_locations()[0]
    if not fetch:
        searched = ", ".join(f"{place} ({'another file' if place.exists() else 'missing'})" for place in weight_locations())
        raise UserError(f"No weights of the Inception network (SHA-256 {sha256[:12]}…) were found: {searched}.\n{ADVICE}")
    download_weights(URL, path, sha256, ADVICE)
    return path
