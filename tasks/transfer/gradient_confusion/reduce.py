"""From the rows of `gradient_confusion` to tables, figures and sentences, whatever part of the sweep is done."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from orchestrator.experiment import Results, Summary
from tasks.analysis.palette import ENCODERS, GREY
from tasks.analysis.panels import legend, line_handle, of, outer_labels
from tasks.analysis.runs import costs_by_line
from tasks.analysis.summary import not_finite
from tasks.data.examples import task_info
from tasks.transfer.diagnostics.reporting import (
    LINE,
    SEEDS,
    SIDES,
    box,
    box_handles,
    dash,
    encoder_handles,
    grid,
    named,
    over_seeds,
    places,
    pretrained_vs_random,
    report,
    shift_handles,
)
from tasks.transfer.gradient_confusion.config import Config

_REGRESSION = (
    "For a regression (STS-B, similarity) the output of a new head is near 0 and all targets are above: the mean error "
    "dominates every gradient, and cosines near 1 tell nothing of the network."
)
_PAIRS = "Pairs within a seed share gradients and are no sample, so they do not enter the interval."
CAPTIONS = {
    "similarity_over_seeds": (
        f"Minimum, median, mean and share of negative ones of the cosines over all pairs. {SEEDS} {_PAIRS} "
        "within_error: mean of the standard errors within a seed (jackknife over gradients), where there is one."
    ),
    "gradients": f"Loss of the batches (nats; squared scores for a regression) and norm of their gradients. {SEEDS}",
    "cosine_boxes": (
        "Cosine similarity of the gradients of any two batches, with respect to all parameters, before training. "
        "Boxes: quartiles, whiskers from minimum to maximum, solid line median, dashed line mean; the pairs of all "
        f"seeds pooled, as published, so that a box shows a spread and no uncertainty. {_REGRESSION} NaN is left out."
    ),
    "confusion": (
        "Share of pairs whose cosine is at most the value on the axis: at -eta it is P(cos < -eta), the confusion of "
        "the gradients. Thick: mean over seeds; thin: each seed. Left of 0 a step on one batch increases the other's "
        f"loss. {_REGRESSION} NaN is left out."
    ),
}
OFFSETS = {"pretrained": -0.165, "random": 0.165}  # of the boxes from their task, as published
BOX = 0.28
CURVE = np.linspace(0, 1, 401)
SUMS = {"gradients": "gradients", "through_a_file": "in_file"}
SUMS |= {name: name for name in ("layer_passes", "encoder_seconds", "gram_seconds")}


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep."""
    pairs, similarity = results.table("pairs"), with_errors(results.table("similarity"))
    gradients = results.table("gradients").melt(id_vars=[*LINE, "seed"], value_vars=["loss", "norm"], var_name="metric")
    tables = {
        "similarity_over_seeds": similarity,
        "pretrained_vs_random": pretrained_vs_random(similarity, ["metric"]),
        "gradients": over_seeds(gradients, ["metric"]),
        "costs": costs_by_line(results.table("costs"), LINE, SUMS, largest=["parameters", "kept", "peak_bytes"]),
    }
    drawn = draw(of(pairs, metric="cosine"))
    return report(results, config, tables, drawn, CAPTIONS, notes(tables, pairs))


def with_errors(similarity: pd.DataFrame) -> pd.DataFrame:
    """`over_seeds` of each statistic, and beside it the mean of the standard errors within a seed."""
    within = similarity.groupby([*LINE, "metric"], as_index=False)["error"].mean()
    statistics = over_seeds(similarity, ["metric"])
    return statistics.merge(within.rename(columns={"error": "within_error"}), on=[*LINE, "metric"], how="left")


