"""From scores to curves and their figure: mean and interval over runs, peaks, the distance to guessing, NaN."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from orchestrator.experiment import Results, Summary
from tasks.analysis.palette import GREY, INIT_STYLES
from tasks.analysis.panels import curve, legend, of, panels, say_empty
from tasks.analysis.runs import costs_by_line, over_runs
from tasks.analysis.summary import interval, summary
from tasks.transient_chaos.mlm_depth.config import Config

LINE = ["encoder", "init_style", "readout"]
"""The columns that tell one curve from another; init_style is empty for the pretrained encoder."""
RUN = ["encoder_seed", "data_seed"]
"""The columns that tell one encoder at work from another; on each there are the readouts of all seeds."""
CURVE = [*LINE, "metric", "depth", "mean", "ci_low", "ci_high", "runs", "nan"]
PEAK = [*LINE, "metric", "best_depth", "value", "ci_low", "ci_high", "nominal_depth"]
LARGER_IS_BETTER = {"accuracy": True, "loss": False}
CAPTIONS = {
    "peaks": "Depth at which each mean curve is best: highest accuracy, lowest loss.",
    "baselines": "Chance level, without the context: always the most frequent token, and the tokens' frequencies.",
    "nonfinite": "States that were NaN or infinite; the scores from that depth on are NaN.",
    "costs": "Seconds on the workers, and layer applications to one block as counted while running.",
    "pretraining": "Test scores of the small ALBERT at the end of its pretraining.",
    "depth_curves": "Mean over runs, 95 % interval (Student), number of runs and of NaN.",
    "mlm_by_depth": "Accuracy and perplexity on the masked tokens of the test part against the number of layers: mean "
    "over runs, band = 95 % interval for the mean.",
}
STYLES = {
    "trained": {"linestyle": "-", "marker": "o"},
    "new": {"linestyle": "--", "marker": "s"},
    "zero_shot": {"linestyle": ":", "marker": "^"},
}
PANELS = {
    "accuracy": ("accuracy (share of masked tokens)", "guess_accuracy", "most frequent token", "-"),
    "perplexity": ("perplexity (exp of nats per token)", "unigram_perplexity", "token frequencies", (0, (6, 2))),
}
"""Axis label of each metric, and the guess that is drawn as a level line: its metric, name and dash."""


def with_style(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with an empty init_style where the encoder is the pretrained one."""
    return rows.assign(init_style=rows["init_style"].astype("object").fillna(""))


