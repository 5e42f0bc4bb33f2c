"""A file of weights for the Inception network, drawn at random: the right shapes, another checksum."""

import hashlib
import io
from functools import cache
from pathlib import Path

import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3


class Untrained(FeatureExtractorInceptionV3):
    """The network as its constructor initialises it: it loads an empty file."""

    def __init__(self):
        empty = io.BytesIO()
        torch.save({}, empty)
        empty.seek(0)
        super().__init__("untrained", ["2048"], empty)

    def load_state_dict(self, *args, **kwargs):
        pass


@cache
def _content() -> bytes:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Untrained()
        for layer in network.modules():
            if isinstance(layer, torch.nn.Conv2d):  # so that what goes in neither explodes nor dies out on its way
                torch.nn.init.kaiming_normal_(layer.weight)
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    return buffer.getvalue()


def write(folder: Path) -> tuple[Path, str]:
    """The file in ``folder``, written there once, and its SHA-256."""
    path = folder / "random.pth"
    if not path.exists():
        path.write_bytes(_content())
    return path, hashlib.sha256(_content()).hexdigest()
