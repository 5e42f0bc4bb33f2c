"""Images before decoding: their identity, and access to one of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from gan_cli.errors import UnreadableData

Result = TypeVar("Result")


class CorruptImage(UnreadableData):
    """An image could not be decoded; ``name`` is its name."""

    def __init__(self, name: str, reason: object):
        super().__init__(
            f"Cannot decode {name}: {reason}.",
            "Replace or remove it; dataset.skip_corrupt=true leaves out all such images.",
        )
        self.name = name


@dataclass(frozen=True)
class ImageCollection:
    """An opened set of images.

    Attributes:
        items: Sequence of (PIL image, anything), decoded on access, from any thread.
        name: Function that returns the name of image i in messages.
        labels: int64 ``[len(items)]``, or None.
        classes: Number of labels; 0 without labels.
        class_names: Names of the classes; empty if they have none.
        header: Function that opens image i without decoding it; None if only decoding tells its size.
    """

    items: Any
    name: Callable[[int], str]
    labels: np.ndarray | None = None
    classes: int = 0
    class_names: Sequence[str] = ()
    header: Callable[[int], Image.Image] | None = None

    def __len__(self) -> int:
        return len(self.items)

    def array(self, index: int, transform: Callable[[Image.Image], Result]) -> Result:
        """Decode and transform image ``index``.

        Raises:
            CorruptImage: If it cannot be decoded, for any reason.
            UnreadableData: If the file that holds all images cannot be read any more.
        """
        try:
            return transform(self.items[index][0])
        except UnreadableData:
            raise
        except Exception as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise CorruptImage(self.name(index), reason) from error


@dataclass(frozen=True)
class Source:
    """One part of a published set that has not been opened yet.

    Attributes:
        name: Name of the part in cache folders and messages.
        identity: Plain JSON data that changes when the content changes.
        channels: Number of channels of the images, 1 or 3.
        open: Function that opens the images. It is slow for some sets and only called if an image must be decoded.
        passed_over: Number of files that lie among the images and are not read, by the reason.
        modes: Number of images of each pixel format, by PIL's name; empty if all images of the set have the same.
        has_label_file: True if the labels were read from a file.
    """

    name: str
    identity: Sequence[Any]
    channels: int
    open: Callable[[], ImageCollection]
    passed_over: Mapping[str, int] = field(default_factory=dict)
    modes: Mapping[str, int] = field(default_factory=dict)
    has_label_file: bool = False
