"""Every published set, read by torchvision in its published layout, and any folder of images."""

import multiprocessing
import os
import re
import stat
from unittest.mock import Mock
from urllib.error import URLError

import lmdb
import numpy as np
import pytest
import torch
from PIL import Image
from support import layouts

from gan_cli.data.images import cache, published
from gan_cli.data.images.fashion_mnist_mini import CLASS_NAMES
from gan_cli.data.images.folder import folder_source
from gan_cli.data.images.transform import Transform
from gan_cli.data.record import DataRecord
from gan_cli.errors import DamageWarning, UserError

pytestmark = pytest.mark.slow

SETS = ["mnist", "fashion_mnist", "cifar10", "stl10", "celeba", "lsun", "image_folder"]
DOWNLOADABLE = SETS[:5]
SHAPES = {"mnist": (1, 32, 32), "fashion_mnist": (1, 32, 32), "cifar10": (3, 32, 32)}
CLASSES = {"mnist": 10, "fashion_mnist": 10, "cifar10": 10, "image_folder": 2}


@pytest.fixture(autouse=True)
def _trust(monkeypatch):
    layouts.trust_checksums(monkeypatch)


@pytest.fixture
def read(tmp_path):
    """Return a function that writes a tiny copy of the set once and loads it: ``read(name, **options)``."""

    def read(name, **options):
        root = tmp_path / "published"
        if not root.exists():
            getattr(layouts, f"write_{name}")(root)
        return getattr(published, name)(root=str(root), cache_dir=str(tmp_path / "cache"), **options)

    return read


def everything(dataset):
    return dataset.batch(torch.arange(len(dataset)))


def damage(file, keep=200):
    file.write_bytes(file.read_bytes()[:keep])


@pytest.mark.parametrize("name", SETS)
def test_published_layout(read, name, tmp_path, monkeypatch):
    announced = Mock(side_effect=cache.activity)
    monkeypatch.setattr(cache, "activity", announced)
    data = read(name)
    assert announced.call_args_list[0].args[0].startswith(f"decoding {name}")
    assert data.shape == data.heldout.shape == SHAPES.get(name, (3, 64, 64))
    assert data.classes == data.heldout.classes == CLASSES.get(name, 0)
    sizes = {"stl10": (40, 10), "image_folder": (18, 2)}.get(name, (20, 10))
    assert (len(data.train), len(data.heldout)) == sizes
    for part in (data.train, data.heldout):
        x, y = everything(part)
        assert x.shape == (len(part), *data.shape)
        assert x.dtype == torch.float32
        assert x.min() >= -1
        assert x.max() <= 1
        assert x.max() - x.min() > 1
        assert (y is None) == (data.classes == 0)
        if y is not None:
            assert y.dtype == torch.int64
            assert set(y.tolist()) <= set(range(data.classes))
    announced.reset_mock()
    again = read(name)
    assert not announced.called, "mapped from now on"
    assert torch.equal(everything(again.train).x, everything(data.train).x)
    streamed = read(name, cache=False)
    assert streamed.train.decodes
    for a, b in zip(everything(data.train), everything(streamed.train), strict=True):
        assert a is b is None or torch.equal(a, b), "decoding on the fly gives the same"
    assert torch.equal(everything(data.heldout).x, everything(streamed.heldout).x)


@pytest.mark.parametrize("name", SETS)
def test_max_samples(read, name):
    data = read(name, max_samples=6)
    assert len(data.train) + (len(data.heldout) if name == "image_folder" else 0) == 6
    assert len(data.heldout) <= 6


@pytest.mark.parametrize("name", SETS)
def test_heldout_share_of_the_training_part(read, name):
    whole = len(read(name).train) + (2 if name == "image_folder" else 0)
    data = read(name, heldout=5)
    assert (len(data.train), len(data.heldout)) == (whole - 5, 5)
    train = {image.numpy().tobytes() for image in everything(data.train).x}
    assert name in ("mnist", "fashion_mnist") or not any(
        image.numpy().tobytes() in train for image in everything(data.heldout).x
    ), "no image is on both sides"
    again = read(name, heldout=5)
    assert torch.equal(everything(again.heldout).x, everything(data.heldout).x)


