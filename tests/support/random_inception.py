"""Random weights for the Inception network: a file with the right shapes and another checksum."""

import hashlib
import io
from functools import cache
from pathlib import Path

import torch


@cache
def _content() -> bytes:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3  # seconds, which few tests need

    class Untrained(FeatureExtractorInceptionV3):
        """Inception network with its initial weights; the file that it loads is empty."""

        def __init__(self):
            empty = io.BytesIO()
            torch.save({}, empty)
            empty.seek(0)
            super().__init__("untrained", ["2048"], empty)

        def load_state_dict(self, *args, **kwargs):
            pass

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Untrained()
        for layer in network.modules():
            if isinstance(layer, torch.nn.Conv2d):  # keeps the activations from exploding or vanishing
                torch.nn.init.kaiming_normal_(layer.weight)
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    return buffer.getvalue()


def write(folder: Path) -> tuple[Path, str]:
    """Write the file into ``folder``, once; return its path and its SHA-256."""
    path = folder / "random.pth"
    if not path.exists():
        path.write_bytes(_content())
    return path, hashlib.sha256(_content()).hexdigest()
