"""The image cache: every set is decoded once, entries are complete, and processes share them."""

import json
import multiprocessing
import os
import shutil
import signal
import time
from collections import namedtuple
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.data.images import cache
from gan_cli.data.images import entry as entry_format
from gan_cli.data.images.cache import ImageCache
from gan_cli.data.images.decoding import DecodedImages
from gan_cli.data.images.listing import listing
from gan_cli.data.images.originals import Tally
from gan_cli.data.images.source import ImageCollection, Source
from gan_cli.data.images.transform import Transform
from gan_cli.errors import DamageWarning, UserError

pytestmark = pytest.mark.slow

TRANSFORM = Transform(8, 1)


class Shades:
    """Image i is a constant square of shade i. Counts decoded images; may break, pause or kill the process."""

    def __init__(self, n, broken=(), pause=0.0, kill_at=None):
        self.n, self.broken, self.pause, self.kill_at, self.decoded = n, broken, pause, kill_at, []

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        self.decoded.append(index)
        time.sleep(self.pause)
        if index == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if index in self.broken:
            raise OSError("image file is truncated")
        return Image.new("L", (10, 12), index % 256), None


def source(items, identity=("v1",), labels=True):
    numbers = np.arange(len(items)) % 3 if labels else None
    pictures = ImageCollection(items, lambda index: f"shade {index}", numbers, 3 if labels else 0)
    return Source("shades", identity, 1, lambda: pictures)


def cached(*args, **kwargs):
    return ImageCache(*args, **kwargs).images()


def entries(folder):
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def in_child(function):
    """Start a forked process that runs ``function``, and return it."""
    process = multiprocessing.get_context("fork").Process(target=function)
    process.start()
    return process


def test_decoded_once_and_mapped_afterwards(tmp_path):
    items = Shades(20)
    first = cached(source(items), TRANSFORM, tmp_path)
    assert sorted(items.decoded) == list(range(20))
    second = cached(source(items), TRANSFORM, tmp_path)
    assert len(items.decoded) == 20, "a hit decodes nothing"
    for data in (first, second):
        assert isinstance(data.images, np.memmap)
        x, y = data.batch(torch.tensor([3, 19, 0]))
        assert torch.equal(x, torch.tensor([3.0, 19, 0])[:, None, None, None].expand(3, 1, 8, 8) / 127.5 - 1)
        assert y.tolist() == [0, 1, 0]
        assert (data.shape, data.classes, len(data)) == ((1, 8, 8), 3, 20)


def test_a_hit_does_not_open_the_set(tmp_path):
    cached(source(Shades(4)), TRANSFORM, tmp_path)
    closed = Source("shades", ("v1",), 1, lambda: pytest.fail("opened"))
    assert len(cached(closed, TRANSFORM, tmp_path)) == 4


def test_no_labels(tmp_path):
    data = cached(source(Shades(4), labels=False), TRANSFORM, tmp_path)
    assert data.batch(torch.tensor([1])).y is None
    assert data.classes == 0


@pytest.mark.parametrize(
    ("identity", "transform", "max_samples"),
    [
        (("v2",), TRANSFORM, None),
        (("v1",), Transform(8, 3), None),
        (("v1",), Transform(8, 1, "pad"), None),
        (("v1",), Transform(4, 1), None),
        (("v1",), TRANSFORM, 5),
    ],
)
def test_everything_that_changes_the_pixels_changes_the_key(tmp_path, identity, transform, max_samples):
    items = Shades(10)
    cached(source(items), TRANSFORM, tmp_path)
    data = cached(source(items, identity), transform, tmp_path, max_samples)
    assert len(entries(tmp_path)) == 2
    assert len(items.decoded) == 10 + (max_samples or 10)
    assert data.shape == (transform.channels, transform.size, transform.size)
    if max_samples:
        assert data.batch(torch.arange(5)).y.tolist() == [0, 2, 1, 0, 2], "every second image, with its own label"


def test_listing_depends_on_content_not_on_location(tmp_path):
    a = tmp_path / "a"
    (a / "deep" / "er").mkdir(parents=True)
    (a / ".hidden").mkdir()
    for name in ("x.PNG", "deep/y.jpg", "deep/er/z.jpeg", "notes.txt", ".hidden/h.png", "._x.png"):
        (a / name).write_bytes(b"123")
    (a / "deep" / "loop").symlink_to(a)
    (a / "gone.png").symlink_to(tmp_path / "nowhere")
    before = listing(a, (".png", ".jpg", ".jpeg"))
    assert [name for name, _, _ in before] == ["deep/er/z.jpeg", "deep/y.jpg", "gone.png", "x.PNG"]
    assert [size for _, size, _ in before] == [3, 3, -1, 3]
    a.rename(tmp_path / "b")
    assert listing(tmp_path / "b", (".png", ".jpg", ".jpeg")) == before
    (tmp_path / "b" / "x.PNG").write_bytes(b"124")
    os.utime(tmp_path / "b" / "x.PNG", ns=(0, 5))
    assert listing(tmp_path / "b", (".png",)) != before[-2:]


