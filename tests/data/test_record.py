"""The record of a data set: counts, originals, duplicates and checksum."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from support import layouts

from gan_cli.config.form import FormError
from gan_cli.data.base import Data, Dataset
from gan_cli.data.images import published
from gan_cli.data.images.originals import Original, Tally
from gan_cli.data.images.transform import SideBySide, Transform
from gan_cli.data.points.toy import Points, ring
from gan_cli.data.record import ClassCount, DataRecord, Duplicates
from gan_cli.data.sequences.series import csv
from gan_cli.data.translation.unpaired import unpaired_bundled
from gan_cli.types import Batch


def points(*values, labels=None, classes=0):
    return Points(torch.tensor(values)[:, None], None if labels is None else torch.tensor(labels), classes)


def test_counts_duplicates_and_values():
    data = Data(points(1.0, 2, 1, 3, 1, labels=[0, 1, 0, 1, 2], classes=3), points(3.0, 4, 3, labels=[0, 0, 1], classes=3))
    record = DataRecord.of(data)
    assert record.duplicates == Duplicates(train=2, heldout=1, between=2)
    assert record.classes == (ClassCount("0", 2, 2), ClassCount("1", 2, 1), ClassCount("2", 1, 0))
    assert record.values == (1, 4)
    assert record.lines() == [
        "data: 5 points to train on, 3 held out; 3 classes: 0 (2 + 2), 1 (2 + 1), 2 (1 + 0); "
        "classes without held-out samples: 2",
        "values 1 to 4; exact duplicates: 2 in the training part, 1 in the held-out part, 2 between them; "
        f"checksum {record.checksum[:12]} of all samples",
    ]


def test_the_checksum_tells_samples_labels_and_parts_apart():
    sets = [
        Data(points(1.0, 2, labels=[0, 1], classes=2), points(3.0, labels=[0], classes=2)),
        Data(points(1.0, 4, labels=[0, 1], classes=2), points(3.0, labels=[0], classes=2)),
        Data(points(1.0, 2, labels=[1, 0], classes=2), points(3.0, labels=[0], classes=2)),
        Data(points(1.0, labels=[0], classes=2), points(2.0, 3, labels=[1, 0], classes=2)),
    ]
    assert len({DataRecord.of(data).checksum for data in sets}) == 4
    assert DataRecord.of(sets[0]).checksum == DataRecord.of(sets[0]).checksum


class Own(Dataset):
    """A data set of the user's own that knows no labels in advance, draws random numbers and counts its reads."""

    shape, classes, class_names = (2,), 2, ("left", "right")

    def __init__(self):
        self.reads = 0

    def __len__(self):
        return 10

    def batch(self, indices):
        torch.rand(3)
        np.random.rand()
        self.reads += 1
        return Batch(torch.stack([indices, indices], 1).float(), indices % 2)

    def origins(self):
        return {"instrument": "A", "samples": 12, "notes": ["x"]}

    def state_dict(self):
        return {"reads": self.reads}

    def load_state_dict(self, state):
        self.reads = state["reads"]


def test_a_data_set_of_the_users_own_has_a_record_and_keeps_its_state():
    own = Own()
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    record = DataRecord.of(Data(own, own))
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])
    assert own.reads == 0
    assert record.classes == (ClassCount("left", 5, 5), ClassCount("right", 5, 5))
    assert record.lines()[1] == "originals: instrument A, samples 12"
    assert record.duplicates == Duplicates(0, 0, 10)
    assert DataRecord.from_dict(json.loads(json.dumps(record.to_dict()))).to_dict() == record.to_dict()


def test_a_large_set_is_hashed_in_part(monkeypatch):
    monkeypatch.setattr("gan_cli.data.content.MOST_SAMPLES", 100)
    record = DataRecord.of(ring(n=2000, n_heldout=20))
    assert record.duplicates is None
    assert record.checksum_of == "1024 samples of each part"
    assert [one.train for one in record.classes] == torch.bincount(ring(n=2000).train.y).tolist(), "labels are known"
    assert "exact duplicates not counted (more than" in record.lines()[-1]


def test_sources_of_an_unpaired_task_have_a_record_of_their_own():
    record = DataRecord.of(unpaired_bundled([6], [1, 2], size=8, max_samples=5))
    assert (record.train, record.sources.train, record.sources.sources) == (5, 5, None)
    assert record.sources.checksum != record.checksum
    assert record.lines()[1].startswith(
        "sources: 5 images to train on, 5 held out; originals: 10 images of 28 by 28 pixels, all grey"
    )
    assert record.origins["train"]["passed_over"] == {"of no class of the domain": 8000, "more than max_samples": 1995}


@pytest.mark.parametrize("change", [{"train": "5"}, {"classes": [{"name": "a"}]}, {"more": 1}, {"origins": {"all": 3}}])
def test_a_forged_record_is_refused(change):
    plain = DataRecord.of(ring(n=8, n_heldout=4)).to_dict()
    with pytest.raises(FormError):
        DataRecord.from_dict({**plain, **change})


