"""Runs on disk, written by hand so that every number in them is known."""

import json

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from gan_cli.drawing.figures import render
from gan_cli.evaluation import results
from gan_cli.evaluation.results import Number, Provenance, Result
from gan_cli.report.figures import style

CONFIG = {"device": "cpu", "precision": "fp32", "train": {"steps": 100}, "loss": {"_target_": "m.Hinge"}, "regularizer": {}}


@pytest.fixture(autouse=True)
def unpainted(monkeypatch):
    """Make figures, but turn them into blank pixels, half of the time of a page; ``painted`` brings the pixels back."""
    monkeypatch.setattr(style, "DPI", 40)
    monkeypatch.setattr(style, "drawn", lambda figure: np.full((*map(round, figure.bbox.size[::-1]), 3), 255, np.uint8))


@pytest.fixture
def painted(unpainted, monkeypatch):
    """Paint the pixels of figures, at a low resolution."""
    monkeypatch.setattr(style, "drawn", render)


@pytest.fixture
def run(tmp_path):
    """``run("name", {tag: values})`` -> a folder; values are one per step from 0 on, or ``{step: value}``."""

    def write(name="run", curves=None, seed=0, status="finished", overrides=None, report=None, pictures=(), w1=None, **config):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        content = {**CONFIG, "seed": seed, "report": report, **config}
        OmegaConf.save(OmegaConf.create(content), folder / "config.yaml")
        if overrides is not None:
            (folder / ".hydra").mkdir()
            OmegaConf.save(OmegaConf.create([*overrides, f"seed={seed}"]), folder / ".hydra" / "overrides.yaml")
        lines = [
            json.dumps({"step": int(step), tag: value})
            for tag, values in (curves or {}).items()
            for step, value in (values.items() if isinstance(values, dict) else enumerate(values))
        ]
        (folder / "metrics.jsonl").write_text("\n".join(lines))
        if status is not None:
            outcome = {"status": status, "reason": "no room", "seconds": 3.0, "seconds_evaluating": 1.0}
            (folder / "result.json").write_text(json.dumps(outcome))
        for step in pictures:
            (folder / "samples").mkdir(exist_ok=True)
            pixels = np.full((64, 64, 3), 255, np.uint8)
            pixels[: step + 1] = 90
            Image.fromarray(pixels).save(folder / "samples" / f"step_{step:08d}.png")
        if w1 is not None:
            origin = Provenance("w1", {"p": 1}, {"extractor": "identity"}, 10, 10, "train", True, "abc", seed)
            results.write(folder, [Result(str(folder), 100, ("last",), origin, {"w1": Number(w1, 0.1, False, 0.05)})])
        return folder

    return write
