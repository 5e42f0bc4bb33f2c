"""Write docs/gallery.md and its figures from the reports in a folder.

python docs/gallery.py outputs/experiments
"""

import json
import re
import subprocess
import sys
from collections.abc import Collection, Sequence
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

A claim is *held*, *not held* or *undecided* by its rule, whose threshold stands in `conf/experiment/NAME.yaml` beside the
number of a cheap [baseline](experiments.md#baselines) that fails it. Every run satisfies an identity, which checks the program:
identities are no claims and count for themselves. Most claims are judged on runs whose seeds had not been seen before. The
exceptions are `ddpm`, `ebgan`, `mmd_gan` and `sliced_wasserstein`, whose seeds had been seen after shorter or slower training,
and `r3gan_small`, whose seeds had been seen on other networks.
"""

SUBJECTS = {
    "Distances and games with a known solution": [
        *("em_worked_example", "wgan_fig1", "wgan_fig2", "goodfellow_1d", "ideal_gan", "minimax_2d", "linear_dual"),
        "linear_spiral",
    ],
    "Curves of the WGAN papers": [
        *("wgan_fig3", "wgan_fig4", "wgan_fig8", "wgan_fig5_7", "vanishing_gradient", "momentum", "clip_sweep"),
    ],
    "Games to watch, and mode collapse": ["ring_wgan_gp", "swiss_roll", "spiral", "mode_collapse", "unrolled_ring"],
    "Other divergences": ["f_gan", "ebgan", "gmmn_grid25", "mmd_gan", "sliced_wasserstein"],
    "Conditions and codes": ["cgan", "cgan_one_hot", "cgan_multimodal", "infogan", "infogan_paper"],
    "Published systems in small": [
        *("sngan_small", "wgan_gp_small", "biggan_small", "r3gan_small", "ddpm", "ddpm_swiss_roll", "small_data", "family"),
    ],
    "Translation of images": [
        *("edges2clothes", "colourisation", "inpainting", "super_resolution", "cyclegan_shirts", "cyclegan_dresses"),
        *("cyclegan_horse2zebra", "pix2pix_facades"),
    ],
    "Sequences": ["timegan_small", "rcgan_small", "c_rnn_gan_small", "wavegan_small", "timegan_table"],
}
"""The experiments of each subject, in the order of the page; experiments of your own come last."""
OTHERS = "Further experiments"
"""Subject of the experiments that are in no other."""
STATES = ("held", "not held", "undecided")
IDENTITY_STATES = ("satisfied", "violated", "not checked")
TIMES = "The time of an experiment is the sum over its jobs."


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
    """Return the text of the page: a table of verdicts and times, then the experiments by subject."""
    claims = [claim["state"] for summary in summaries.values() for claim in summary["claims"]]
    identities = [one["state"] for summary in summaries.values() for one in summary["identities"]]
    total = (
        f"{len(summaries)} experiments make {len(claims)} claims: {counted(claims, STATES)}.\n"
        f"They check {len(identities)} identities: {counted(identities, IDENTITY_STATES)}.\n{TIMES}"
    )
    overview = ["| experiment | held | not held | undecided | identities satisfied | time |", "|---|---|---|---|---|---|"]
    sections = []
    for subject, names in by_subject(summaries).items():
        overview.append(f"| **{subject}** | | | | | |")
        overview += [overview_row(name, summaries[name]) for name in names]
        sections += [f"## {subject}", "", *(section(name, summaries[name]) for name in names)]
    return "\n".join([HEAD.format(commit=f"`{commit}`"), total, "", *overview, "", *sections])


def counted(found: list[str], states: Sequence[str]) -> str:
    """Return how often each of ``states`` is found, in words."""
    return ", ".join(f"{found.count(state)} {state}" for state in states)


def by_subject(names: Collection[str]) -> dict[str, list[str]]:
    """Return those of the experiments that belong to each subject; subjects without any are left out."""
    known = {name for listed in SUBJECTS.values() for name in listed}
    subjects = {**SUBJECTS, OTHERS: [name for name in names if name not in known]}
    found = {subject: [name for name in listed if name in names] for subject, listed in subjects.items()}
    return {subject: listed for subject, listed in found.items() if listed}


def overview_row(name: str, summary: dict[str, Any]) -> str:
    """Return the row of one experiment: its claims by verdict, its satisfied identities, and how long its jobs took."""
    states = [claim["state"] for claim in summary["claims"]]
    counts = [str(states.count(state) or "") for state in STATES]
    satisfied = [one["state"] for one in summary["identities"]].count("satisfied")
    counts.append(f"{satisfied} of {len(summary['identities'])}" if summary["identities"] else "")
    seconds = summary.get("seconds")
    time = "" if not seconds else f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
    return f"| [{cell(summary['title'])}](#{name}) | {' | '.join([*counts, time])} |"


def section(name: str, summary: dict[str, Any]) -> str:
    """Return the section of one experiment: its figure, its claims, what was measured in each run, and its identities."""
    lines = [f"### {name}", "", f"**{plain(summary['title'])}.** {plain(summary['source']).rstrip('.')}.", ""]
    if summary["differences"]:
        lines += [f"Differences from the source: {plain(summary['differences'])}", ""]
    if summary["thumbnail"]:
        lines += [f"![{plain(summary['title'])}](gallery/{name}.png)", ""]
    lines += [*judged("claim", summary["claims"]), *runs(summary["claims"])]
    return "\n".join([*lines, *judged("identity", summary["identities"])])


def judged(kind: str, assessments: list[dict[str, Any]]) -> list[str]:
    """Return the table of the claims or of the identities; no lines if there are none."""
    if not assessments:
        return []
    lines = [f"| | {kind} | rule | verdict | result |", "|---|---|---|---|---|"]
    for number, one in enumerate(assessments, 1):
        texts = [cell(one["claim"]), cell(one["rule"]), f"**{one['state']}**", cell(one["reason"])]
        lines.append(f"| {number} | {' | '.join(texts)} |")
    return [*lines, ""]


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
    """Return ``text`` as it can stand in a cell of a table, whose columns bars separate."""
    return plain(text).replace("|", "&#124;")


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
