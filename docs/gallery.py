"""Write docs/gallery.md and its figures from the reports in a folder.

python docs/gallery.py outputs/experiments
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from PIL import Image

HERE = Path(__file__).parent
WIDTH = 760
"""Width of a figure in pixels."""
COLOURS = 64
"""Number of colours of a figure, so that its file stays small."""
HEAD = """# Gallery

Every experiment below is one command, `gan-train -m experiment=NAME`, and every verdict comes from its report.
`make experiments` runs all of them, and `make gallery` writes this page.
The figures and verdicts below come from commit {commit}.

A claim is *held*, *not held* or *undecided*; its threshold stands in `conf/experiment/NAME.yaml`. Most claims are judged on
runs whose seeds had not been seen before. The exceptions are `ddpm`, `ebgan`, `mmd_gan` and `sliced_wasserstein`, whose seeds
had been seen after shorter or slower training, and `r3gan_small`, whose seeds had been seen on other networks.
"""


def main(folder: Path) -> None:
    """Write the page and the figures of every report in ``folder``."""
    summaries = {
        path.parents[1].name: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*/report/summary.json"))
    }
    if not summaries:
        raise SystemExit(f"no reports in {folder}: make experiments writes them.")
    figures = HERE / "gallery"
    figures.mkdir(exist_ok=True)
    for old in figures.glob("*.png"):
        old.unlink()
    for name, summary in summaries.items():
        if summary["thumbnail"]:
            shrink(folder / name / "report" / summary["thumbnail"], figures / f"{name}.png")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True, cwd=HERE)
    (HERE / "gallery.md").write_text(page(summaries, commit.stdout.strip()), "utf-8")


def page(summaries: dict[str, dict[str, Any]], commit: str) -> str:
    """Return the text of the page."""
    overview = ["| experiment | held | not held | undecided |", "|---|---|---|---|"]
    for name, summary in summaries.items():
        states = [claim["state"] for claim in summary["claims"]]
        counts = [str(states.count(state) or "") for state in ("held", "not held", "undecided")]
        overview.append(f"| [{cell(summary['title'])}](#{name}) | {' | '.join(counts)} |")
    sections = [section(name, summary) for name, summary in summaries.items()]
    return "\n".join([HEAD.format(commit=f"`{commit}`"), *overview, "", *sections])


def section(name: str, summary: dict[str, Any]) -> str:
    """Return the section of one experiment: its command, its figure, its claims, and what was measured in each run."""
    lines = [f"## {name}", "", f"**{plain(summary['title'])}.** {plain(summary['source'])}.", ""]
    if summary["differences"]:
        lines += [f"Differences from the source: {plain(summary['differences'])}", ""]
    if summary["thumbnail"]:
        lines += [f"![{plain(summary['title'])}](gallery/{name}.png)", ""]
    lines += ["| | claim | verdict | result |", "|---|---|---|---|"]
    for number, claim in enumerate(summary["claims"], 1):
        lines.append(f"| {number} | {cell(claim['claim'])} | **{claim['state']}** | {cell(claim['reason'])} |")
    return "\n".join([*lines, "", *runs(summary["claims"])])


def runs(claims: list[dict[str, Any]]) -> list[str]:
    """Return a folded table with a row for each run and a column for each claim that was judged run by run."""
    numbered = {number: claim["runs"] for number, claim in enumerate(claims, 1) if claim["runs"]}
    if not numbered:
        return []
    names = dict.fromkeys(name for measured in numbered.values() for name in measured)
    lines = [f"| run | {' | '.join(f'claim {number}' for number in numbered)} |", "|---" * (len(numbered) + 1) + "|"]
    for name in names:
        lines.append(f"| {cell(name)} | {' | '.join(cell(measured.get(name, '')) for measured in numbered.values())} |")
    return ['<details markdown="1">', "<summary>Each run</summary>", "", *lines, "", "</details>", ""]


def cell(text: str) -> str:
    """Return ``text`` as it can stand in a cell of a table."""
    return plain(text).replace("\\|", "|").replace("|", "\\|")


def plain(text: str) -> str:
    """Return ``text`` in one line, without characters that Markdown or HTML would interpret."""
    return re.sub(r"([*_<`])", r"\\\1", " ".join(text.split()))


def shrink(source: Path, target: Path) -> None:
    """Write the picture ``WIDTH`` pixels wide, in few colours."""
    with Image.open(source) as image:
        small = image.convert("RGB").resize((WIDTH, round(WIDTH * image.height / image.width)), Image.Resampling.LANCZOS)
    small.quantize(COLOURS).save(target, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
