"""Writes docs/gallery.md and its figures from the reports in a folder: python docs/gallery.py outputs/experiments."""

import json
import sys
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
WIDTH = 760
"""Pixels that a figure is wide."""
COLOURS = 64
"""Of a figure, so that it stays small."""
HEAD = """# Gallery

Every experiment below is one command, `gan-train -m experiment=NAME`, and every verdict comes from its report.
`make experiments` runs them all, `make gallery` writes this page from what they left. Thresholds stand in
`conf/experiment/NAME.yaml`; where chance has a say, the runs that are judged here have seeds that nobody had seen before;
those of `ddpm`, `ebgan`, `mmd_gan` and `sliced_wasserstein` had been seen, after shorter or slower training, and those of
`r3gan_small` on other networks.
"""


def main(folder: Path) -> None:
    """Gathers every report in ``folder``."""
    summaries = {
        path.parents[1].name: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*/report/summary.json"))
    }
    if not summaries:
        raise SystemExit(f"no reports in {folder}: make experiments writes them.")
    figures = HERE / "gallery"
    figures.mkdir(exist_ok=True)
    for old in figures.glob("*.png"):
        old.unlink()
    parts = [HEAD]
    for name, summary in summaries.items():
        if summary["thumbnail"]:
            shrink(folder / name / "report" / summary["thumbnail"], figures / f"{name}.png")
        parts.append(section(name, summary))
    (HERE / "gallery.md").write_text("\n".join(parts), "utf-8")


def section(name: str, summary: dict) -> str:
    """One experiment: its command, its figure, its claims."""
    lines = [f"## {summary['title']}", "", f"`experiment={name}`. {summary['source']}."]
    if summary["differences"]:
        lines += ["", f"Differences from the source: {summary['differences']}"]
    if summary["thumbnail"]:
        lines += ["", f"![{summary['title']}](gallery/{name}.png)"]
    lines += ["", "| verdict | claim | measured |", "|---|---|---|"]
    for claim in summary["claims"]:
        measured = "<br>".join([claim["reason"], *claim["runs"].values()])
        lines.append(f"| **{claim['state']}** | {claim['claim']} | {measured} |")
    return "\n".join([*lines, ""])


def shrink(source: Path, target: Path) -> None:
    """The picture, ``WIDTH`` pixels wide, in few colours."""
    with Image.open(source) as image:
        small = image.convert("RGB").resize((WIDTH, round(WIDTH * image.height / image.width)), Image.Resampling.LANCZOS)
    small.quantize(COLOURS).save(target, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