def test_chunks_bound_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "CHUNK", 7 * 64)
    held, most = 0, 0

    class Counting(Shades):
        def __getitem__(self, index):
            nonlocal held, most
            held += 1
            most = max(most, held)
            return super().__getitem__(index)

    class Sink:
        def write(self, image):
            nonlocal held
            held -= 1

    kept, skipped = cache._decode(
        source(Counting(50)).open(), list(range(50)), Tally(TRANSFORM), 2, False, Sink(), lambda n: None
    )
    assert kept == list(range(50))
    assert not skipped
    assert most <= 7
    items = Shades(50)
    assert cached(source(items), TRANSFORM, tmp_path).images[:, 0, 0, 0].tolist() == list(range(50)), "in order"


def test_killed_while_writing(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "CHUNK", 64 * 4)
    child = in_child(lambda: cached(source(Shades(20, kill_at=13)), TRANSFORM, tmp_path))
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert entries(tmp_path) == [], "nothing that could be taken for complete"
    (leftover,) = tmp_path.glob(".shades-*.*.*")
    assert (leftover / "images.u8").exists()

    items = Shades(20)
    assert len(cached(source(items), TRANSFORM, tmp_path)) == 20
    assert len(items.decoded) == 20
    assert not leftover.exists(), "its disk space is given back"


def test_two_processes_at_once(tmp_path):
    counts = multiprocessing.get_context("fork").Queue()

    def work():
        items = Shades(40, pause=0.005)
        data = cached(source(items), TRANSFORM, tmp_path, workers=1)
        counts.put((len(items.decoded), data.images[:, 0, 0, 0].tolist()))

    children = [in_child(work) for _ in range(3)]
    results = [counts.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    assert sorted(decoded for decoded, _ in results) == [0, 0, 40], "one decodes, the others wait"
    assert all(shades == list(range(40)) for _, shades in results)
    assert len(entries(tmp_path)) == 1


def test_two_processes_at_once_without_locks(tmp_path, monkeypatch):
    """The second process finds an equal entry in place of its own."""

    def refuse(*_):
        raise OSError("no locks here")

    monkeypatch.setattr("fcntl.flock", refuse)
    other = Shades(10)

    class Overtaken(Shades):
        def __getitem__(self, index):
            if index == 5:
                cached(source(other), TRANSFORM, tmp_path)
            return super().__getitem__(index)

    data = cached(source(Overtaken(10)), TRANSFORM, tmp_path, workers=1)
    assert data.images[:, 0, 0, 0].tolist() == list(range(10))
    assert len(other.decoded) == 10
    assert len(entries(tmp_path)) == 1
    assert not list(tmp_path.glob(".shades-*.*.*")), "no temporary is left"


def test_disk_that_is_too_small(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 0, 20 * 64 - 1))
    items = Shades(20)
    with pytest.raises(UserError) as caught:
        cached(source(items), TRANSFORM, tmp_path)
    for words in ("1.28e-06 GB", "shades", str(tmp_path), "dataset.cache=false", "dataset.cache_dir=", "dataset.max_samples="):
        assert words in str(caught.value)
    assert not items.decoded
    assert not entries(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 0, 20 * 64))
    assert len(cached(source(items), TRANSFORM, tmp_path)) == 20


def test_disk_that_becomes_full(tmp_path, monkeypatch):
    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "sync", full)
    with pytest.raises(UserError, match=r"No space left on device.*\n.*dataset\.cache_dir"):
        cached(source(Shades(5)), TRANSFORM, tmp_path)
    assert not list(tmp_path.glob(".shades-*.*.*"))
    assert not entries(tmp_path)


def test_folder_that_cannot_be_created(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"Cannot write the decoded images to .*file: .*\n.*dataset\.cache_dir"):
        cached(source(Shades(5)), TRANSFORM, tmp_path / "file")


def flip(path, byte, bit=3):
    content = bytearray(path.read_bytes())
    content[byte] ^= 1 << bit
    with path.open("r+b") as file:
        file.write(content)