def depth_curves(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a curve, metric and depth: mean, 95 % interval (Student) over runs, counts of runs and of NaN.

    Runs are the encoders at work (encoder seed and data seed), each with the mean over its readouts' seeds; where there
    is one of these alone, the seeds of its readouts are the runs. A value that is NaN makes its run's value NaN.
    """
    if not len(scores):
        return pd.DataFrame(columns=CURVE)
    by = [*LINE, "metric", "depth"]
    rows = with_style(scores)
    rows["run"] = rows.groupby(RUN, dropna=False).ngroup()
    alone = rows.groupby(by)["run"].transform("nunique") == 1
    rows["run"] = np.where(alone, rows["seed"], rows["run"])
    runs = rows.groupby([*by, "run"], as_index=False)["value"].agg(lambda values: values.mean(skipna=False))
    table = over_runs(runs, by, count="runs").rename(columns={"low": "ci_low", "high": "ci_high", "not_finite": "nan"})
    return table.assign(runs=table["runs"] + table["nan"])[CURVE]


def peaks(curves: pd.DataFrame, nominal: int | None) -> pd.DataFrame:
    """Where each curve is best: highest accuracy, lowest loss (the shallowest of equals), beside the nominal depth."""
    rows = []
    for metric, larger in LARGER_IS_BETTER.items():
        for key, own in of(curves, metric=metric).dropna(subset="mean").groupby(LINE, sort=True):
            best = own.loc[own["mean"].idxmax() if larger else own["mean"].idxmin()]
            rows.append((*key, metric, int(best["depth"]), best["mean"], best["ci_low"], best["ci_high"], nominal))
    return pd.DataFrame(rows, columns=PEAK).astype({"nominal_depth": "Int64"})


def nominal_depth(config: Config) -> int | None:
    """Layers that the pretrained model was made with, where that can be known without loading it."""
    if config.model == "small":
        return config.pretrain_depth
    name = config.model.rstrip("/").rsplit("/", 1)[-1]
    known = {"albert-base": 12, "albert-large": 24, "albert-xlarge": 24, "albert-xxlarge": 12}
    return next((layers for start, layers in known.items() if name.startswith(f"{start}-v")), None)


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep, whatever part of it is done."""
    scores, nominal = results.table("scores"), nominal_depth(config)
    curves, pretraining = depth_curves(scores), results.table("pretraining")
    # Guesses are the same for all encoders: they depend on the masks of each data seed alone.
    guesses = results.table("baselines")[["corpus", "data_seed", "metric", "value"]].drop_duplicates(ignore_index=True)
    sums = {"readouts": "n_heads", **{name: name for name in ("encoder_seconds", "head_seconds", "layer_passes")}}
    costs = with_style(results.table("costs"))
    tables = {
        "peaks": peaks(curves, nominal),
        "baselines": guesses,
        "nonfinite": results.table("nonfinite"),
        "costs": costs_by_line(costs, ["encoder", "init_style"], sums, {"blocks_without_mask": "n_empty"}),
        "pretraining": pretraining[~pretraining["metric"].isin(["loss", "learning_rate"])],
        "depth_curves": curves,
    }
    drawn = {"mlm_by_depth": depth_figure(curves, guesses, nominal)} if len(curves) else {}
    return summary(tables, drawn, CAPTIONS, notes(scores, tables))


def notes(scores: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> list[str]:
    """Where each readout is best, what guessing gives, how many scores are NaN, and what it cost."""
    told = [
        f"{row.encoder} encoder{f' ({row.init_style})' if row.init_style else ''}, {row.readout.replace('_', '-')} "
        f"readout: highest accuracy {row.value:.3f} ({interval(row.ci_low, row.ci_high)}), at depth {row.best_depth}."
        for row in of(tables["peaks"], metric="accuracy").itertuples()
    ]
    guess = of(tables["baselines"], metric="guess_accuracy")["value"]
    if len(guess):
        told.append(f"Always predicting the most frequent token is right for {guess.mean():.3f} of the masked tokens.")
    if len(tables["pretraining"]):
        values = tables["pretraining"].groupby("metric")["value"].mean()
        told.append(
            f"At the end of its pretraining the small ALBERT has test accuracy {values['test_accuracy']:.3f}; chance "
            f"level {values['guess_accuracy']:.3f}."
        )
    nan = int(scores["value"].isna().sum())
    told.append(f"{nan} of {len(scores)} scores are NaN" + (" (see nonfinite)." if nan else "."))
    cost = tables["costs"]
    if len(cost):
        seconds = cost["encoder_seconds"].sum() + cost["head_seconds"].sum()
        told.append(f"{cost['layer_passes'].sum():,} layer passes in {seconds:,.0f} seconds of work.")
    return told


def depth_figure(curves: pd.DataFrame, guesses: pd.DataFrame, nominal: int | None) -> Figure:
    """Two panels, accuracy and perplexity (log axis) against depth: a line an encoder and readout, band = interval.

    The axes leave room for the means; the interval of two or three runs may go beyond them.

    Args:
        curves: as `depth_curves` makes them.
        guesses: rows of metric and value, drawn as level lines.
        nominal: the depth that the pretrained model was made with, drawn upright; None: not known.
    """
    curves = curves.rename(columns={"ci_low": "low", "ci_high": "high"})
    figure, axes = panels(1, len(PANELS), width=4.8, height=3.9)
    for axis, (metric, (label, guess, name, dash)) in zip(axes.flat, PANELS.items(), strict=True):
        own = of(curves, metric=metric)
        for (encoder, style, readout), line in own.groupby(["encoder", "init_style", "readout"], sort=True):
            who = encoder if style in ("", "hf_default") else f"{encoder} ({style})"
            shown = f"{who}, {readout.replace('_', '-')} readout"
            curve(axis, line, "depth", INIT_STYLES[style], label=shown, **STYLES[readout])
        level = of(guesses, metric=guess)["value"]
        if len(level):
            axis.axhline(float(level.mean()), color=GREY, linewidth=1.0, linestyle=dash, label=f"guessing: {name}")
        if nominal is not None and nominal <= curves["depth"].max():
            axis.axvline(nominal, color=GREY, linewidth=0.9, linestyle="-.", label="nominal depth")
        _limits(axis, own["mean"], metric)
        axis.set_xlabel("layers")
        axis.set_ylabel(label)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(figure, {label: h for axis in axes.flat for h, label in zip(*axis.get_legend_handles_labels(), strict=True)})
    return figure


def _limits(axis: Axes, means: pd.Series, metric: str) -> None:
    """Leave room for the means alone."""
    means = means[np.isfinite(means)]
    if not len(means):
        say_empty(axis, "all values are NaN")
        return
    if metric == "accuracy":
        axis.set_ylim(0, None if means.max() <= 0 else 1.15 * means.max())
        return
    axis.set_yscale("log")
    # Zero-shot readouts far from the nominal depth go up to e^20; beyond a thousand times the best nothing is read off.
    axis.set_ylim(means.min() / 1.3, min(1.3 * means.max(), 1e3 * means.min()))
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.yaxis.set_minor_formatter(NullFormatter())
