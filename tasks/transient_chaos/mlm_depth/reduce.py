"""From scores to curves: mean and interval over runs, peaks, the distance to guessing, counts of NaN."""

import numpy as np
import pandas as pd

from metrics.intervals import mean_interval
from orchestrator.experiment import Results, Summary
from tasks.transient_chaos.mlm_depth.config import Config
from tasks.transient_chaos.mlm_depth.figures import depth_figure

LINE = ["encoder", "init_style", "readout"]
"""The columns that tell one curve from another; init_style is empty for the pretrained encoder."""
RUN = ["encoder_seed", "data_seed"]
"""The columns that tell one encoder at work from another; on each there are the readouts of all seeds."""
LARGER_IS_BETTER = {"accuracy": True, "loss": False}


def run_values(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a curve, metric, depth and independent run.

    Runs are the encoders at work (encoder seed and data seed), each with the mean over its readouts' seeds; where there
    is one of these alone, the seeds of its readouts are the runs. A value that is NaN makes its run's value NaN.
    """
    scores = scores.assign(
        init_style=scores["init_style"].fillna(""), encoder_seed=scores["encoder_seed"].fillna(-1).astype(int)
    )
    rows = []
    for key, group in scores.groupby([*LINE, "metric", "depth"], sort=True):
        by = RUN if group[RUN].drop_duplicates().shape[0] > 1 else ["seed"]
        values = group.groupby(by)["value"].agg(lambda v: v.mean(skipna=False)).tolist()
        rows += [(*key, run, value) for run, value in enumerate(values)]
    return pd.DataFrame(rows, columns=[*LINE, "metric", "depth", "run", "value"])


def depth_curves(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a curve, metric and depth: mean, 95 % interval (Student) over runs, counts of runs and of NaN."""
    rows = []
    for key, group in run_values(scores).groupby([*LINE, "metric", "depth"], sort=True):
        mean, low, high = mean_interval(group["value"].tolist())
        rows.append((*key, mean, low, high, len(group), int(group["value"].isna().sum())))
    return pd.DataFrame(rows, columns=[*LINE, "metric", "depth", "mean", "ci_low", "ci_high", "runs", "nan"])


def peaks(curves: pd.DataFrame, nominal: int | None) -> pd.DataFrame:
    """Where each curve is best: highest accuracy, lowest loss (the shallowest of equals), beside the nominal depth."""
    rows = []
    for metric, larger in LARGER_IS_BETTER.items():
        for key, curve in curves[curves["metric"] == metric].groupby(LINE, sort=True):
            curve = curve.dropna(subset="mean")
            if not len(curve):
                continue
            best = curve.loc[curve["mean"].idxmax() if larger else curve["mean"].idxmin()]
            rows.append((*key, metric, int(best["depth"]), best["mean"], best["ci_low"], best["ci_high"], nominal))
    columns = [*LINE, "metric", "best_depth", "value", "ci_low", "ci_high", "nominal_depth"]
    return pd.DataFrame(rows, columns=columns).astype({"nominal_depth": "Int64"})


def baselines(table: pd.DataFrame) -> pd.DataFrame:
    """What guessing gives on the masks of each data seed; the same for all encoders."""
    return table[["corpus", "data_seed", "metric", "value"]].drop_duplicates(ignore_index=True)


def nominal_depth(config: Config) -> int | None:
    """Layers that the pretrained model was made with, where that can be known without loading it."""
    if config.model == "small":
        return config.pretrain_depth
    name = config.model.rstrip("/").rsplit("/", 1)[-1]
    known = {"albert-base": 12, "albert-large": 24, "albert-xlarge": 24, "albert-xxlarge": 12}
    return next((layers for start, layers in known.items() if name.startswith(f"{start}-v")), None)


def costs_by_line(costs: pd.DataFrame) -> pd.DataFrame:
    """Jobs, readouts, seconds and layer passes of each kind of encoder."""
    return (
        costs.assign(init_style=costs["init_style"].fillna(""))
        .groupby(["encoder", "init_style"], as_index=False)
        .agg(
            jobs=("job_id", "nunique"),
            readouts=("n_heads", "sum"),
            encoder_seconds=("encoder_seconds", "sum"),
            head_seconds=("head_seconds", "sum"),
            layer_passes=("layer_passes", "sum"),
            blocks_without_mask=("n_empty", "max"),
        )
    )


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep, whatever part of it is done."""
    scores, nominal = results.table("scores"), nominal_depth(config)
    curves, guess = depth_curves(scores), baselines(results.table("baselines"))
    pretraining = results.table("pretraining")
    tables = {
        "peaks": peaks(curves, nominal),
        "baselines": guess,
        "nonfinite": results.table("nonfinite"),
        "costs": costs_by_line(results.table("costs")),
        "pretraining": pretraining[~pretraining["metric"].isin(["loss", "learning_rate"])],
        "depth_curves": curves,
    }
    captions = {
        "mlm_by_depth": "Masked tokens of the test part: share named rightly, and perplexity (exp of the mean cross "
        "entropy in nats), against the number of layers. Mean over runs, band = 95 % interval for the mean.",
        "peaks": "Where each mean curve is best. ",
        "baselines": "Without looking at the context: always the most frequent token, and the tokens' frequencies.",
        "nonfinite": "States that were NaN or infinite; the scores from that depth on are NaN.",
        "costs": "Seconds, and layer applications to one block as counted while running.",
        "pretraining": "The small ALBERT on the test part, at the end of its pretraining.",
        "depth_curves": "Mean over runs, 95 % interval (Student), number of runs and of NaN.",
    }
    figures = {}
    if len(curves):
        figures["mlm_by_depth"] = depth_figure(curves, guess, nominal)
    return Summary(tables=tables, figures=figures, captions=captions, notes=_notes(scores, tables))


def _notes(scores: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> list[str]:
    notes = []
    for row in tables["peaks"].itertuples():
        if row.metric == "accuracy":
            style = f" ({row.init_style})" if row.init_style else ""
            notes.append(
                f"{row.encoder} encoder{style}, readout {row.readout}: accuracy is highest at depth {row.best_depth} "
                f"({row.value:.3f}, 95 % interval {row.ci_low:.3f} to {row.ci_high:.3f})."
            )
    guess = tables["baselines"].query("metric == 'guess_accuracy'")["value"]
    if len(guess):
        notes.append(f"Always naming the most frequent token is right for {guess.mean():.3f} of the masked tokens.")
    if len(tables["pretraining"]):
        values = tables["pretraining"].groupby("metric")["value"].mean()
        notes.append(
            f"The small ALBERT names {values['test_accuracy']:.3f} of the masked test tokens at the end of its "
            f"pretraining; guessing, {values['guess_accuracy']:.3f}."
        )
    nan = int(scores["value"].isna().sum())
    notes.append(f"{nan} of {len(scores)} scores are NaN" + (" (see nonfinite)." if nan else "."))
    if len(tables["costs"]):
        cost = tables["costs"]
        seconds = np.sum(cost["encoder_seconds"] + cost["head_seconds"])
        notes.append(f"{cost['layer_passes'].sum():,} layer passes in {seconds:,.0f} seconds of work.")
    return notes