@pytest.mark.parametrize("name", SETS)
def test_missing_set(name, tmp_path):
    load = getattr(published, name)
    with pytest.raises(UserError, match=rf"dataset={name} needs dataset\.root=DIR"):
        load()
    with pytest.raises(UserError, match=r"there is no folder .*nowhere"):
        load(root=str(tmp_path / "nowhere"))
    with pytest.raises(UserError) as caught:
        load(root=str(tmp_path))
    assert str(tmp_path) in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2
    if name in DOWNLOADABLE:
        assert "dataset.download=true" in str(caught.value)


@pytest.mark.parametrize("name", DOWNLOADABLE)
def test_download_without_network(name, tmp_path, monkeypatch):
    def unreachable(*args, **kwargs):
        raise URLError("Network is unreachable")

    monkeypatch.setattr("torchvision.datasets.utils.download_url", unreachable)
    monkeypatch.setattr("torchvision.datasets.celeba.download_file_from_google_drive", unreachable)
    with pytest.raises(UserError, match=rf"Cannot download {name} to .*\n.*unreachable") as caught:
        getattr(published, name)(root=str(tmp_path / "new"), download=True)
    assert len(str(caught.value).splitlines()) == 2
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"dataset\.root: cannot make the folder .*file"):
        getattr(published, name)(root=str(tmp_path / "file"), download=True)
    with pytest.raises(UserError, match=r"download='no': it must be true or false"):
        getattr(published, name)(root=str(tmp_path), download="no")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("mnist", "MNIST/raw/train-images-idx3-ubyte"),
        ("cifar10", "cifar-10-batches-py/data_batch_3"),
        ("stl10", "stl10_binary/train_X.bin"),
        ("celeba", "celeba/list_attr_celeba.txt"),
    ],
)
def test_damaged_set(read, name, file, tmp_path):
    root = tmp_path / "published"
    getattr(layouts, f"write_{name}")(root)
    (root / file).unlink() if name == "celeba" else damage(root / file, 1001)
    with pytest.raises(UserError, match=f"{name} in .* is incomplete or damaged: it should hold") as caught:
        read(name, **({"split": "train"} if name == "stl10" else {}))
    assert len(str(caught.value).splitlines()) <= 2


def test_labels_belong_to_their_images(read):
    x, y = everything(read("mnist", size=28).train)
    for image, label in zip(x, y, strict=True):
        assert image[0, 7, 2 * label + 3] > 0.9
        assert (image > 0).sum() == 36


def test_changed_content_is_decoded_again(read, tmp_path):
    before = everything(read("image_folder").train).x
    file = tmp_path / "published" / "class_0" / "000.png"
    Image.new("RGB", (64, 64), (255, 0, 0)).save(file)
    after = everything(read("image_folder").train).x
    assert before.shape == after.shape
    assert not torch.equal(before, after)


def test_grey_and_colour(read, tmp_path):
    assert read("mnist", channels=3).shape == (3, 32, 32)
    assert read("mnist", channels=None).shape == (1, 32, 32)


def test_celeba_attribute(read):
    data = read("celeba", attribute="Smiling")
    assert data.classes == 2
    assert everything(data.train).y.tolist() == [(i >> 1) & 1 for i in range(20)]
    with pytest.raises(UserError, match=r"attribute='Smile'.*Male, Smiling, Young"):
        read("celeba", attribute="Smile")


def test_stl10_splits(read):
    data = read("stl10", split="train")
    assert data.classes == 10
    assert everything(data.train).y.tolist() == [i % 10 for i in range(20)]
    assert everything(data.heldout).y.tolist() == list(range(10))
    assert (len(read("stl10", split="train+unlabeled").train), read("stl10", split="train+unlabeled").classes) == (60, 0)
    with pytest.raises(UserError, match=r"split='test'"):
        read("stl10", split="test")


