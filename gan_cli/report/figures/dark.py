"""Figures on a dark page: light and dark are exchanged, hues stay, and pictures of samples are left as they are."""

import io
from typing import Any

import numpy as np
from matplotlib.figure import Figure as MplFigure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

PAPER = (30, 33, 40)
"""Colour that white becomes, that of cards on the dark page (``--card`` in ``style.css``)."""
KEY = "pictures"
"""Key of the text in a PNG file that holds the corners of the pictures in it, in pixels."""


def with_pictures(figure: MplFigure) -> PngInfo:
    """Return the entry of a PNG file that says where the pictures in a figure are, which has been drawn."""
    height = round(figure.bbox.height)
    boxes = [image.get_window_extent() for ax in figure.axes for image in ax.images]
    corners = [(round(b.x0), height - round(b.y1), round(b.x1), height - round(b.y0)) for b in boxes]
    info = PngInfo()
    info.add_text(KEY, ";".join(",".join(map(str, box)) for box in corners))
    return info


def dark(png: bytes) -> bytes | None:
    """Return a figure for a dark page as WebP, None if it is a single picture that no figure has drawn."""
    with Image.open(io.BytesIO(png)) as image:
        marked: Any = image.info.get(KEY)
        if marked is None:
            return None
        light = np.asarray(image.convert("RGB"))
    found = inverted(light)
    for box in filter(None, marked.split(";")):
        left, top, right, bottom = (max(0, int(corner)) for corner in box.split(","))
        found[top:bottom, left:right] = light[top:bottom, left:right]
    file = io.BytesIO()
    Image.fromarray(found).save(file, format="WEBP", lossless=True, quality=0, method=0)
    return file.getvalue()


def inverted(pixels: np.ndarray) -> np.ndarray:
    """Return pixels ``[H, W, 3]`` with the lightness of HSL inverted, and white as ``PAPER``."""
    values = pixels.astype(np.float32)
    exchanged = values + 255 - values.max(axis=2, keepdims=True) - values.min(axis=2, keepdims=True)
    paper = np.array(PAPER, np.float32)
    return np.asarray((paper + exchanged * (1 - paper / 255)).round().astype(np.uint8))
