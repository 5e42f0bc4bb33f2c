"""Tables in Markdown, and the place in docs/performance.md that a benchmark writes them to."""

from collections.abc import Sequence
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def write(target: str, text: str, page: Path = PAGE) -> None:
    """Replace what stands between the two marks of this target of the Makefile in the page.

    Raises:
        ValueError: The page has no such marks.
    """
    begin, end = f"<!-- written by make {target} -->\n", f"<!-- end of what make {target} writes -->\n"
    before, mark, rest = page.read_text().partition(begin)
    _, closing, after = rest.partition(end)
    if not mark or not closing:
        raise ValueError(f"{page} has no place for what make {target} writes: {begin.strip()} to {end.strip()}")
    page.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}")
