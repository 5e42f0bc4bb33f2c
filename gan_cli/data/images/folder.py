"""Any folder of images as a ``Source``."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from gan_cli.data.images.headers import read_headers
from gan_cli.data.images.label_file import labels_by_path
from gan_cli.data.images.listing import IMAGE_SUFFIXES, Listing, is_output, search, visible_folders
from gan_cli.data.images.source import ImageCollection, Source
from gan_cli.data.images.transform import as_mode, is_grey
from gan_cli.errors import UserError, printable, shortened_list, warn

STRAY, FRAMES, UNLABELLED = "beside the folders of classes", "further frames of a file", "without a label"
"""Reasons why images are passed over, beside those of ``listing``."""
CONVERT = "Convert the images to 8 bits."
"""Advice for images whose range of pixels is unknown."""


class ImageFiles:
    """Sequence of (PIL image, None), one for each of ``paths``, decoded on access."""

    def __init__(self, paths: list[Path]):
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Image.Image, None]:
        with self.paths[index].open("rb") as file:
            image = Image.open(file)
            image.load()  # while the file is open
        return image, None

    def header(self, index: int) -> Image.Image:
        """Open an image without decoding it."""
        return Image.open(self.paths[index])


def folder_source(
    folder: Path,
    name: str = "image_folder",
    labelled: bool = False,
    *,
    labels: Mapping[str, str] | None = None,
    known_range: bool = False,
    advice: str = CONVERT,
    cache: Path | None = None,
) -> Source:
    """Return the images below ``folder``, without those in outputs of gan-cli, of which a warning tells.

    Args:
        folder: Folder to search.
        name: Name of the source in cache folders and messages.
        labelled: Take the direct subfolders as classes if there are several, in natural order, ``2`` before ``10``. Images
            beside them are left out, with a warning.
        labels: Label of each file, see ``label_file.read_labels``, instead of subfolders. Files without one are left out, with
            a warning.
        known_range: True if the range of pixels with more than 8 bits is known.
        advice: What to do if it is not known and cannot be seen, see ``Headers.refuse_unknown_range``.
        cache: Folder in which the headers of many images are stored; None for none.

    Raises:
        UserError: If there are no images, or none of them has a label in ``labels``, the folder itself holds outputs of
            gan-cli, or the range of pixels is unknown.
    """
    files, passed_over, outputs = search(folder, IMAGE_SUFFIXES)
    if outputs:
        own = shortened_list([path.relative_to(folder).as_posix() for path in outputs])
        warn(f"pictures that gan-cli has written are not read as images of {folder.absolute()}: {own}.")
    if not files:
        others = f"\nPassed over: {counted(passed_over)}." if passed_over else ""
        raise UserError(f"No images in {folder.absolute()}: no file there ends in {', '.join(IMAGE_SUFFIXES)}.{others}")
    everything, y = files, None
    if labels is not None:
        words = labels_by_path([path for path, _, _ in files], labels)
        names = sorted(set(words.values()), key=_natural)
        files = _with_label(files, words, labels, folder)
        passed_over = {**passed_over, UNLABELLED: len(everything) - len(files)}
    elif names := _classes(files, folder) if labelled else []:
        files = _without_strays(files, folder, len(names))
        passed_over = {**passed_over, STRAY: len(everything) - len(files)}
        _warn_of_deeper_folders(files, folder)
        words = {path: path.partition("/")[0] for path, _, _ in files}
    if names:
        number = {name: label for label, name in enumerate(names)}
        y = np.array([number[words[path]] for path, _, _ in files], np.int64)
    paths = [folder / path for path, _, _ in files]
    headers = read_headers(paths, files, cache)
    if not known_range:
        headers.refuse_unknown_range(folder, advice)
    passed_over = {reason: count for reason, count in {**passed_over, FRAMES: headers.frames}.items() if count}
    images = ImageFiles(paths)
    pictures = ImageCollection(images, lambda index: str(paths[index]), y, len(names), names, images.header)
    channels = 1 if headers.modes and all(map(is_grey, headers.modes)) else 3
    listed = [] if labels is None or y is None else [y.tolist()]  # which the paths alone do not tell
    return Source(name, [names, *listed, *files], channels, lambda: pictures, passed_over, headers.modes, labels is not None)


def counted(passed_over: Mapping[str, int]) -> str:
    """Return what was passed over in words: ``12 .heic, 3 .txt, 1 hidden``."""
    return printable(", ".join(f"{count} {reason}" for reason, count in passed_over.items()))


def _classes(files: Listing, folder: Path) -> list[str]:
    """Return the direct subfolders with images in natural order, if there are several; warn of classes that are none."""
    names = sorted({path.partition("/")[0] for path, _, _ in files if "/" in path}, key=_natural)
    inside = sorted({"/".join(path.split("/")[:2]) for path, _, _ in files if path.count("/") > 1}, key=_natural)
    empty = sorted(
        (entry.name for entry in visible_folders(folder) if entry.name not in names and not is_output(entry)), key=_natural
    )
    if empty and names:
        none = "" if len(names) > 1 else f"; {names[0]} alone is no class, so that the images have no labels"
        warn(f"these subfolders of {folder.absolute()} hold no images and are no classes: {shortened_list(empty)}{none}.")
    elif len(names) == 1 and len(inside) > 1:
        warn(
            f"the images in {folder.absolute()} have no labels: its only subfolder is {names[0]}, and the folders in it are no "
            f"classes ({shortened_list(inside)}). If they are, name the folder that holds them: "
            f"dataset.root={folder.absolute() / names[0]}"
        )
    return names if len(names) > 1 else []


def _natural(name: str) -> tuple[list[str | int], str]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)], name  # which tells 1 from 01


def _warn_of_deeper_folders(files: Listing, folder: Path) -> None:
    """Warn of folders within the classes, whose images all belong to the class."""
    deeper = sorted({"/".join(path.split("/")[:2]) for path, _, _ in files if path.count("/") > 1}, key=_natural)
    if deeper:
        holder = folder.absolute() / deeper[0].partition("/")[0]
        warn(
            f"the classes are the subfolders of {folder.absolute()}, not the folders below them ({shortened_list(deeper)}). "
            f"If those are the classes, name the folder that holds them: dataset.root={holder}"
        )


def _without_strays(files: Listing, folder: Path, classes: int) -> Listing:
    """Return the files in subfolders; warn of the others."""
    strays = [path for path, _, _ in files if "/" not in path]
    if strays:
        warn(
            f"images in {folder.absolute()} itself are left out, because its {classes} subfolders are the classes: "
            f"{shortened_list(strays)} ({len(strays)} in all)."
        )
    return [file for file in files if "/" in file[0]]


def _with_label(files: Listing, words: Mapping[str, str], labels: Mapping[str, str], folder: Path) -> Listing:
    """Return the files that have a label; warn of the others."""
    without = [path for path, _, _ in files if path not in words]
    if not words:
        raise UserError(
            f"the file of labels names none of the images in {folder.absolute()}: it names {shortened_list(list(labels))}, and "
            f"the images are {shortened_list(without)}."
        )
    if without:
        warn(f"images in {folder.absolute()} without a label are left out: {shortened_list(without)} ({len(without)} in all).")
    return [file for file in files if file[0] in words]


def native_images(folder: Path, known_range: bool = False) -> ImageCollection:
    """Return all images below ``folder``, sorted by name, for decoding at their own sizes with ``native``.

    A line on stderr counts what is passed over.

    Args:
        folder: The folder.
        known_range: True if the range of pixels with more than 8 bits is known.

    Raises:
        UserError: If the folder does not exist, has no images, or holds outputs of gan-cli, or the range of pixels is unknown.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder.absolute()}.")
    source = folder_source(folder, known_range=known_range)
    if source.passed_over:
        print(f"Passed over in {folder}: {counted(source.passed_over)}", file=sys.stderr)
    return source.open()


def native(image: Image.Image) -> np.ndarray:
    """Return the image in colour at its own size, uint8 ``[3, H, W]``: EXIF orientation applied, transparency on black."""
    ImageOps.exif_transpose(image, in_place=True)
    return np.ascontiguousarray(np.asarray(as_mode(image, "RGB")).transpose(2, 0, 1))
