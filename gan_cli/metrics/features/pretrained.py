"""The base class of features from networks with published weights, and the download and verification of weight files."""

import dataclasses
import hashlib
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Self
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.activity import activity, count_samples
from gan_cli.data.base import Data
from gan_cli.errors import UserError
from gan_cli.files import atomic_write, file_lock, temporary_name
from gan_cli.metrics.features.base import Features, deterministic_convolutions, quantize_images

TIMEOUT = 30.0
"""Longest wait for the server, in seconds."""
DOWNLOAD_BLOCK = 1 << 20
"""Number of bytes read from the network at a time."""


def read_weights(path: Path, sha256: str, advice: str) -> bytes:
    """Return the bytes of a file after its checksum has been verified.

    Args:
        path: The file.
        sha256: Expected SHA-256, hexadecimal.
        advice: Sentence for the error message that says what to do.

    Raises:
        UserError: If the file cannot be read or has another checksum.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"Cannot read the weights {path}: {error.strerror or error}.\n{advice}") from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise UserError(f"{path} does not hold the expected weights: SHA-256 {actual[:12]}…, not {sha256[:12]}….\n{advice}")
    return content


def find_weights(paths: Iterable[Path], sha256: str) -> Path | None:
    """Return the first of ``paths`` whose SHA-256 is ``sha256``, or None."""
    return next((path for path in paths if _has_checksum(path, sha256)), None)


def download_weights(url: str, path: Path, sha256: str, advice: str) -> None:
    """Download ``url`` to ``path`` with a progress bar, and keep it only if its checksum is right.

    The file appears at ``path`` only when it is complete. If several processes ask at the same time, one downloads and the
    others wait.

    Args:
        url: Address of the file.
        path: Destination.
        sha256: Expected SHA-256, hexadecimal.
        advice: Sentence for the error message that says what to do.

    Raises:
        UserError: If the file cannot be downloaded or has another checksum.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(
            path.with_name(f".{path.name}.lock"), f"Waiting for another process that downloads {path.name}."
        ) as alone:
            if alone:  # remove leftovers of killed processes
                for leftover in path.parent.glob(temporary_name(path, "*")):
                    leftover.unlink()
            if not _has_checksum(path, sha256):  # another process may have downloaded it in the meantime
                _fetch(url, path, sha256, advice)
    except (OSError, HTTPException) as error:
        reason = error.reason if type(error) is URLError else error
        raise UserError(f"Cannot download {url} to {path.parent}: {reason}.\n{advice}") from error


@dataclass(frozen=True)
class Pretrained(Features):
    """Features and logits of a network with published weights, for grey or colour images.

    A subclass loads the network and applies it to a batch.

    Args:
        batch_size: Images per batch; it does not affect the features.

    Attributes:
        device: Device that the network computes on: the CPU until ``fitted`` sets another.

    Raises:
        UserError: If the batch size is below 1. In ``fitted`` or on a call, if the weights are missing or have another
            checksum, or if the samples are not grey or colour images or hold NaN or Inf.
    """

    batch_size: int = 32
    device: torch.device = field(default=torch.device("cpu"), init=False, compare=False)

    def __post_init__(self) -> None:
        checks.count("batch_size", self.batch_size)

    def fitted(self, data: Data, device: torch.device) -> Self:
        """Return these features on ``device`` with the network loaded, so that missing weights are reported at the start."""
        quantize_images(torch.empty(0, *data.shape, dtype=torch.uint8), self.name)
        fitted = dataclasses.replace(self)
        object.__setattr__(fitted, "device", device)  # known only now, and not a config key
        fitted.load()
        return fitted

    @abstractmethod
    def load(self) -> torch.nn.Module:
        """Return the network in eval mode on ``device``, cached between the evaluations of a run."""

    @abstractmethod
    def batch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map uint8 ``[B, 1 | 3, H, W]`` on ``device`` to features ``[B, d]`` and logits ``[B, K]``, float32."""

    @torch.no_grad()
    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images ``[N, 1 | 3, H, W]``, float in [-1, 1] or uint8, to features ``[N, d]`` and logits ``[N, K]``, float32."""
        batches = []
        with deterministic_convolutions():
            for chunk in x.split(self.batch_size):
                batches.append(self.batch(quantize_images(chunk, self.name).to(self.device)))
                count_samples(len(chunk))
        features, logits = (torch.cat([part.cpu() for part in parts]) for parts in zip(*batches, strict=True))
        return features, logits


def _has_checksum(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _fetch(url: str, path: Path, sha256: str, advice: str) -> None:
    with atomic_write(path, durable=True) as unfinished:
        length, actual = _stream(url, unfinished)
        if actual != sha256:
            raise UserError(
                f"{url} does not hold the expected weights: {length} bytes, SHA-256 {actual[:12]}…, not {sha256[:12]}….\n"
                f"The file was discarded. {advice}"
            )


def _stream(url: str, path: Path) -> tuple[int, str]:
    """Write the response of ``url`` to ``path`` and return its length in bytes and its SHA-256."""
    length, digest = 0, hashlib.sha256()
    with _open(url) as response, path.open("wb") as file:
        size = response.headers["Content-Length"]
        expected = int(size) if size else None  # not every server sends it
        megabytes = expected and -(-expected // DOWNLOAD_BLOCK)
        with activity(f"downloading {url.rpartition('/')[2]}, once, MB", megabytes) as downloading:
            while block := response.read(DOWNLOAD_BLOCK):
                file.write(block)
                digest.update(block)
                length += len(block)
                downloading.reach(-(-length // DOWNLOAD_BLOCK))
        if expected is not None and length < expected:
            raise OSError(f"the connection ended after {length} of {expected} bytes")
    return length, digest.hexdigest()


def _open(url: str) -> HTTPResponse:
    try:
        response: HTTPResponse = urlopen(url, timeout=TIMEOUT)
        return response
    except HTTPError as error:
        error.close()  # the exception holds the open response
        raise
