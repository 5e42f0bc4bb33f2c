"""Images before their transform: size, mode and orientation, and counts of what the transform does to them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple, TypedDict

from PIL import Image

from gan_cli.data.images.transform import Transform

ORIENTATION, TURNED = 0x0112, (5, 6, 7, 8)
"""EXIF tag of the orientation, and its values that exchange width and height."""


class Original(NamedTuple):
    """An image before its transform.

    Attributes:
        width: Width in pixels, in its EXIF orientation.
        height: Height in pixels.
        mode: PIL's name of the pixel format, such as RGB, L or I;16.
        rotated: True if its EXIF orientation turns or mirrors it.
    """

    width: int
    height: int
    mode: str
    rotated: bool = False

    @classmethod
    def of(cls, image: Image.Image) -> "Original":
        """Return the facts about an image that was opened and not changed yet."""
        orientation = image.getexif().get(ORIENTATION, 1)
        sides = image.size[::-1] if orientation in TURNED else image.size
        return cls(*sides, image.mode, orientation in range(2, 9))


class Counts(TypedDict):
    """Counts of images, as the cache and the record of the data hold them; ranges are lists of two numbers."""

    images: int
    width: list[int]
    height: list[int]
    modes: dict[str, int]
    changes: dict[str, int]


class Tally:
    """Counts of originals and of what a transform does to them.

    Args:
        transform: The transform.
    """

    def __init__(self, transform: Transform):
        self.transform, self.images = transform, 0
        self.widths, self.heights = set[int](), set[int]()
        self.modes, self.changes = Counter[str](), Counter[str]()

    def add(self, original: Original, times: int = 1) -> None:
        """Count an original, or several that are alike."""
        self.images += times
        self.widths.add(original.width)
        self.heights.add(original.height)
        self.modes[original.mode] += times
        changes = self.transform.changes(original.width, original.height, original.mode)
        for name in (*changes, *(["rotated"] if original.rotated else [])):
            self.changes[name] += times

    def counts(self) -> Counts:
        """Return what was counted; at least one image must have been added."""
        return Counts(
            images=self.images,
            width=[min(self.widths), max(self.widths)],
            height=[min(self.heights), max(self.heights)],
            modes=dict(sorted(self.modes.items())),
            changes=dict(sorted(self.changes.items())),
        )


def image_origins(counts: Counts, transform: Transform, passed_over: Mapping[str, int], **more: int) -> dict[str, Any]:
    """Return the origins of a set of images, see :meth:`gan_cli.data.base.Dataset.origins`.

    Args:
        counts: Counts of the originals.
        transform: Transform of each image.
        passed_over: Number of files and images that were not taken, by the reason.
        **more: Further counts.
    """
    left = {reason: count for reason, count in passed_over.items() if count}
    return {**counts, **more, "passed_over": left, "preprocessing": asdict(transform)}
