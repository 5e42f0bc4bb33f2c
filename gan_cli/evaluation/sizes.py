"""Sizes and colours of the images of two folders: numbers that compare them measure these differences, too."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

from PIL import Image

from gan_cli.config.stored import read_plain
from gan_cli.data.base import evenly_spaced
from gan_cli.data.images.originals import Original
from gan_cli.data.images.transform import Transform, is_grey
from gan_cli.errors import UserError
from gan_cli.runs import record
from gan_cli.runs.folder import holds_config

HEADERS = 1024
"""Largest number of image headers of a folder that are read."""
TOLERANCE = 0.1
"""Relative difference of median widths or heights from which two folders of images of several sizes count as different."""


class Sizes(NamedTuple):
    """Facts from the headers of a folder's images.

    Attributes:
        counts: Number of images of each size, (width, height).
        grey: True if all images are grey.
    """

    counts: Counter[tuple[int, int]]
    grey: bool

    def in_words(self) -> str:
        """Return the most frequent size and the number of others, as ``640×480 and 3 other sizes``."""
        [((width, height), _)], others = self.counts.most_common(1), len(self.counts) - 1
        return f"{width}×{height}" + (f" and {others} other size{'s' * (others > 1)}" if others else "")

    def medians(self) -> tuple[float, float]:
        """Return the median width and the median height."""
        widths, heights = zip(*self.counts.elements(), strict=True)
        return median(widths), median(heights)


def sizes_of(paths: Sequence[Path], transform: Transform | None = None) -> Sizes:
    """Return the sizes of the images in ``paths`` as they are measured, after ``transform``, if there is one.

    Images that cannot be opened are left out, since the decoder reports them.
    """
    counts: Counter[tuple[int, int]] = Counter()
    grey = True
    for index in evenly_spaced(len(paths), HEADERS).tolist():
        with suppress(Exception), Image.open(paths[index]) as image:
            original = Original.of(image)
            grey &= is_grey(original.mode)
            counts[original.width, original.height] += 1
    return Sizes(counts if transform is None else Counter({(transform.size, transform.size): 1}), grey)


def warnings(real: Sizes, fake: Sizes, fake_folder: Path) -> list[str]:
    """Return a line for each difference between both sides that is not the generator's, with what to do about it.

    Args:
        real: Sizes of the real images as they are measured.
        fake: Sizes of the generated images.
        fake_folder: Folder of the generated images; if it lies in a run, its data set says how real images are prepared.
    """
    lines = []
    if real.counts and fake.counts and _differ(real, fake):
        lines.append(
            f"the images differ in size: real ones {real.in_words()}, generated ones {fake.in_words()}. The numbers measure "
            f"this difference, too. {_advice(fake, fake_folder)}"
        )
    if fake.grey and not real.grey:
        lines.append("the generated images are grey, and the real ones are not. The numbers measure this difference, too.")
    return lines


def _differ(real: Sizes, fake: Sizes) -> bool:
    if min(len(real.counts), len(fake.counts)) == 1:
        return set(real.counts) != set(fake.counts)
    return any(abs(a - b) > TOLERANCE * b for a, b in zip(real.medians(), fake.medians(), strict=True))


def _advice(fake: Sizes, folder: Path) -> str:
    if len(fake.counts) > 1 or len(set(next(iter(fake.counts)))) > 1:
        return "Give the images of both folders the same size first."
    [(side, _)] = fake.counts
    if (fit := _fit_of_run(folder)) is not None:
        return f"size={side} fit={fit} prepares the real ones as that run did."
    return f"size={side} fit=crop, or fit=pad, gives the real ones that size: type what the generator was trained with."


def _fit_of_run(folder: Path) -> str | None:
    """Return the ``fit`` of the images of the run that ``folder`` lies in, or None if there is none."""
    run = next((parent for parent in (folder.resolve(), *folder.resolve().parents) if holds_config(parent)), None)
    if run is None:
        return None
    with suppress(OSError, UserError):
        fit = record.preprocessing(run, read_plain(run / "config.yaml").get("dataset", {})).get("fit")
        return fit if isinstance(fit, str) else None
    return None
