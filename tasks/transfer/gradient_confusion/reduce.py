"""From the rows of `gradient_confusion` to tables, figures and sentences, whatever part of the sweep is done."""

import pandas as pd

from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import of
from tasks.analysis.runs import costs_by_line
from tasks.analysis.summary import not_finite
from tasks.data.examples import task_info
from tasks.transfer.diagnostics.reporting import LINE, SEEDS, named, over_seeds, pretrained_vs_random, report
from tasks.transfer.gradient_confusion import figures
from tasks.transfer.gradient_confusion.config import Config

_PAIRS = "Pairs within a seed share gradients and are no sample, so they do not enter the interval."
CAPTIONS = {
    "similarity_over_seeds": (
        f"Minimum, median, mean and share of negative ones of the cosines over all pairs. {SEEDS} {_PAIRS} "
        "within_error: mean of the standard errors within a seed (jackknife over gradients), where there is one."
    ),
    "gradients": f"Loss of the batches (nats; squared scores for a regression) and norm of their gradients. {SEEDS}",
}
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
    drawn = figures.draw(of(pairs, metric="cosine"))
    return report(results, config, tables, drawn, CAPTIONS | figures.CAPTIONS, notes(tables, pairs))


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
