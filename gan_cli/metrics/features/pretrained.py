"""Networks with published weights: their files, checked before they are used, and the features taken from them."""

import dataclasses
import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Self
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import torch
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.errors import UserError
from gan_cli.files import atomic_write, file_lock, temporary_name
from gan_cli.metrics.features.base import Features, levels, reproducible

TIMEOUT = 30.0
"""Seconds that a server may keep silent."""
BLOCK = 1 << 20
"""Bytes taken from the network at a time."""


def read(path: Path, sha256: str, advice: str) -> bytes:
    """The bytes of the file at ``path``, whose SHA-256 (hexadecimal) is ``sha256``.

    Raises UserError, with ``advice`` on what to do, where the file cannot be read or is another one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"Cannot read the weights {path}: {error.strerror or error}.\n{advice}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise UserError(f"{path} does not hold the wanted weights: SHA-256 {found[:12]}…, not {sha256[:12]}….\n{advice}")
    return content


def find(paths: Iterable[Path], sha256: str) -> Path | None:
    """The first of ``paths`` with the file whose SHA-256 is ``sha256``; None where there is none."""
    return next((path for path in paths if _holds(path, sha256)), None)


def download(url: str, path: Path, sha256: str, advice: str) -> None:
    """Fetch ``url`` into ``path``, with a progress bar; nothing is kept unless its SHA-256 is ``sha256``.

    ``path`` is either complete or not there. Of several processes that ask at the same time one downloads and the others
    wait for it. Raises UserError, with ``advice`` on what to do, where the file cannot be fetched or is another one.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(
            path.with_name(f".{path.name}.lock"), f"Waiting for another process that downloads {path.name}."
        ) as alone:
            if alone:  # what killed processes of this machine left
                for leftover in path.parent.glob(temporary_name(path, "*")):
                    leftover.unlink()
            if not _holds(path, sha256):  # else another process has fetched it meanwhile
                _fetch(url, path, sha256, advice)
    except (OSError, HTTPException) as error:
        reason = error.reason if type(error) is URLError else error
        raise UserError(f"Cannot download {url} to {path.parent}: {reason}.\n{advice}") from error


@dataclass(frozen=True)
class Pretrained(Features):
    """Features and logits of a network whose weights are published, taken of grey or colour images.

    ``batch_size``: images that pass through the network at a time, without influence on the features; ``device``: where,
    the CPU until they are ``fitted``. A subclass says what the network gives for a batch.

    Raises UserError for anything but grey or colour images, for NaN and Inf in them, for weights that are missing or
    others, and for a batch size below 1.
    """

    batch_size: int = 32
    device: torch.device = field(default=torch.device("cpu"), init=False, compare=False)

    def __post_init__(self):
        checks.count("batch_size", self.batch_size)

    def fitted(self, data: Data, device: torch.device) -> Self:
        """These features, computed on ``device``, with the network loaded: what is missing is missed at the start."""
        levels(torch.empty(0, *data.shape, dtype=torch.uint8), self.name)
        fitted = dataclasses.replace(self)
        object.__setattr__(fitted, "device", device)  # known only now, and no key of the config
        fitted.load()
        return fitted

    @abstractmethod
    def load(self) -> torch.nn.Module:
        """The network in eval mode on ``device``; kept, since every evaluation of a run asks for the same one."""

    @abstractmethod
    def batch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 ``[B, 1 | 3, H, W]`` on ``device`` -> features ``[B, d]`` and logits ``[B, K]``, float32."""

    @torch.no_grad()
    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images ``[N, 1 | 3, H, W]``, float in [-1, 1] or uint8 -> features ``[N, d]``, logits ``[N, K]``, float32."""
        with reproducible():
            batches = [self.batch(levels(chunk, self.name).to(self.device)) for chunk in x.split(self.batch_size)]
        features, logits = (torch.cat([part.cpu() for part in parts]) for parts in zip(*batches, strict=True))
        return features, logits


def _holds(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _fetch(url: str, path: Path, sha256: str, advice: str) -> None:
    with atomic_write(path, durable=True) as unfinished:
        length, found = _stream(url, unfinished)
        if found != sha256:
            raise UserError(
                f"What {url} sent are not the wanted weights: {length} bytes, SHA-256 {found[:12]}…, not {sha256[:12]}….\n"
                f"Nothing was kept. {advice}"
            )


def _stream(url: str, path: Path) -> tuple[int, str]:
    """Write what ``url`` sends to ``path``; its length and SHA-256."""
    length, digest = 0, hashlib.sha256()
    with _opened(url) as response, path.open("wb") as file:
        size = response.headers["Content-Length"]
        expected = int(size) if size else None  # not every server says it
        with _progress(url.rpartition("/")[2], expected) as advance:
            while block := response.read(BLOCK):
                file.write(block)
                digest.update(block)
                length += len(block)
                advance(len(block))
        if expected is not None and length < expected:
            raise OSError(f"the connection ended after {length} of {expected} bytes")
    return length, digest.hexdigest()


def _opened(url: str) -> HTTPResponse:
    try:
        return urlopen(url, timeout=TIMEOUT)
    except HTTPError as error:
        error.close()  # it is the open answer, too
        raise


@contextmanager
def _progress(name: str, total: int | None) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"downloading {name}, once", total=total)
        yield lambda count: progress.advance(task, count)
