"""Tables and sentences of `bert_pretraining`: which runs diverged, which train, how fast."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from orchestrator.experiment import Results, Summary
from tasks.analysis.runs import over_runs
from tasks.analysis.summary import missing, not_finite, summary
from tasks.deepscale.bert_pretraining import figures
from tasks.deepscale.bert_pretraining.config import Config
from tasks.deepscale.deep_bert.stages import MARGIN

VARIANT = ["norm", "scheme", "layers", "width"]
RUN = [*VARIANT, "seed"]
STATUSES = {"trained": "trained", "not_training": "did not get below token frequencies", "diverged": "diverged"}
"""What becomes of a run, and how a sentence says it."""
MEANS = ["test_mlm_accuracy", "test_order_accuracy", "unigram_loss"]
CAPTIONS = {
    "variants": "What became of each variant's runs. diverged: a loss or gradient norm was not finite. not_training: "
    f"a masked token of the test part cost no less than {MARGIN} nats below what token frequencies alone cost. Means "
    "are over the runs that did not diverge; 95 % interval (Student) over seeds, none with one seed.",
    "outcomes": "What became of each run; of one that diverged, the step at which it did and the last finite training "
    "loss (nats a masked token).",
    "throughput": "Medians over each run's points: tokens a second of all workers without padding, and model-FLOPs "
    "utilisation (share of the devices' peak; a CPU's peak is a matrix product timed at the start). Evaluations and "
    "checkpoints are not counted. padding: share of the positions.",
    "curves": "The points of the figures.",
}


def variants(outcomes: pd.DataFrame) -> pd.DataFrame:
    """One row a variant: what became of its runs; means over the finite ones, with 95 % interval."""
    ended = {status: outcomes["status"] == status for status in STATUSES}
    counted = outcomes.assign(**ended, diverged_at=outcomes["step"].where(ended["diverged"]))
    table = over_runs(
        counted,
        VARIANT,
        value="test_mlm_loss",
        count="finite",
        runs_all=("status", "size"),
        **{status: (status, "sum") for status in STATUSES},
        first_diverged_step=("diverged_at", "min"),
        **{name: (name, "mean") for name in MEANS},
        n_parameters=("n_parameters", "first"),
    )
    table["test_perplexity"] = np.exp(table["mean"].astype(float))
    names = {"runs_all": "runs", "mean": "test_mlm_loss", "low": "ci_low", "high": "ci_high"}
    columns = [*VARIANT, "runs", *STATUSES, "first_diverged_step", "test_mlm_loss", "ci_low", "ci_high"]
    table = table.rename(columns=names)[[*columns, "test_perplexity", *MEANS, "n_parameters"]]
    return table.astype({"first_diverged_step": "Int64"})


def throughput(training: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """One row a run: medians over its points of tokens a second and utilisation; padding, highest gradient norm."""
    table = outcomes.sort_values(RUN).set_index(RUN)[["padding", "n_tokens"]]
    finite = training[np.isfinite(training["value"])]
    for name, metric, how in (
        ("tokens_per_second", "tokens_per_second", "median"),
        ("flops_utilisation", "flops_utilisation", "median"),
        ("highest_gradient_norm", "gradient_norm", "max"),
    ):
        table[name] = finite[finite["metric"] == metric].groupby(RUN)["value"].agg(how)
    columns = ["tokens_per_second", "flops_utilisation", "padding", "n_tokens", "highest_gradient_norm"]
    return table.reset_index()[[*RUN, *columns]]


def curves(training: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Points of the drawn metrics with `diverged_at`, the step at which the run diverged (NA where it did not)."""
    points = training[training["metric"].isin(figures.METRICS)][[*RUN, "metric", "step", "value"]]
    ends = outcomes.loc[outcomes["status"] == "diverged", [*RUN, "step"]].rename(columns={"step": "diverged_at"})
    joined = points.merge(ends, on=RUN, how="left").astype({"diverged_at": "Int64"})
    return joined.sort_values([*RUN, "metric", "step"], ignore_index=True)


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep, whatever part of it is done."""
    training, outcomes = results.table("training"), results.table("outcomes")
    tables = {
        "variants": variants(outcomes),
        "outcomes": outcomes[[*RUN, "status", "step", "mlm_loss", "test_mlm_loss", "test_mlm_accuracy"]],
        "throughput": throughput(training, outcomes),
        "curves": curves(training, outcomes),
    }
    drawn = figures.draw(tables["curves"], outcomes["unigram_entropy"].mean())
    notes = [
        *map(_became, tables["variants"].itertuples()),
        *_against_vanilla(tables["variants"]),
        *_speed(tables),
        not_finite(training["value"], "points"),
        *missing(len(outcomes), len(list(config.networks())) * len(config.seeds), "runs"),
    ]
    return summary(tables, drawn, CAPTIONS | figures.CAPTIONS, notes)


def _became(row: Any) -> str:
    became = [f"{getattr(row, status)} {words}" for status, words in STATUSES.items() if getattr(row, status)]
    if row.diverged:
        became[-1] += f" (the first at step {row.first_diverged_step})"
    told = f"{row.norm}-LN {row.scheme}, {row.layers} layers, {row.runs} runs: {', '.join(became)}"
    if row.diverged == row.runs:
        return f"{told}."
    return (
        f"{told}; a masked token of the test part costs {row.test_mlm_loss:.3f} nats ({row.test_mlm_accuracy:.1%} "
        f"named), token frequencies alone {row.unigram_loss:.3f}."
    )


def _against_vanilla(table: pd.DataFrame) -> Iterator[str]:
    """For each depth and norm what the scaled variant gains on the ordinary one."""
    for (norm, layers, _), group in table.groupby(["norm", "layers", "width"], sort=True):
        loss = dict(zip(group["scheme"], group["test_mlm_loss"], strict=True))
        gain = loss.get("vanilla", np.nan) - loss.get("dslm", np.nan)
        if np.isfinite(gain):
            word = "less" if gain > 0 else "more"
            yield f"{norm}-LN, {layers} layers: a masked token costs dslm {abs(gain):.3f} nats {word} than vanilla."


def _speed(tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    fast = tables["throughput"].dropna(subset="tokens_per_second")
    if len(fast):
        low, high = fast["tokens_per_second"].min(), fast["tokens_per_second"].max()
        share = fast["flops_utilisation"].median()
        used = f", a median of {share:.0%} of the devices' peak" if np.isfinite(share) else ""
        yield f"{low:,.0f} to {high:,.0f} tokens a second{used}; {fast['padding'].mean():.1%} was padding."
