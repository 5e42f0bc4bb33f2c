"""Any folder of images as a ``Source``."""

import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from torchvision.datasets.folder import IMG_EXTENSIONS

from gan_cli.data.base import evenly_spaced
from gan_cli.data.images.source import ImageCollection, Listing, Source, listing
from gan_cli.data.images.transform import as_mode, is_grey
from gan_cli.errors import UserError, shortened_list, warn

HEADERS = 256
"""Number of image headers that decide whether the images of a folder are grey."""


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


def folder_source(folder: Path, name: str = "image_folder", labelled: bool = False) -> Source:
    """Return the images below ``folder``.

    Args:
        folder: Folder to search.
        name: Name of the source in cache folders and messages.
        labelled: Take the direct subfolders as classes if there are several, in natural order, ``2`` before ``10``. Images
            beside them are left out, with a warning.

    Raises:
        UserError: If there are no images.
    """
    files = listing(folder, IMG_EXTENSIONS)
    if not files:
        raise UserError(f"No images in {folder.absolute()}: no file there ends in {', '.join(IMG_EXTENSIONS)}.")
    names = sorted({path.partition("/")[0] for path, _, _ in files if "/" in path}, key=_natural) if labelled else []
    labels = None
    if len(names) > 1:
        files = _without_strays(files, folder, len(names))
        _warn_of_deeper_folders(files, folder)
        number = {name: label for label, name in enumerate(names)}
        labels = np.array([number[path.partition("/")[0]] for path, _, _ in files], np.int64)
    paths = [folder / path for path, _, _ in files]
    classes = 0 if labels is None else len(names)
    images = ImageFiles(paths)
    pictures = ImageCollection(images, lambda index: str(paths[index]), labels, classes, names[:classes], images.header)
    return Source(name, [names[:classes], *files], 1 if _grey(paths) else 3, lambda: pictures)


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


def _grey(paths: list[Path]) -> bool:
    """Return whether all images whose headers were read are grey."""
    seen = []
    for index in evenly_spaced(len(paths), HEADERS).tolist():
        try:
            with Image.open(paths[index]) as image:
                seen.append(is_grey(image))
        except Exception:
            continue  # the decoder reports corrupt images
    return bool(seen) and all(seen)


def native_images(folder: Path) -> ImageCollection:
    """Return all images below ``folder``, sorted by name, for decoding at their own sizes with ``native``.

    Raises:
        UserError: If the folder does not exist or has no images.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder.absolute()}.")
    return folder_source(folder).open()


def native(image: Image.Image) -> np.ndarray:
    """Return the image in colour at its own size, uint8 ``[3, H, W]``: EXIF orientation applied, transparency on black."""
    ImageOps.exif_transpose(image, in_place=True)
    return np.ascontiguousarray(np.asarray(as_mode(image, "RGB")).transpose(2, 0, 1))