@pytest.fixture
def photographs(tmp_path):
    """Return a folder of 12 images of several kinds in two classes, one of which is damaged and two of which are equal."""
    for name in "ab":
        (tmp_path / "photos" / name).mkdir(parents=True)
    sizes = [(16, 16), (40, 20), (20, 40), (8, 8), (16, 16)]
    for label, folder in enumerate("ab"):
        for index, size in enumerate(sizes):
            picture = layouts.crops(1, *size, seed=10 * label + index)[0]
            (picture.convert("L") if index == 4 else picture).save(tmp_path / "photos" / folder / f"{index}.png")
    turned = Image.new("RGB", (10, 30), "red")
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "photos" / "a" / "turned.jpg", exif=exif)
    (tmp_path / "photos" / "a" / "copy.png").write_bytes((tmp_path / "photos" / "a" / "0.png").read_bytes())
    (tmp_path / "photos" / "b" / "damaged.png").write_bytes(b"no image")
    return tmp_path / "photos"


def read(folder, **options):
    options = {
        "size": 16,
        "channels": 3,
        "heldout": 4,
        "skip_corrupt": True,
        "cache_dir": str(folder.parent / "cache"),
    } | options
    return DataRecord.of(published.image_folder(root=str(folder), **options))


def test_what_happens_to_photographs_is_counted(photographs):
    record = read(photographs)
    origins = record.origins["all"]
    assert {key: origins[key] for key in ("images", "width", "height", "modes")} == {
        "images": 12,
        "width": [8, 40],
        "height": [8, 40],
        "modes": {"L": 2, "RGB": 10},
    }
    assert origins["changes"] == {"converted": 2, "cropped": 5, "enlarged": 3, "reduced": 4, "rotated": 1}
    assert origins["passed_over"] == {"cannot be decoded": 1}
    assert record.preprocessing == {"size": 16, "channels": 3, "fit": "crop"} | dict(record.preprocessing)
    assert sum((record.duplicates.train, record.duplicates.heldout, record.duplicates.between)) == 1
    assert (record.train, record.heldout) == (8, 4)
    assert record.lines()[1] == (
        "originals: 12 images of 8 to 40 by 8 to 40 pixels, 2 grey, 10 colour; 2 converted, 5 cropped, 3 enlarged, 4 reduced, "
        "1 rotated; passed over: cannot be decoded 1"
    )
    assert read(photographs) == record, "the cache keeps what was counted"


def test_images_that_are_not_cached_are_known_by_their_headers(photographs):
    record, cached = read(photographs, cache=False), read(photographs)
    origins = record.origins["all"]
    assert (origins["images"], origins["looked_at"]) == (13, 12)
    assert {key: origins[key] for key in ("width", "modes", "changes")} == {
        key: cached.origins["all"][key] for key in ("width", "modes", "changes")
    }
    assert record.duplicates is None
    assert "exact duplicates not counted (images are decoded when they are read)" in record.lines()[2]
    assert record.checksum_of == "64 samples of each part"
    assert read(photographs, cache=False).checksum == record.checksum
    assert sum(one.train + one.heldout for one in record.classes) == 13


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("channels", [1, 3])
def test_changes_are_named_if_and_only_if_pixels_change(fit, channels):
    transform = Transform(12, channels, fit)
    for width, height in [(12, 12), (6, 6), (5, 12), (12, 13), (30, 7), (24, 24), (11, 11)]:
        for mode in ("L", "RGB"):
            image = layouts.crops(1, width, height)[0].convert(mode)
            pixels = np.atleast_3d(np.asarray(image)).transpose(2, 0, 1)
            done = transform(image.copy())
            same = done.shape == pixels.shape and bool((done == pixels).all())
            assert same == (not transform.changes(width, height, mode)), (width, height, mode)
    assert SideBySide(12, 3).changes(24, 12, "RGB") == []
    assert SideBySide(12, 3).changes(40, 12, "RGB") == ["cropped"]


def test_originals_are_taken_in_their_orientation():
    image = Image.new("RGBA", (10, 30))
    assert Original.of(image) == (10, 30, "RGBA", False)
    image.getexif()[0x0112] = 6
    assert Original.of(image) == (30, 10, "RGBA", True)
    tally = Tally(Transform(10, 3))
    tally.add(Original.of(image), 2)
    assert tally.counts()["changes"] == {"converted": 2, "cropped": 2, "rotated": 2}


def test_a_table_is_recorded_with_its_columns_and_ranges(tmp_path):
    rows = "".join(f"{i},{1 + i / 10},{(-1) ** i}\n" for i in range(30))
    (tmp_path / "t.csv").write_text("day,price,sign\n" + rows)
    record = DataRecord.of(csv(path=str(tmp_path / "t.csv"), columns=["price", "sign"], window=5))
    assert record.origins == {
        "all": {
            "table": "t.csv",
            "rows": 30,
            "columns": ["price", "sign"],
            "left_out": ["day"],
            "window": 5,
            "windows": 26,
        }
    }
    assert record.units == {"price": (1.1, 3.9), "sign": (-1.0, 1.0)}
    assert record.lines()[1] == (
        "table: 30 rows of t.csv, 2 columns (left out: day), windows of 5; price 1.1 to 3.9, sign -1 to 1"
    )


def test_parts_that_are_read_from_different_folders_are_counted_together(tmp_path):
    layouts.write_mnist(tmp_path)
    data = published.mnist(root=str(tmp_path), cache_dir=str(tmp_path / "cache"))
    record = DataRecord.of(data)
    assert record.origins.keys() == {"train", "heldout"}
    total = len(data.train) + len(data.heldout)
    assert record.lines()[1] == f"originals: {total} images of 28 by 28 pixels, all grey; all padded"
