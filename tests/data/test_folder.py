"""Folders of images: what is read, what is passed over, colour or grey, and pixels with more than 8 bits."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets.folder import IMG_EXTENSIONS

from gan_cli.data.images import headers
from gan_cli.data.images.folder import folder_source, native_images
from gan_cli.data.images.listing import IMAGE_SUFFIXES
from gan_cli.data.images.published import image_folder
from gan_cli.data.record import DataRecord
from gan_cli.data.translation.paired import side_by_side
from gan_cli.data.translation.unpaired import unpaired_folder
from gan_cli.errors import DamageWarning, UserError


def test_the_suffixes_of_images_are_those_of_torchvision():
    assert IMAGE_SUFFIXES == IMG_EXTENSIONS


def paint(folder: Path, names: str, mode: str = "L", value: float = 100, size: tuple[int, int] = (9, 9)) -> Path:
    """Write images of one value into ``folder`` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names.split():
        Image.new(mode, size, value).save(folder / name)
    return folder


def pixels(folder: Path, name: str, values: list, dtype: type) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array([values] * 9, dtype)).save(folder / name)
    return folder


def read(folder: Path, **options):
    return image_folder(root=str(folder), size=8, heldout=1, cache=False, **options)


class TestPassedOver:
    def test_files_of_other_kinds_are_counted_by_reason(self, tmp_path):
        paint(tmp_path, "a.png b.JPG c.tiff")
        for name in ("a.heic", "b.HEIC", "sub/c.heic", "d.gif", "README", ".DS_Store", "a.svg"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("no image")
        paint(tmp_path / ".thumbnails", "a.png b.png")
        os.mkfifo(tmp_path / "pipe.png")
        (tmp_path / "again").symlink_to(tmp_path)
        source = folder_source(tmp_path)
        assert len(source.open()) == 3
        assert source.passed_over == {
            ".heic": 3,
            ".gif": 1,
            "without a suffix": 1,
            ".svg": 1,
            "folder met before": 1,
            "hidden": 2,
            "no regular file": 1,
        }

    def test_many_suffixes_are_summed(self, tmp_path):
        paint(tmp_path, "a.png")
        for number in range(20):
            (tmp_path / f"scan.{number:04d}").touch()
        assert folder_source(tmp_path).passed_over == {**{f".{k:04d}": 1 for k in range(8)}, "of other kinds": 12}

    def test_frames_beyond_the_first_are_counted(self, tmp_path):
        first, *others = (Image.new("L", (4, 4), value) for value in (10, 20, 30))
        first.save(tmp_path / "stack.tif", save_all=True, append_images=others)
        assert folder_source(tmp_path).passed_over == {"further frames of a file": 2}

    def test_a_folder_without_images_says_what_it_holds(self, tmp_path):
        (tmp_path / "notes.txt").touch()
        with pytest.raises(UserError, match=r"No images in .*no file there ends in \.jpg.*\nPassed over: 1 \.txt\.$"):
            read(tmp_path)

    def test_folders_that_are_read_at_their_own_size_say_it(self, tmp_path, capsys):
        paint(tmp_path, "a.png")
        (tmp_path / "b.heic").touch()
        native_images(tmp_path)
        assert capsys.readouterr().err == f"Passed over in {tmp_path}: 1 .heic\n"

    def test_parts_of_a_translation_count_them(self, tmp_path):
        for letter in "AB":
            (paint(tmp_path / f"train{letter}", "a.png b.png") / f"c.{letter}").touch()
        record = DataRecord.of(unpaired_folder(root=str(tmp_path), size=8, cache=False))
        assert record.lines()[1].endswith("; passed over: .a 1")
        assert record.lines()[2].endswith("; passed over: .b 1")
        (paint(tmp_path / "train", "a.png b.png", size=(18, 9)) / "c.svg").touch()
        data = side_by_side(root=str(tmp_path), size=8, cache=False)
        assert DataRecord.of(data).lines()[1].endswith("; passed over: .svg 1")


class TestClasses:
    def test_subfolders_without_images_are_named(self, tmp_path):
        paint(tmp_path / "cat", "a.png b.png")
        (tmp_path / "dog").mkdir()
        (tmp_path / "dog" / "a.heic").touch()
        with pytest.warns(DamageWarning, match=r"hold no images and are no classes: dog; cat alone is no class.*no labels\.$"):
            assert read(tmp_path).classes == 0
        paint(tmp_path / "cow", "a.png b.png")
        with pytest.warns(DamageWarning, match=r"hold no images and are no classes: dog\.$"):
            assert read(tmp_path).class_names == ("cat", "cow")

    def test_classes_below_an_only_subfolder_are_named(self, tmp_path):
        paint(tmp_path / "train" / "cat", "a.png")
        paint(tmp_path / "train" / "dog", "a.png")
        said = rf"no labels: its only subfolder is train, .*\(train/cat, train/dog\).*: dataset\.root={tmp_path}/train$"
        with pytest.warns(DamageWarning, match=said):
            assert read(tmp_path).classes == 0

    def test_images_beside_classes_are_counted(self, tmp_path):
        paint(tmp_path / "cat", "a.png")
        paint(tmp_path / "dog", "a.png")
        paint(tmp_path, "stray.png")
        with pytest.warns(DamageWarning, match=r"left out.*stray\.png"):
            assert folder_source(tmp_path, labelled=True).passed_over == {"beside the folders of classes": 1}


class TestOwnOutputs:
    def test_runs_among_the_images_are_left_out(self, tmp_path):
        paint(tmp_path, "a.png b.png")
        for run, files in {
            "outputs/x": ["config.yaml", "environment.json"],
            "sweep": ["sweep.json"],
            "job": [".hydra/config.yaml"],
        }.items():
            for name in files:
                (tmp_path / run / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / run / name).touch()
            paint(tmp_path / run / "samples", "step_00000000.png")
        paint(tmp_path / "outputs", "grid.png")
        with pytest.warns(DamageWarning, match=r"pictures that gan-cli has written are not read .*: job, outputs, sweep\.$"):
            source = folder_source(tmp_path)
        assert len(source.open()) == 2
        assert source.passed_over == {"outputs of gan-cli": 3}

    def test_a_run_that_has_just_begun_is_not_mentioned(self, tmp_path):
        for name in ("cat", "dog"):
            paint(tmp_path / name, "a.png")
        (tmp_path / "outputs" / "x" / ".hydra").mkdir(parents=True)
        (tmp_path / "outputs" / "x" / ".hydra" / "config.yaml").touch()
        source = folder_source(tmp_path, labelled=True)
        assert (source.passed_over, source.open().class_names) == ({}, ["cat", "dog"])

    def test_other_folders_of_these_names_are_read(self, tmp_path):
        (paint(tmp_path / "outputs", "a.png") / "config.yaml").touch()
        paint(tmp_path / "samples", "a.png")
        assert len(folder_source(tmp_path).open()) == 2

    def test_a_run_itself_is_refused_and_its_single_samples_are_read(self, tmp_path):
        for name in ("config.yaml", "environment.json"):
            (tmp_path / name).touch()
        paint(tmp_path / "samples", "step_00000000.png")
        paint(tmp_path / "samples" / "single_step_00000100_seed_0", "00000.png 00001.png")
        for folder in (tmp_path, tmp_path / "samples"):
            with pytest.raises(UserError, match=r"holds outputs of gan-cli, .*many samples each\.\n.*mode=single"):
                native_images(folder)
        assert len(native_images(tmp_path / "samples" / "single_step_00000100_seed_0")) == 2


class TestColour:
    @pytest.mark.slow
    def test_a_single_colour_image_makes_all_of_them_colour(self, tmp_path):
        paint(tmp_path, " ".join(f"{k:03d}.png" for k in range(599)))
        assert read(tmp_path).shape == (1, 8, 8)
        paint(tmp_path, "301.png", "RGB")  # evenly spaced samples of 256 headers do not see it
        said = r"image_folder: images in colour 1, grey 598; all are read in colour. dataset.channels=1 turns"
        with pytest.warns(DamageWarning, match=said):
            assert read(tmp_path).shape == (3, 8, 8)
        assert read(tmp_path, channels=1).shape == (1, 8, 8)

    def test_both_parts_have_the_same_channels(self, tmp_path):
        paint(tmp_path / "train", "a.png b.png", size=(18, 9))
        paint(tmp_path / "test", "a.png", "RGB", size=(18, 9))
        with pytest.warns(DamageWarning, match="images in colour 1, grey 2"):
            assert side_by_side(root=str(tmp_path), size=8, cache=False).shape == (3, 8, 8)

    def test_headers_of_many_images_are_stored(self, tmp_path, monkeypatch):
        monkeypatch.setattr(headers, "STORED", 3)
        images, cache = paint(tmp_path / "images", "a.png b.png c.png"), tmp_path / "cache"
        before = folder_source(images, cache=cache)
        monkeypatch.setattr(headers, "_header", lambda path: pytest.fail("read again"))
        assert folder_source(images, cache=cache).modes == before.modes == {"L": 3}
        (file,) = cache.iterdir()
        file.write_text('{"modes": 3}')
        monkeypatch.undo()
        monkeypatch.setattr(headers, "STORED", 3)
        assert folder_source(images, cache=cache).modes == before.modes, "damaged"
        paint(images, "c.png", "RGB", size=(9, 10))
        assert folder_source(images, cache=cache).modes == {"L": 2, "RGB": 1}, "another content is another key"


class TestRange:
    @pytest.mark.parametrize(
        ("values", "dtype", "name", "said"),
        [
            (
                [0.1, 0.8],
                np.float32,
                "tif",
                r"floating-point pixels from 0\.1 to 0\.8 .*\(1 files\).*\n.*dataset\.range=\[0,1\]",
            ),
            ([-3, 2], np.float32, "tif", r"floating-point pixels from -3 to 2 .*\n.*dataset\.range=\[-3,2\]"),
            ([0, 4000], np.uint16, "png", r"16-bit pixels from 0 to 4000 .*\n.*dataset\.range=\[0,4095\]"),
            ([0, 4000], np.uint16, "tif", r"16-bit pixels from 0 to 4000 .*\n.*dataset\.range=\[0,4095\]"),
            ([0, 70000], np.int32, "tif", r"32-bit pixels from 0 to 70000 .*\n.*dataset\.range=\[0,131071\]"),
        ],
    )
    def test_an_unknown_range_is_refused_and_can_be_set(self, tmp_path, values, dtype, name, said):
        pixels(tmp_path, f"a.{name}", values, dtype)
        paint(tmp_path, "b.png", size=(2, 9))
        with pytest.raises(UserError, match=said):
            read(tmp_path)
        with pytest.raises(UserError, match=r"Convert the images to 8 bits\.$"):
            native_images(tmp_path)
        data = read(tmp_path, range=[min(values), max(values)])
        extremes = [float(part.batch(torch.arange(1)).x.abs().max()) for part in (data.train, data.heldout)]
        assert max(extremes) == 1

    def test_the_whole_range_of_16_bits_is_known(self, tmp_path):
        pixels(tmp_path, "a.png", [0, 65535], np.uint16)
        pixels(tmp_path, "b.pgm", [0, 65535], np.uint16)
        assert read(tmp_path).shape == (1, 8, 8)
        (tmp_path / "c.pgm").write_bytes(b"P5 2 2 4095\n" + np.full((2, 2), 400, ">u2").tobytes())
        assert read(tmp_path).shape == (1, 8, 8), "Pillow scales by the largest value that a PGM file states"

    def test_a_range_that_no_image_needs_is_refused(self, tmp_path):
        paint(tmp_path, "a.png b.png")
        with pytest.raises(UserError, match=r"range=\[0, 4095\]: no image of image_folder has more than 8 bits"):
            read(tmp_path, range=[0, 4095])

    def test_colour_of_12_in_16_bits_is_refused(self, tmp_path):
        tile = np.full((4, 4, 3), 4000, ">u2")
        (tmp_path / "a.ppm").write_bytes(b"P6 4 4 65535\n" + tile.tobytes())
        _write_16_bit_tiff(tmp_path / "b.tif", 4000)
        with pytest.raises(UserError, match=r"16-bit colour pixels from \d+ to 15 in .*\(1 files\).*lower half.*\nConvert"):
            folder_source(tmp_path)


def _write_16_bit_tiff(path: Path, value: int) -> None:
    """Write 2 by 2 pixels of three 16-bit channels, which Pillow cannot write."""
    data = struct.pack("<12H", *[value] * 12)
    tags = [
        *[(256, 3, 1, 2), (257, 3, 1, 2), (258, 3, 3, 8 + len(data)), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 8)],
        *[(277, 3, 1, 3), (278, 3, 1, 2), (279, 4, 1, len(data))],
    ]
    bits = struct.pack("<3H", 16, 16, 16)
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", 0)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(data) + len(bits)) + data + bits + directory)