NAMES = {
    "mnist": tuple("0123456789"),
    "fashion_mnist": CLASS_NAMES,
    "cifar10": tuple(f"class {k}" for k in range(10)),
    "image_folder": ("class_0", "class_1"),
}


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_classes_are_named_and_counted(read, name, cache):
    data = read(name, cache=cache)
    assert data.class_names == NAMES[name]
    counts = [torch.bincount(everything(p).y, minlength=len(NAMES[name])).tolist() for p in (data.train, data.heldout)]
    rows = zip(NAMES[name], *counts, strict=True)
    listed = ", ".join(f"{one} ({train} + {heldout})" for one, train, heldout in rows)
    assert DataRecord.of(data).lines()[0].partition("; classes without")[0] == (
        f"data: {len(data.train)} images to train on, {len(data.heldout)} held out; {len(NAMES[name])} classes: {listed}"
    )
    assert data.to_dict()["class_names"] == list(NAMES[name])


def test_classes_of_other_sets(read):
    assert read("celeba", attribute="Smiling", heldout=2).class_names == ("not Smiling", "Smiling")
    assert DataRecord.of(read("celeba")).lines()[0] == "data: 20 images to train on, 10 held out"


def test_many_classes_and_names_that_cannot_be_printed(tmp_path):
    for label in range(20):
        folder = tmp_path / f"{label:02d}\n\x1b[2J"
        folder.mkdir()
        for name in "ab":
            Image.new("L", (9, 9)).save(folder / f"{name}.png")
    line = DataRecord.of(published.image_folder(root=str(tmp_path), size=8, heldout=1)).lines()[0]
    assert re.search(
        r"39 images to train on, 1 held out; 20 classes: 00\\n\\x1b\[2J \([12] \+ [01]\), 01.*, 11\\n.*\), \.\.\.;", line
    )
    assert re.search(r"; classes without held-out samples: 0.*, \.\.\.$", line)


class TestImageFolder:
    def test_no_subfolders_no_labels(self, tmp_path):
        layouts.write_image_folder(tmp_path / "a", n=12, classes=0)
        data = published.image_folder(root=str(tmp_path / "a"))
        assert data.classes == 0
        assert everything(data.train).y is None

    def test_one_subfolder_is_no_class(self, tmp_path):
        layouts.write_image_folder(tmp_path / "a", n=12, classes=1)
        assert published.image_folder(root=str(tmp_path / "a")).classes == 0

    def test_subfolders_are_classes_whatever_is_below_them(self, tmp_path):
        for label, place in enumerate(("ant/1/2", "bee", "cow/3")):
            (tmp_path / "a" / place).mkdir(parents=True)
            for i in range(4):
                Image.new("L", (9, 9), 10 * label).save(tmp_path / "a" / place / f"{i}.png")
        said = rf"not the folders below them \(ant/1, cow/3\)\. .*dataset\.root={re.escape(str(tmp_path))}/a/ant$"
        with pytest.warns(DamageWarning, match=said):
            data = published.image_folder(root=str(tmp_path / "a"), size=8)
        x, y = everything(data.train)
        assert data.classes == 3
        assert torch.equal(((x[:, 0, 0, 0] + 1) * 127.5).round().long(), 10 * y)

    def test_numbered_classes_are_in_the_order_of_their_numbers(self, tmp_path):
        for label, name in enumerate(("1", "2", "10", "a")):
            (tmp_path / name).mkdir()
            for i in range(3):
                Image.new("L", (9, 9), 10 * label).save(tmp_path / name / f"{i}.png")
        data = published.image_folder(root=str(tmp_path), size=8, heldout=1)
        x, y = everything(data.train)
        assert data.class_names == ("1", "2", "10", "a")
        assert torch.equal(((x[:, 0, 0, 0] + 1) * 127.5).round().long(), 10 * y)

    @pytest.mark.parametrize("strays", [1, 5])
    def test_images_beside_the_classes_are_left_out_with_a_warning(self, tmp_path, strays):
        layouts.write_image_folder(tmp_path, n=12)
        names = [f"stray{i}.png" for i in range(strays)]
        for name in names:
            Image.new("RGB", (9, 9)).save(tmp_path / name)
        named = "stray0.png (1 in all)" if strays == 1 else "stray0.png, stray1.png, stray2.png, ... (5 in all)"
        with pytest.warns(DamageWarning, match=f"{re.escape(str(tmp_path))} itself are left out.* 2 sub.*: {re.escape(named)}"):
            data = published.image_folder(root=str(tmp_path))
        assert (len(data.train) + len(data.heldout), data.classes) == (12, 2)
        assert len(folder_source(tmp_path).open()) == 12 + strays, "of images without labels none is left out"

    @pytest.mark.parametrize("cache", [True, False])
    def test_corrupt_image(self, tmp_path, cache, capsys):
        layouts.write_image_folder(tmp_path / "a", n=12)
        damage(tmp_path / "a" / "class_1" / "001.jpg")
        options = {"root": str(tmp_path / "a"), "cache": cache, "heldout": 1}
        with pytest.raises(UserError, match=r"class_1/001\.jpg: .*\n.*dataset\.skip_corrupt=true"):
            everything(published.image_folder(**options).train)
        data = published.image_folder(**options, skip_corrupt=True)
        assert torch.isfinite(everything(data.train).x).all()
        assert "class_1/001.jpg" in capsys.readouterr().err
        assert len(data.train) == (10 if cache else 11)

    def test_no_image_left_to_train_on(self, tmp_path):
        layouts.write_image_folder(tmp_path / "a", n=3)
        with pytest.raises(UserError, match=r"3 images: holding out 3 \(dataset\.heldout\) leaves none"):
            published.image_folder(root=str(tmp_path / "a"), heldout=3)

    @pytest.mark.parametrize("field", ["max_samples", "workers"])
    def test_numbers(self, tmp_path, field):
        layouts.write_image_folder(tmp_path / "a", n=3)
        with pytest.raises(UserError, match=rf"{field}=0"):
            published.image_folder(root=str(tmp_path / "a"), **{field: 0})

    def test_flags_must_be_booleans(self, tmp_path):
        layouts.write_image_folder(tmp_path / "a", n=3)
        with pytest.raises(UserError, match=r"cache='no': it must be true or false"):
            published.image_folder(root=str(tmp_path / "a"), cache="no")

    def test_folder_named_by_a_number(self, tmp_path, monkeypatch):
        layouts.write_image_folder(tmp_path / "2024", n=12)
        monkeypatch.chdir(tmp_path)
        assert len(published.image_folder(root=2024, heldout=2).train) == 10