def notes(tables: dict[str, pd.DataFrame], pairs: pd.DataFrame) -> list[str]:
    """What came out, where cosines say little, and how many values are not finite."""
    told = []
    for line, rows in tables["pretrained_vs_random"].groupby(LINE[:-1]):
        by = rows.set_index("metric")
        least, negative = by.loc["min"], by.loc["negative_share"]
        told.append(
            f"{named(*line)}: minimum cosine {least['mean_pretrained']:.3f} pretrained, "
            f"{least['mean_random']:.3f} random; share of negative ones {negative['mean_pretrained']:.3f} and "
            f"{negative['mean_random']:.3f}."
        )
    regressions = [task for task in pd.unique(pairs["task"]) if task_info(task).is_regression]
    if regressions:
        told.append(
            f"{', '.join(regressions)}: a regression. With a new head the mean error dominates every gradient, so "
            "cosines near 1 are expected of any network and tell nothing of this one."
        )
    return [*told, not_finite(pairs["value"], "values of pairs")]


def draw(cosine: pd.DataFrame) -> dict[str, Figure]:
    """Both figures, if there is a cosine to show."""
    known = cosine.assign(value=cosine["value"].astype(float))
    if not np.isfinite(known["value"]).any():
        return {}
    return {"cosine_boxes": boxes_figure(known), "confusion": confusion_figure(known)}


def boxes_figure(cosine: pd.DataFrame) -> Figure:
    """A row a model, a column a shift: two boxes a task, pairs of all seeds together."""
    tasks = sorted(set(cosine["task"]))
    title, width = ("model", "shift"), 1.0 + 1.1 * len(tasks)
    rows, columns = places(cosine, "model"), places(cosine, "shift")
    figure, axes, cells = grid(cosine, rows, columns, "value", title, width=width, sharey="row")
    for axis, here in cells:
        axis.axhline(0, color=GREY, linewidth=0.8)
        for encoder in SIDES:
            for at, task in enumerate(tasks):
                values = of(here, encoder=encoder, task=task)["value"].to_numpy()
                drawn = {"widths": BOX, "whis": (0, 100), "showmeans": True, "meanline": True}
                drawn["meanprops"] = {"color": "black", "linewidth": 1.2, "linestyle": "--"}
                box(axis, values[np.isfinite(values)], at + OFFSETS[encoder], encoder, **drawn)
        axis.set_xticks(range(len(tasks)), tasks)
        axis.set_xlim(-0.5, len(tasks) - 0.5)
    outer_labels(axes, "task", "cosine similarity")
    legend(figure, [*box_handles(), line_handle("median", "black"), line_handle("mean", "black", linestyle="--")])
    return figure


def confusion_figure(cosine: pd.DataFrame) -> Figure:
    """A row a model, a column a task: the distribution function of the cosines, a line an encoder and shift."""
    shifts = sorted(set(cosine["shift"]))
    rows, columns = places(cosine, "model"), places(cosine, "task")
    figure, axes, cells = grid(cosine, rows, columns, "value", width=3.3, sharey=True)
    for axis, here in cells:
        values = here.loc[np.isfinite(here["value"]), "value"].to_numpy()
        if not len(values):
            continue
        if values.min() < 0:
            axis.axvline(0, color=GREY, linewidth=0.8)
        x = values.min() + CURVE * (values.max() - values.min())
        for (encoder, shift), line in here.groupby(["encoder", "shift"], sort=True):
            curves = [distribution(own["value"].to_numpy(), x) for _, own in line.groupby("seed")]
            known = [curve for curve in curves if curve is not None]
            style = {"color": ENCODERS[encoder], "linestyle": dash(shifts, shift)}
            for curve in known:
                axis.plot(x, curve, linewidth=0.6, alpha=0.4, **style)
            if known:
                axis.plot(x, np.mean(known, axis=0), linewidth=1.6, **style)
    outer_labels(axes, "cosine c", "share of pairs with cosine ≤ c")
    legend(figure, [*encoder_handles(), *shift_handles(shifts)])
    return figure


def distribution(values: np.ndarray, x: np.ndarray) -> np.ndarray | None:
    """The share of finite values that are at most x; None without any."""
    values = np.sort(values[np.isfinite(values)])
    return np.searchsorted(values, x, side="right") / len(values) if len(values) else None
