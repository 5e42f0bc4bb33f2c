"""Image features from the Inception network that FID is defined with; with these weights alone a number is called FID.

Szegedy et al.: Rethinking the Inception Architecture for Computer Vision (2015), https://arxiv.org/abs/1512.00567, in the
TensorFlow model of 2015-12-05; Heusel et al. 2017, https://arxiv.org/abs/1706.08500, for FID. Network and weights in
PyTorch, equal to the TensorFlow original in resizing and pooling: torch-fidelity.
"""

import io
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.images.cache import default_folder
from gan_cli.errors import FieldError, UserError, first_line
from gan_cli.metrics.features.pretrained import Pretrained, download, find, read

SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
FILE = "pt_inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{FILE}"
ADVICE = (
    "features.path=FILE says where the file is, features.download=true fetches it (metric.path, metric.download with "
    "metric=auto)."
)


def places() -> list[Path]:
    """Where the file of weights is looked for: the cache folder, then where pytorch-fid and torch-fidelity leave it."""
    checkpoints = Path(torch.hub.get_dir()) / "checkpoints"
    return [default_folder() / "weights" / FILE, checkpoints / FILE, checkpoints / FILE.replace("pt_", "weights-")]


@lru_cache(maxsize=1)
def load_network(device: torch.device, path: Path | None, fetch: bool, sha256: str) -> torch.nn.Module:
    """The network in eval mode on ``device``: uint8 ``[B, 3, H, W]`` -> features ``[B, 2048]``, logits ``[B, 1008]``.

    ``path``: the file of weights, None to look in ``places()``; ``fetch``: download it if it is in none of them. Its
    checksum is verified before anything in it is looked at. Raises UserError where there is no such file, where it is
    another one, cannot be fetched or does not belong to this network.
    """
    path = path or find(places(), sha256) or _fetched(fetch, sha256)
    content = read(path, sha256, ADVICE)
    # Only here, since it takes a second; it reads weights without restraint, hence tensors alone are let through to it.
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    try:
        torch.load(io.BytesIO(content), weights_only=True, map_location="meta")
        with torch.random.fork_rng(devices=[]):  # it is initialised at random: training's random stream is not to move
            network = FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], io.BytesIO(content))
    except Exception as error:  # whatever unpickling and a file of any kind may raise
        reason = first_line(error)
        raise UserError(f"{path} does not hold weights of the Inception network: {reason}\n{ADVICE}") from error
    # Channels-last saves a third of the time on a CPU.
    return network.to(device, memory_format=torch.channels_last)


@dataclass(frozen=True)
class Inception(Pretrained):
    """The 2048 pooled features and the logits over 1008 classes, without their bias, of FID's Inception network.

    Images are resized to 299 × 299 as TensorFlow 1 did it. ``path``: the file of weights, None to look in ``places()``;
    ``download``: whether it is fetched if it is in none of them; ``sha256``: its checksum in hexadecimal. The published
    file has the default; numbers with any other carry its first digits in their name and are never called FID. Further
    fields and errors: ``Pretrained``.
    """

    path: str | None = None
    download: bool = False
    sha256: str = SHA256
    name: ClassVar[str] = "inception"

    def __post_init__(self):
        super().__post_init__()
        checks.flag("download", self.download)
        if not re.fullmatch("[0-9a-f]{64}", str(self.sha256)):
            raise FieldError("sha256", self.sha256, "it must be 64 hexadecimal digits in small letters.")

    @property
    def provenance(self) -> dict[str, Any]:
        """The extractor, its weights' SHA-256 and how images are resized."""
        return {"extractor": self.name, "weights": self.sha256, "resizing": "bilinear as in TensorFlow 1, to 299×299"}

    def label(self, measure: str) -> str:
        """``fid`` for the Fréchet distance, ``<measure>_inception`` for others; see above for other weights."""
        if self.sha256 != SHA256:
            return f"{measure}_{self.name}_{self.sha256[:8]}"
        return "fid" if measure == "fd" else f"{measure}_{self.name}"

    def load(self) -> torch.nn.Module:
        """The network on ``device``."""
        return load_network(self.device, self.file, self.download, self.sha256)

    def batch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 ``[B, 1 | 3, H, W]`` -> features ``[B, 2048]`` and logits ``[B, 1008]``."""
        return self.load()(x.expand(-1, 3, -1, -1))

    @property
    def file(self) -> Path | None:
        """``path`` as a path, None where it names none."""
        return None if self.path is None else Path(str(self.path)).expanduser()

    def found(self) -> Path | None:
        """The file of weights: the one that ``path`` names, unseen, or the first right one in ``places()``."""
        return self.file or find(places(), self.sha256)


def _fetched(fetch: bool, sha256: str) -> Path:
    """The file of weights, downloaded into the first of ``places()``."""
    path = places()[0]
    if not fetch:
        looked = ", ".join(f"{place} ({'another file' if place.exists() else 'missing'})" for place in places())
        raise UserError(f"The weights of the Inception network (SHA-256 {sha256[:12]}…) are not here: {looked}.\n{ADVICE}")
    download(URL, path, sha256, ADVICE)
    return path