class TestLsun:
    @pytest.mark.parametrize("format", ["WEBP", "JPEG"])
    def test_pixels_equal_those_of_the_photographs(self, tmp_path, format):
        layouts.write_lsun(tmp_path, n=6, n_val=None, format=format)
        x, _ = everything(published.lsun(root=str(tmp_path), heldout=1, cache=False).train.dataset)
        for image, crop in zip(x, layouts.crops(6, 320, 256, seed=5), strict=True):
            original = torch.from_numpy(Transform(64, 3)(crop).copy()) / 127.5 - 1
            assert (image - original).abs().mean() < 0.05

    def test_train_part_alone_is_enough(self, tmp_path):
        layouts.write_lsun(tmp_path, n=20, n_val=None)
        data = published.lsun(root=str(tmp_path))
        assert (len(data.train), len(data.heldout)) == (18, 2)

    def test_several_categories_are_classes(self, tmp_path):
        layouts.write_lsun(tmp_path, n=5, n_val=2)
        layouts.write_lsun(tmp_path, n=3, n_val=2, category="kitchen")
        data = published.lsun(root=str(tmp_path), category=["bedroom", "kitchen"], size=8)
        assert data.classes == 2
        assert everything(data.train).y.tolist() == [0] * 5 + [1] * 3
        with pytest.raises(UserError, match=r"dataset\.category is empty"):
            published.lsun(root=str(tmp_path), category=[])

    def test_read_only_folder_is_not_changed(self, tmp_path, monkeypatch):
        root = tmp_path / "published"
        layouts.write_lsun(root, n=4)
        working = tmp_path / "working"
        working.mkdir()
        monkeypatch.chdir(working)
        folder = root / "bedroom_train_lmdb"
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
        try:
            published.lsun(root=str(root), cache=False)
        finally:
            folder.chmod(stat.S_IRWXU)
        assert sorted(os.listdir(folder)) == ["data.mdb"]
        assert not os.listdir(working), "nor does torchvision's file of keys land in the working folder"

    def test_the_same_lmdb_twice_in_one_process(self, tmp_path):
        layouts.write_lsun(tmp_path, n=5, n_val=2)
        (tmp_path / "link").symlink_to(tmp_path)
        held = [published.lsun(root=str(root), cache=False) for root in (tmp_path, tmp_path, tmp_path / "link")]
        assert torch.equal(everything(held[0].train).x, everything(held[2].train).x)

    def test_missing(self, tmp_path):
        layouts.write_lsun(tmp_path, n=2)
        with pytest.raises(UserError, match=r"No LSUN images in .*tower_train_lmdb.*\n.*tower_train_lmdb/data\.mdb, unpacked"):
            published.lsun(root=str(tmp_path), category="tower")

    def test_truncated(self, tmp_path):
        layouts.write_lsun(tmp_path, n=8)
        file = tmp_path / "bedroom_train_lmdb" / "data.mdb"
        damage(file, file.stat().st_size - 4096)
        with pytest.raises(UserError, match=r"data\.mdb is truncated: \d+ of \d+ bytes"):
            published.lsun(root=str(tmp_path))

    def test_shortened_while_it_is_read(self, tmp_path):
        """Reading past its end would kill the process by SIGBUS, so it is done in a child."""
        layouts.write_lsun(tmp_path, n=40)
        file = tmp_path / "bedroom_train_lmdb" / "data.mdb"

        def shorten_and_read():
            train = published.lsun(root=str(tmp_path), cache=False).train
            everything(train)
            for size in (file.stat().st_size // 2, 0):
                os.truncate(file, size)
                with pytest.raises(UserError, match=rf"data\.mdb is truncated: {size} of \d+ bytes"):
                    everything(train)
                with pytest.raises(UserError, match=r"data\.mdb is truncated"):
                    published.lsun(root=str(tmp_path), cache=False)

        child = multiprocessing.get_context("fork").Process(target=shorten_and_read)
        child.start()
        child.join()
        assert child.exitcode == 0

    def test_damaged_pages(self, tmp_path):
        """LMDB has no checksums: it notices pages of another kind, and nothing else."""
        layouts.write_lsun(tmp_path, n=40)
        file = tmp_path / "bedroom_train_lmdb" / "data.mdb"
        content = bytearray(file.read_bytes())
        content[2 * 4096 :] = b"\0" * (len(content) - 2 * 4096)
        file.write_bytes(content)
        with pytest.raises(UserError, match=r"data\.mdb is not a readable LMDB: .*\nCopy or unpack it again"):
            published.lsun(root=str(tmp_path))

    @pytest.mark.parametrize("content", [b"", b"this is not an LMDB" * 1000])
    def test_not_an_lmdb(self, tmp_path, content):
        layouts.write_lsun(tmp_path, n=2)
        (tmp_path / "bedroom_train_lmdb" / "data.mdb").write_bytes(content)
        with pytest.raises(UserError, match=r"data\.mdb is not a readable LMDB"):
            published.lsun(root=str(tmp_path))

    def test_empty(self, tmp_path):
        layouts.write_lsun(tmp_path, n=0)
        with pytest.raises(UserError, match="bedroom_train_lmdb has no images"):
            published.lsun(root=str(tmp_path))

    @pytest.mark.parametrize("cache", [True, False])
    def test_corrupt_image(self, tmp_path, cache):
        layouts.write_lsun(tmp_path, n=5)
        with lmdb.open(str(tmp_path / "bedroom_train_lmdb")) as env, env.begin(write=True) as transaction:
            key = list(transaction.cursor().iternext(values=False))[3]
            transaction.put(key, transaction.get(key)[:100])
        with pytest.raises(UserError, match=f"key {key.decode()} of .*bedroom_train_lmdb: .*\n.*skip_corrupt"):
            everything(published.lsun(root=str(tmp_path), cache=cache).train)
        data = published.lsun(root=str(tmp_path), cache=cache, skip_corrupt=True)
        assert len(data.train) == (4 if cache else 5)
        assert np.isfinite(everything(data.train).x.numpy()).all()
