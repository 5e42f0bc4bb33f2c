"""Figures that every report contains."""

from collections.abc import Iterable, Sequence

from gan_cli.evaluation.comparison import mean
from gan_cli.evaluation.floor_words import floor_label
from gan_cli.losses.estimates import meaning
from gan_cli.report.figures.curves import Curves, Figure
from gan_cli.report.figures.gallery import Gallery
from gan_cli.report.figures.progression import Progression
from gan_cli.report.records.runs import RunRecord
from gan_cli.report.records.selection import left_out

EXACT = {"wasserstein": "metric/w1", "js": "metric/js"}
"""The tag of the exact distance that is drawn with an estimate of the same distance."""
OMITTED = ("time/", "cost/")
LOSSES = "The loss of each player, penalties included, and its adversarial part and penalties alone."
JUDGEMENT = (
    "D(x) and D(G(z)), as probabilities or mean logits, and the shares of data and of fakes that D takes for what they are."
)
MAX_PANELS = 6
"""Maximum number of panels in one figure."""
SEQUENCE_CAPTIONS = {
    "windows": "Real and generated windows, in the data's own units, drawn by gan-eval.",
    "pca": "Whole windows, flattened, on the two principal axes of the data.",
    "tsne": "Whole windows, flattened; neighbourhoods are preserved, distances are not.",
}
"""Pictures that gan-eval draws for sequences, with their captions."""


def standard_figures(runs: Sequence[RunRecord], median: int | None, methods: int | None = None) -> list[Figure]:
    """Return figures of estimates with exact distances, metrics, losses, gradient norms and all other logged numbers.

    Args:
        runs: The runs that have logged something.
        median: Width of the median filter in points, odd. None: chosen by the length of each curve.
        methods: Maximum number of methods whose estimates are drawn, in a figure each. None: all.
    """
    tags = distinct_curves(runs)
    figures: list[Figure] = [
        *_estimates(runs, tags, median, methods),
        *_group("The metric", "Measured on samples of the averaged players.", tags, ("metric/",), 1, runs=runs),
        *_group("Losses", LOSSES, tags, ("loss/", "penalty_", "adversarial"), median),
        *_group("The discriminator", JUDGEMENT, tags, ("D/", "logit/", "accuracy/"), median),
        *_group(
            "Gradient norms",
            "Norm of the gradient of each player's loss in its parameters.",
            tags,
            ("grad_norm/",),
            median,
            log_y=True,
        ),
    ]
    drawn = ("metric/", "loss/", "penalty_", "adversarial", "grad_norm/", "estimate/", "heldout/", "D/", "logit/", "accuracy/")
    figures += _sequence_figures(runs)
    rest = [tag for tag in tags if not tag.startswith(drawn)]
    kinds = dict.fromkeys(tag.partition("/")[0] for tag in rest)
    return [*figures, *(figure for kind in kinds for figure in _group(kind, "", rest, (f"{kind}/", kind), median))]


def distinct_curves(runs: Sequence[RunRecord]) -> list[str]:
    """Return the tags whose curves are worth a chart, in the order in which they were logged.

    Tags without two finite values in any run are left out, and those whose curves another tag has in every run, such as the
    adversarial part of a loss that has no other part.
    """
    curves: dict[tuple[tuple[bytes, bytes], ...], str] = {}
    for tag in dict.fromkeys(tag for run in runs for tag in run.tags if not tag.startswith(OMITTED)):
        series = [run.series(tag) for run in runs]
        if any(len(one.finite().steps) > 1 for one in series):
            curves.setdefault(tuple((one.steps.tobytes(), one.values.tobytes()) for one in series), tag)
    return list(curves.values())


def _sequence_figures(runs: Sequence[RunRecord]) -> list[Figure]:
    """Return galleries of the pictures that evaluations of sequences have drawn, if there are any."""
    globs = {name: f"eval/{name}_step_*.png" for name in SEQUENCE_CAPTIONS}
    present = [name for name, glob in globs.items() if any(any(run.folder.glob(glob)) for run in runs)]
    titles = {"windows": "Real and generated windows", "pca": "Principal components", "tsne": "t-SNE"}
    return [Gallery(title=titles[name], caption=SEQUENCE_CAPTIONS[name], glob=globs[name]) for name in present]


def last_samples() -> list[Figure]:
    """Return a gallery of the newest picture of every method."""
    return [Gallery(title="Last samples of each method", glob="samples/step_*.png", cropped=True)]


def progression_figures(runs: Sequence[RunRecord], steps: int, median: int | None) -> list[Figure]:
    """Return samples below the curve that tracks them best: the Wasserstein estimate, else the metric, else the loss of D.

    Args:
        runs: The runs that have logged something.
        steps: Number of pictures below the curve.
        median: Width of the median filter in points, odd. None: chosen by the length of the curve.
    """
    primary = [f"metric/{run.result['metric']['name']}" for run in runs if run.result.get("metric")]
    measured = [tag for run in runs for tag in run.tags if tag.startswith("metric/")]
    tag = ["estimate/wasserstein", *primary[:1], *measured[:1], "estimate/js", "loss/discriminator"]
    return [Progression(title="Samples under the curve", tag=tag, steps=steps, median=median)]


def _estimates(runs: Sequence[RunRecord], tags: Sequence[str], median: int | None, limit: int | None) -> Iterable[Figure]:
    """Yield a figure for each method and estimate.

    A clipped critic estimates K·W with K unknown, so that its estimate has an axis of its own.
    """
    methods = {run.method: run for run in runs if any(tag.startswith(("estimate/", "heldout/")) for tag in run.tags)}
    hidden = left_out(list(methods), limit)
    estimates = dict.fromkeys(tag.partition("/")[2] for tag in tags if tag.startswith(("estimate/", "heldout/")))
    for run in list(methods.values())[:limit]:
        for name in estimates:
            estimated = [tag for tag in (f"estimate/{name}", f"heldout/{name}") if run.series(tag)]
            exact = EXACT.get(name, "")
            if not estimated:
                continue
            clipped = "weight_clipping" in (run.config.get("regularizer") or {})
            panels = [estimated, [exact]] if clipped else [[*estimated, exact]]
            note = meaning(name)
            note += " The exact distance is measured on samples." if exact in tags else ""
            note = " ".join(filter(None, [note, hidden]))
            yield Curves(
                title=f"Estimated{' and exact' if exact in tags else ''} distance" + (f": {run.method}" if run.method else ""),
                caption=(note + (" A clipped critic estimates K·W with K unknown, hence two axes." if clipped else "")).strip(),
                tags=panels,
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
    """Yield figures of all tags with one of ``prefixes``; metrics are drawn with their floor where it is known."""
    chosen = [tag for tag in tags if tag.startswith(prefixes)]
    for start in range(0, len(chosen), MAX_PANELS):
        part = chosen[start : start + MAX_PANELS]
        floors = [
            metric
            for run in runs
            if (metric := run.result.get("metric")) and metric.get("floor") is not None and part == [f"metric/{metric['name']}"]
        ]
        distinct = sorted({metric["floor"] for metric in floors})
        levels = {floor_label(*floors): mean(distinct).value} if floors else {}
        yield Curves(title=title, caption=caption, tags=part, median=median, log_y=log_y, levels=levels)
