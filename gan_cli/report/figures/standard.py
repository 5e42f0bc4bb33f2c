"""The figures that every report has, whatever its experiment asks for."""

from collections.abc import Iterable, Sequence

from gan_cli.report.figures.curves import Curves, Figure
from gan_cli.report.figures.gallery import Gallery
from gan_cli.report.figures.progression import METHODS, Stages
from gan_cli.report.records.runs import RunRecord

EXACT = {"wasserstein": "metric/w1", "js": "metric/js"}
"""Of what critics estimate, the exact measure of samples that may stand beside it."""
SLOW = ("time/",)
PANELS = 6
"""Panels of one figure."""
OF_SEQUENCES = {
    "windows": "Real and generated windows, in the data's own units, as gan-eval drew them.",
    "pca": "Whole windows, flattened, on the two principal axes of the data; of the first seed of each method.",
    "tsne": "Whole windows, flattened; neighbours stay neighbours, distances mean nothing. Of the first seed of each method.",
}
"""Pictures that gan-eval leaves of sequences."""


def figures(runs: Sequence[RunRecord], median: int | None) -> list[Figure]:
    """Estimates beside exact distances, metrics, losses, gradients, and whatever else was logged."""
    tags = list(dict.fromkeys(tag for run in runs for tag in run.tags if not tag.startswith(SLOW)))
    found: list[Figure] = [
        *_estimates(runs, tags, median),
        *_group("The metric", "Measured on samples of the averaged players.", tags, ("metric/",), 1, runs=runs),
        *_group("Losses", "What each player minimises, penalties included.", tags, ("loss/", "penalty_"), median),
        *_group("Gradient norms", "Of each player's loss, in its parameters.", tags, ("grad_norm/",), median, log_y=True),
    ]
    shown = ("metric/", "loss/", "penalty_", "grad_norm/", "estimate/", "heldout/")
    found += _of_sequences(runs)
    rest = [tag for tag in tags if not tag.startswith(shown)]
    kinds = dict.fromkeys(tag.partition("/")[0] for tag in rest)
    return [*found, *(figure for kind in kinds for figure in _group(kind, "", rest, (f"{kind}/", kind), median))]


def _of_sequences(runs: Sequence[RunRecord]) -> list[Figure]:
    """The pictures that evaluations of sequences left, where they did."""
    globs = {name: f"eval/{name}_step_*.png" for name in OF_SEQUENCES}
    left = [name for name, glob in globs.items() if any(any(run.folder.glob(glob)) for run in runs)]
    titles = {"windows": "Real and generated windows", "pca": "Principal components", "tsne": "t-SNE"}
    return [Gallery(title=titles[name], caption=OF_SEQUENCES[name], glob=globs[name]) for name in left]


def stages(runs: Sequence[RunRecord], steps: int, median: int | None) -> list[Figure]:
    """Samples below the curve that is said to follow them: the Wasserstein estimate, else the metric, else D's loss."""
    primary = [f"metric/{run.result['metric']['name']}" for run in runs if run.result.get("metric")]
    measured = [tag for run in runs for tag in run.tags if tag.startswith("metric/")]
    tag = ["estimate/wasserstein", *primary[:1], *measured[:1], "estimate/js", "loss/discriminator"]
    return [Stages(title="Samples under the curve", tag=tag, steps=steps, median=median)]


def _estimates(runs: Sequence[RunRecord], tags: Sequence[str], median: int | None) -> Iterable[Figure]:
    """For each method and estimate one figure; a clipped critic's estimate is K·W with an unknown K: an axis of its own."""
    methods = list({run.method: run for run in runs if run.rows}.values())[:METHODS]
    named = dict.fromkeys(tag.partition("/")[2] for tag in tags if tag.startswith(("estimate/", "heldout/")))
    for run in methods:
        for short in named:
            estimated = [tag for tag in (f"estimate/{short}", f"heldout/{short}") if run.series(tag)]
            exact = EXACT.get(short, "")
            if not estimated:
                continue
            clipped = "weight_clipping" in (run.config.get("regularizer") or {})
            together = [estimated, [exact]] if clipped else [[*estimated, exact]]
            said = "The estimate is the critic's view; the exact distance is measured on samples." if exact in tags else ""
            yield Curves(
                title=f"Estimated{' and exact' if exact in tags else ''} distance" + (f": {run.method}" if run.method else ""),
                caption=said + (" A clipped critic estimates K·W with K unknown, hence two axes." if clipped else ""),
                tags=together,
                median=median,
                where=run.settings,
            )


def _group(
    title: str,
    caption: str,
    tags: Sequence[str],
    prefixes: tuple[str, ...],
    median: int | None,
    log_y: bool = False,
    runs: Sequence[RunRecord] = (),
) -> Iterable[Figure]:
    """One figure of all tags that begin with one of ``prefixes``, with the floors of metrics where they are known."""
    chosen = [tag for tag in tags if tag.startswith(prefixes)]
    for start in range(0, len(chosen), PANELS):
        part = chosen[start : start + PANELS]
        floors = {
            metric["floor"]
            for run in runs
            if (metric := run.result.get("metric")) and metric.get("floor") is not None and part == [f"metric/{metric['name']}"]
        }
        levels = {"real against real": max(floors)} if floors else {}
        yield Curves(title=title, caption=caption, tags=part, median=median, log_y=log_y, levels=levels)