def sealed(**changes):
    """Return a function that changes ``meta.json`` and its checksum, as a forger would."""

    def change(entry):
        meta = json.loads((entry / "meta.json").read_text()) | changes
        del meta["sha256"]
        (entry / "meta.json").write_text(json.dumps({**meta, "sha256": entry_format._seal(meta)}))

    return change


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda entry: os.truncate(entry / "images.u8", 100), "size of images.u8"),
        (lambda entry: (entry / "images.u8").unlink(), "images.u8: No such file"),
        (lambda entry: flip(entry / "labels.i64", 8), "checksum of labels.i64"),
        (lambda entry: flip(entry / "checksums.u32", 1), "checksum of checksums.u32"),
        (lambda entry: flip(entry / "hashes.u64", 1), "checksum of hashes.u64"),
        (lambda entry: os.truncate(entry / "labels.i64", 0), "checksum of labels.i64"),
        (lambda entry: flip(entry / "meta.json", 11), r"meta.json"),
        (lambda entry: (entry / "meta.json").write_text("[" * 100_000), "meta.json is damaged"),
        (lambda entry: (entry / "meta.json").write_text("[]"), "checksum of meta.json"),
        (lambda entry: (entry / "meta.json").write_text("{}"), "checksum of meta.json"),
        (sealed(shape=None), "meta.json: shape"),
        (sealed(shape=[5, 8, 8]), "meta.json: shape"),
        (sealed(shape=["5", 1, 8, 8]), "meta.json: shape"),
        (sealed(shape=[0, 1, 8, 8]), "meta.json does not describe"),
        (sealed(shape=[10**30, 1, 8, 8]), "checksum of checksums.u32"),
        (sealed(classes="3"), "meta.json: classes"),
        (sealed(classes=2), "labels that are no classes"),
        (sealed(skipped=[1]), "meta.json: skipped"),
        (sealed(names=["one"]), "meta.json does not describe"),
        (sealed(checksums=None), "meta.json: checksums"),
    ],
)
def test_a_damaged_entry_is_decoded_again_when_it_is_opened(tmp_path, damage, reason):
    whole = cached(source(Shades(5)), TRANSFORM, tmp_path).batch(torch.arange(5))
    (entry,) = entries(tmp_path)
    damage(entry)
    with pytest.warns(DamageWarning, match=rf"{entry.name} are damaged \(.*{reason}.*\) and are decoded again\.$") as told:
        data = cached(source(Shades(5)), TRANSFORM, tmp_path)
    assert len(told) == 1
    assert "\n" not in str(told[0].message)
    assert entries(tmp_path) == [entry]
    for a, b in zip(data.batch(torch.arange(5)), whole, strict=True):
        assert torch.equal(a, b)
    assert cached(source(Shades(5)), TRANSFORM, tmp_path).labels.tolist() == [0, 1, 2, 0, 1], "repaired, without a warning"


