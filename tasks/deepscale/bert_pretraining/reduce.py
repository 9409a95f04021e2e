"""From the rows of `bert_pretraining` to its tables, figures and sentences."""

import numpy as np
import pandas as pd

from metrics.intervals import mean_interval
from orchestrator.experiment import Results, Summary
from tasks.deepscale.bert_pretraining.captions import CAPTIONS
from tasks.deepscale.bert_pretraining.config import Config
from tasks.deepscale.bert_pretraining.figures import loss_figure, optimisation_figure
from tasks.deepscale.bert_pretraining.notes import notes

RUN = ["norm", "scheme", "layers", "width", "seed"]
VARIANT = ["norm", "scheme", "layers", "width"]
CURVES = ("mlm_loss", "gradient_norm", "learning_rate")


def variants(outcomes: pd.DataFrame) -> pd.DataFrame:
    """One row a variant: what became of its runs; means over the finite ones, with 95 % interval."""
    rows = []
    for key, group in outcomes.groupby(VARIANT, sort=True):
        counts = group["status"].value_counts()
        finite = group[group["status"] != "diverged"]
        mean, low, high = mean_interval(finite["test_mlm_loss"].tolist())
        rows.append(
            {
                **dict(zip(VARIANT, key, strict=True)),
                "runs": len(group),
                **{name: int(counts.get(name, 0)) for name in ("trained", "not_training", "diverged")},
                "first_diverged_step": group.loc[group["status"] == "diverged", "step"].min(),
                "test_mlm_loss": mean,
                "ci_low": low,
                "ci_high": high,
                "test_perplexity": np.exp(mean),
                "test_mlm_accuracy": finite["test_mlm_accuracy"].mean(),
                "test_order_accuracy": finite["test_order_accuracy"].mean(),
                "unigram_loss": finite["unigram_loss"].mean(),
                "n_parameters": group["n_parameters"].iloc[0],
            }
        )
    columns = [
        *(*VARIANT, "runs", "trained", "not_training", "diverged", "first_diverged_step"),
        *("test_mlm_loss", "ci_low", "ci_high", "test_perplexity", "test_mlm_accuracy", "test_order_accuracy"),
        *("unigram_loss", "n_parameters"),
    ]
    return pd.DataFrame(rows, columns=columns).astype({"first_diverged_step": "Int64"})


def throughput(training: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """One row a run: medians over its points of tokens a second and utilisation; padding, highest gradient norm."""
    wide = training.pivot_table(index=[*RUN, "step"], columns="metric", values="value", dropna=False)
    rows = []
    names = ("tokens_per_second", "flops_utilisation", "gradient_norm")
    known = {name: wide[name] if name in wide else pd.Series(np.nan, index=wide.index) for name in names}
    for run in outcomes.sort_values(RUN).itertuples():
        key = tuple(getattr(run, name) for name in RUN)
        own = {name: values.loc[key] if key in values.index else values.iloc[:0] for name, values in known.items()}
        rows.append(
            {
                **dict(zip(RUN, key, strict=True)),
                "tokens_per_second": own["tokens_per_second"].median(),
                "flops_utilisation": own["flops_utilisation"].median(),
                "padding": run.padding,
                "n_tokens": run.n_tokens,
                "highest_gradient_norm": own["gradient_norm"].replace(np.inf, np.nan).max(),
            }
        )
    return pd.DataFrame(rows, columns=[*RUN, *names[:2], "padding", "n_tokens", "highest_gradient_norm"])


def curves(training: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Points of the drawn metrics with `diverged_at`, the step at which the run diverged (NA where it did not)."""
    points = training[training["metric"].isin(CURVES)][[*RUN, "metric", "step", "value"]]
    ends = outcomes.loc[outcomes["status"] == "diverged", [*RUN, "step"]].rename(columns={"step": "diverged_at"})
    joined = points.merge(ends, on=RUN, how="left").astype({"diverged_at": "Int64"})
    return joined.sort_values([*RUN, "metric", "step"], ignore_index=True)


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep, whatever part of it is done."""
    training, outcomes = results.table("training"), results.table("outcomes")
    points = curves(training, outcomes)
    tables = {
        "variants": variants(outcomes),
        "outcomes": outcomes[[*RUN, "status", "step", "mlm_loss", "test_mlm_loss", "test_mlm_accuracy"]],
        "throughput": throughput(training, outcomes),
        "curves": points,
    }
    figures = {}
    if len(points):
        unigram = outcomes["unigram_entropy"].mean()
        figures["loss_curves"] = loss_figure(points, float(unigram))
        figures["optimisation"] = optimisation_figure(points)
    return Summary(tables=tables, figures=figures, captions=CAPTIONS, notes=notes(training, outcomes, tables, config))
