"""Transforms from an image of any size and mode to a square uint8 array."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from gan_cli import checks
from gan_cli.errors import FieldError

FITS = ("pad", "crop")


@dataclass(frozen=True)
class Transform:
    """PIL image -> uint8 ``[channels, size, size]``.

    Scaling is bilinear, with antialiasing when it shrinks. EXIF orientation is applied, and transparency becomes black.

    Attributes:
        size: Side in pixels.
        channels: 1 (grey, ITU-R 601 luma) or 3.
        fit: ``pad`` keeps the whole image: one that fits is enlarged by the largest integer factor that still fits (28 and
            20 keep their pixels at 32, 14 doubles them), a larger one is shrunk until its longer side is ``size``, and it is
            centred on black. ``crop`` scales the largest centred square to ``size``.
        range: Values of pixels that become black and white, of images with more than 8 bits; the scale between them is linear,
            and values outside are clipped. None for 0 and 65 535, of which the upper 8 bits are kept.

    Raises:
        UserError: If a field is out of its range.
    """

    size: int
    channels: int
    fit: str = "crop"
    range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        checks.count("size", self.size)
        if self.channels not in (1, 3):
            raise FieldError("channels", self.channels, "it must be 1, 3 or null (what the images have).")
        if self.fit not in FITS:
            raise FieldError("fit", self.fit, f"it must be one of {', '.join(FITS)}.")
        if self.range is not None:
            checks.interval("range", self.range)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a transformed image."""
        return self.channels, self.size, self.size

    def __call__(self, image: Image.Image) -> np.ndarray:
        """Return uint8 ``[channels, size, size]``; decode ``image`` if it was only opened."""
        ImageOps.exif_transpose(image, in_place=True)
        image = as_mode(image, "L" if self.channels == 1 else "RGB", self.range)
        image = self._padded(image) if self.fit == "pad" else self._cropped(image)
        pixels = np.asarray(image)
        return pixels[None] if self.channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def of_grey(self, images: np.ndarray) -> np.ndarray:
        """Return uint8 ``[n, channels, size, size]`` of grey images uint8 ``[n, H, W]``."""
        n, height, width = images.shape
        if self.fit == "pad" and self._scale(max(height, width)) == 1:  # all at once: their pixels stay as they are
            top, left = (self.size - height) // 2, (self.size - width) // 2
            padded = np.zeros((n, 1, self.size, self.size), np.uint8)
            padded[:, 0, top : top + height, left : left + width] = images
            return np.repeat(padded, self.channels, axis=1)
        return np.stack([self(Image.fromarray(image)) for image in images])

    def changes(self, width: int, height: int, mode: str) -> list[str]:
        """Return what happens to an image: ``converted``, ``cropped`` or ``padded``, and ``enlarged`` or ``reduced``.

        Args:
            width: Width in pixels, in its EXIF orientation.
            height: Height in pixels.
            mode: PIL's name of the pixel format.
        """
        changes = [] if mode == ("L" if self.channels == 1 else "RGB") else ["converted"]
        if self.fit == "pad":
            scale = self._scale(max(width, height))
            if (round(scale * width), round(scale * height)) != (self.size, self.size):
                changes.append("padded")
        else:
            scale = self.size / min(width, height)
            if width != height:
                changes.append("cropped")
        return changes + (["enlarged"] if scale > 1 else ["reduced"] if scale < 1 else [])

    def _scale(self, longer: int) -> float:
        return self.size // longer if longer <= self.size else self.size / longer

    def _padded(self, image: Image.Image) -> Image.Image:
        scale = self._scale(max(image.size))
        if scale != 1:
            width, height = (max(1, round(side * scale)) for side in image.size)
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        padded = Image.new(image.mode, (self.size, self.size))
        padded.paste(image, ((self.size - image.width) // 2, (self.size - image.height) // 2))
        return padded

    def _cropped(self, image: Image.Image) -> Image.Image:
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        square = image.crop((left, top, left + side, top + side))  # resize(box=…) would also use pixels outside the box
        return square.resize((self.size, self.size), Image.Resampling.BILINEAR)


@dataclass(frozen=True)
class SideBySide(Transform):
    """PIL image with A in its left and B in its right half -> uint8 ``[2 * channels, size, size]``, A's channels first.

    Each half is transformed separately.

    Raises:
        ValueError: If the image to transform is not wider than high, or its width is odd.
    """

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a transformed pair."""
        return 2 * self.channels, self.size, self.size

    def changes(self, width: int, height: int, mode: str) -> list[str]:
        """Return what happens to both halves of an image of ``width`` by ``height`` pixels."""
        return super().changes(width // 2, height, mode)

    def __call__(self, image: Image.Image) -> np.ndarray:
        """Return uint8 ``[2 * channels, size, size]`` of ``image``."""
        ImageOps.exif_transpose(image, in_place=True)
        width, height = image.size
        if width % 2 or width <= height:
            raise ValueError(f"it has {width} by {height} pixels, but should hold A and B side by side, equally wide")
        halves = [(0, 0, width // 2, height), (width // 2, 0, width, height)]
        return np.concatenate([super(SideBySide, self).__call__(image.crop(half)) for half in halves])


def is_grey(mode: str) -> bool:
    """Return whether images of PIL's pixel format ``mode`` have one colour channel."""
    return mode in ("1", "L", "LA", "La") or is_deep(mode)


def is_deep(mode: str) -> bool:
    """Return whether images of PIL's pixel format ``mode`` have more than 8 bits per pixel, to which ``range`` applies."""
    return mode == "F" or mode.startswith("I")


def as_mode(image: Image.Image, mode: str, limits: tuple[float, float] | None = None) -> Image.Image:
    """Return the image in ``mode`` (L or RGB), with transparency on black and more than 8 bits reduced to 8.

    Args:
        image: The image.
        mode: L or RGB.
        limits: Values that become black and white, of floating-point pixels and of integers with more than 8 bits. None for 0
            and 65 535, of which the upper 8 bits are kept.

    Raises:
        ValueError: If a pixel is NaN, or lies outside 16 bits or is a floating-point number and ``limits`` is None.
    """
    if is_deep(image.mode):
        image = Image.fromarray(_eight_bits(np.asarray(image), limits))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    return image if image.mode == mode else image.convert(mode)


def _eight_bits(pixels: np.ndarray, limits: tuple[float, float] | None) -> np.ndarray:
    if np.isnan(pixels).any():
        raise ValueError("it has pixels that are not a number (NaN)")
    if limits is not None:
        black, white = limits
        return np.rint(((pixels.astype(np.float64) - black) * (255 / (white - black))).clip(0, 255)).astype(np.uint8)
    low, high = pixels.min(), pixels.max()
    if pixels.dtype.kind == "f" or low < 0 or high > 65535:
        raise ValueError(f"its pixels are from {low:g} to {high:g}, of which it is not known which are black and white")
    return (pixels >> 8).astype(np.uint8)
