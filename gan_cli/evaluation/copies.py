"""Generated images that are real ones, pixel for pixel."""

from collections.abc import Sequence


def warnings_of_copies(real: Sequence[str], fake: Sequence[str]) -> list[str]:
    """Return a line if generated images equal real ones, which no measure of distance tells from good samples.

    Args:
        real: A hash of the pixels of each real image.
        fake: A hash of the pixels of each generated image.
    """
    known = set(real)
    copies = sum(key in known for key in fake)
    if not copies:
        return []
    if known == set(fake):
        return ["both folders hold the same images, pixel for pixel: name a folder of generated ones as fake=."]
    return [f"{copies} of {len(fake)} generated images are copies of real ones, pixel for pixel."]
