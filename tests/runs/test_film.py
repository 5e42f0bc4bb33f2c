"""Films of a training and of walks: as many pictures as they should have, closed, and refused in a sentence."""

import av
import numpy as np
import pytest
from PIL import Image
from support import configs
from support.runs import train

from gan_cli import checks
from gan_cli.cli.quoting import quote
from gan_cli.errors import UserError
from gan_cli.inference.command import sample_command
from gan_cli.inference.film import captioned, same_size

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "images"
    steps = "train.steps=3 eval_every=0 checkpoint_every=1 sample_every=1 metric.n_samples=0 optimizer.lr=0.01"
    train(configs.config("features=identity"), folder, steps)
    return folder


def film(folder, out, **values):
    """Run gan-sample mode=video and return what it has written."""
    values = {"mode": "video", "n": 4, "seconds": 1, "fps": 10, "out": "null" if out is None else quote(str(out)), **values}
    overrides = [
        f"run={quote(str(folder))}",
        "device=cpu",
        *(f"{key}={value}" for key, value in values.items() if value is not None),
    ]
    return sample_command(configs.compose_command("sample", overrides))


def pictures(path):
    """Return the pictures of a film, uint8 ``[T, H, W, 3]``."""
    if path.suffix == ".mp4":
        with av.open(str(path)) as container:
            return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    with Image.open(path) as image:
        frames = []
        for index in range(image.n_frames):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGB")))
        return np.stack(frames)


def test_a_training(run, tmp_path):
    stored = sorted((run / "samples").glob("step_*.png"))
    assert len(stored) == 4
    gif, mp4 = (pictures(film(run, tmp_path / name)) for name in ("x.gif", "x.mp4"))
    assert len(gif) == 4
    assert len(mp4) == 3 * 2 + round((0.25 + 1.5) * 10), "a quarter of a second each, the last one held"
    with Image.open(stored[2]) as picture:
        expected = captioned(np.asarray(picture.convert("RGB")), "step 2")
    assert np.array_equal(gif[2][: len(expected)], expected), "grey pictures keep their colours"
    assert np.abs(mp4[5].astype(int)[: len(expected)] - expected).mean() < 4


def test_checkpoints(run, tmp_path):
    found = pictures(film(run, tmp_path / "x.gif", film="checkpoints"))
    assert len(found) == 3
    assert not np.array_equal(found[0], found[-1])


def test_a_walk_is_closed(run, tmp_path):
    out = film(run, tmp_path / "x.gif", film="walk", seconds=2, path="[slerp]")
    found = pictures(out).astype(float)
    assert len(found) == 20
    steps = np.abs(np.diff(np.concatenate([found, found[:1]]), axis=0)).mean((1, 2, 3))
    assert steps[-1] <= 2 * steps[:-1].max(), "the last picture leads to the first one"
    assert len(pictures(film(run, tmp_path / "y.gif", film="walk", n=None, seeds="[1-3]"))) == 10


def test_default_names(run):
    assert film(run, None, film="checkpoints").name == "video_step_00000003_seed_0_checkpoints.mp4"


def test_pictures_of_one_size():
    given = [np.zeros(size, np.uint8) for size in ((3, 5, 3), (7, 2, 3))]
    assert [one.shape for one in same_size(iter(given))] == [(4, 6, 3)] * 2


def test_what_cannot_be(run, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"with mode=video this run's samples are written as \.mp4, \.gif\."):
        film(run, tmp_path / "x.png")
    with pytest.raises(UserError, match="path=pixels: a film walks through latents"):
        film(run, tmp_path / "x.gif", film="walk", path="[pixels]")
    with pytest.raises(UserError, match="classes cannot be used with mode=video"):
        film(run, tmp_path / "x.gif", classes="[1]")

    def missing(name):
        raise checks.PackageNotFoundError(name)

    monkeypatch.setattr(checks, "distribution", missing)
    with pytest.raises(UserError, match=r"an \.mp4 file needs the package av.*\n?.*gan-cli\[video\]") as error:
        film(run, tmp_path / "x.mp4")
    assert not (tmp_path / "x.mp4").exists()
    assert len(str(error.value).splitlines()) <= 2
    assert film(run, tmp_path / "x.gif").is_file()