def test_no_flipped_pixel_is_used(tmp_path):
    """The damaged image is decoded again before a batch holds it, in this and in later processes."""
    items = Shades(20)
    whole = cached(source(items), TRANSFORM, tmp_path).batch(torch.arange(20)).x
    (entry,) = entries(tmp_path)
    for position in (0, 700, 20 * 64 - 1):
        flip(entry / "images.u8", position)
        data = cached(source(items), TRANSFORM, tmp_path)
        others = torch.tensor([index for index in range(20) if index != position // 64])
        assert torch.equal(data.batch(others).x, whole[others])
        with pytest.warns(DamageWarning, match=rf"the checksum of image {position // 64} does not match"):
            batch = data.batch(torch.tensor([3, position // 64, 3]))
        assert torch.equal(batch.x, whole[[3, position // 64, 3]])
        assert torch.equal(data.batch(torch.arange(20)).x, whole)
    assert len(items.decoded) == 4 * 20


def test_damage_that_another_process_has_mended_is_not_mended_again(tmp_path):
    items = Shades(5)
    cached(source(items), TRANSFORM, tmp_path)
    (entry,) = entries(tmp_path)
    flip(entry / "images.u8", 0)
    one, other = (cached(source(items), TRANSFORM, tmp_path) for _ in range(2))
    with pytest.warns(DamageWarning):
        one.batch(torch.tensor([0]))
    assert torch.equal(other.batch(torch.tensor([0])).x, one.batch(torch.tensor([0])).x)
    assert len(items.decoded) == 2 * 5


def test_an_image_is_checked_once_in_a_process(tmp_path, monkeypatch):
    data = cached(source(Shades(5)), TRANSFORM, tmp_path)
    data.batch(torch.tensor([1, 2]))
    checked = []
    monkeypatch.setattr(entry_format.zlib, "crc32", lambda image: checked.append(image[0, 0, 0]) or data.checksums[checked[-1]])
    data.batch(torch.tensor([2, 3, 1]))
    data.batch(torch.tensor([3]))
    assert checked == [3]


def test_a_machine_that_reads_differently_every_time_ends_the_run(tmp_path):
    data = cached(source(Shades(5)), TRANSFORM, tmp_path)
    data.checksums = data.checksums + 1
    with pytest.raises(UserError, match="memory or the disk of this machine is faulty"):
        entry_format.CachedImages(
            replace(entry_format.read_entry(entries(tmp_path)[0], (1, 8, 8)), checksums=data.checksums),
            lambda: SimpleNamespace(images=data.images, labels=None, checksums=data.checksums),
        ).batch(torch.tensor([1]))


def test_a_corrupt_image_stops_the_decoding(tmp_path):
    with pytest.raises(UserError, match=r"shade 7: image file is truncated.*\n.*dataset\.skip_corrupt=true"):
        cached(source(Shades(20, broken=[7])), TRANSFORM, tmp_path)
    assert not entries(tmp_path)
    assert not list(tmp_path.glob(".shades-*.*.*"))


def test_corrupt_images_are_skipped(tmp_path, capsys):
    items = Shades(20, broken=[0, 7])
    for _ in range(2):  # a hit counts them again
        data = cached(source(items), TRANSFORM, tmp_path, skip_corrupt=True)
        assert "2 of 20 images that cannot be decoded; the first is shade 0" in capsys.readouterr().err
    shades = [i for i in range(20) if i not in (0, 7)]
    assert data.images[:, 0, 0, 0].tolist() == shades
    assert data.labels.tolist() == [i % 3 for i in shades]
    with pytest.raises(UserError, match=r"shade 0.*2 corrupt images"):
        cached(source(items), TRANSFORM, tmp_path)


def test_only_corrupt_images(tmp_path):
    items = Shades(3, broken=range(3))
    with pytest.raises(UserError, match="None of the 3 images"):
        cached(source(items), TRANSFORM, tmp_path, skip_corrupt=True)
    assert not entries(tmp_path)
    with pytest.raises(UserError, match="None of the 3 images"):
        DecodedImages(source(items).open(), TRANSFORM, skip_corrupt=True).batch(torch.tensor([1]))


def test_on_the_fly_equals_cached(tmp_path):
    array = cached(source(Shades(20)), TRANSFORM, tmp_path, max_samples=9)
    stream = DecodedImages(source(Shades(20)).open(), TRANSFORM, max_samples=9, workers=3)
    assert (len(stream), stream.shape, stream.classes) == (len(array), array.shape, array.classes)
    assert stream.decodes
    indices = torch.randint(9, (30,), generator=torch.Generator().manual_seed(0))
    for a, b in zip(array.batch(indices), stream.batch(indices), strict=True):
        assert torch.equal(a, b)
    unlabelled = DecodedImages(source(Shades(20), labels=False).open(), TRANSFORM)
    assert unlabelled.batch(indices).y is None


def test_corrupt_images_on_the_fly(capsys):
    pictures = source(Shades(20, broken=[7, 8, 19])).open()
    with pytest.raises(UserError, match=r"shade 7: image file is truncated"):
        DecodedImages(pictures, TRANSFORM).batch(torch.tensor([6, 7]))
    lenient = DecodedImages(pictures, TRANSFORM, workers=1, skip_corrupt=True)
    for _ in range(2):
        x, y = lenient.batch(torch.tensor([6, 7, 8, 19, 9]))
        shades = [6, 9, 9, 0, 9]
        assert ((x[:, 0, 0, 0] + 1) * 127.5).round().int().tolist() == shades, "the next one that can be decoded"
        assert y.tolist() == [shade % 3 for shade in shades]
    assert lenient.corrupt == {7, 8, 19}
    assert "shade 7" in (error := capsys.readouterr().err)
    assert "(2 of 20 so far)" in error


def test_meta_is_plain(tmp_path):
    cached(source(Shades(5)), TRANSFORM, tmp_path)
    (entry,) = entries(tmp_path)
    assert sorted(path.name for path in entry.iterdir()) == [
        "checksums.u32",
        "hashes.u64",
        "images.u8",
        "labels.i64",
        "meta.json",
    ]
    meta = json.loads((entry / "meta.json").read_text())
    assert meta["shape"] == [5, 1, 8, 8]
    assert (meta["classes"], meta["names"], meta["skipped"]) == (3, [], [])
