"""From the rows of `squad_probes` to tables, figures and sentences, whatever part of the sweep is done."""

from typing import Any

import pandas as pd

from orchestrator.experiment import Results, Summary
from tasks.squad.faults import fault_notes
from tasks.squad.squad_probes.captions import CAPTIONS
from tasks.squad.squad_probes.figures import draw
from tasks.squad.squad_probes.reduce_differences import differences, onsets, paired, published_pairs
from tasks.squad.squad_probes.reduce_notes import notes
from tasks.squad.squad_probes.reduce_published import gaps, published_beside
from tasks.squad.squad_probes.reduce_rows import (
    LINE,
    PROBE,
    always_null,
    configuration,
    counts,
    last_epochs,
    over_runs,
    prepared,
)
from tasks.squad.squad_probes.reduce_selection import choices, selected, selected_runs

LAYER_METRICS = (
    *("exact", "f1", "has_exact", "has_f1", "no_exact", "best_f1", "cross_f1"),
    *("forced_has_exact", "forced_has_f1", "exact_se", "f1_se", "null_average_precision", "loss"),
)
LAYERS = [*LINE, *PROBE, "configuration", "decoder", "level", "metric"]


def summarise(results: Results, config: Any) -> Summary:
    """Tables, figures and sentences; an empty table stays away, and the notes say what is missing."""
    scores = prepared(results.table("scores"))
    scores = scores.assign(configuration=configuration(scores))
    asked = counts(results.table("baselines"))
    whole = scores[(scores["part"] == "all") & scores["metric"].isin(LAYER_METRICS)]
    final = last_epochs(whole)
    layers = over_runs(final, LAYERS)
    chosen = choices(scores)
    runs = selected_runs(scores, chosen, asked)
    chosen_scores = selected(runs)
    pairs = pd.concat([paired(final), paired(runs.assign(configuration="selected"))], ignore_index=True)
    questions = asked["questions"].get("all", float("nan"))
    solutions, weights = prepared(results.table("solutions")), prepared(results.table("weights"))
    tables = {
        "onset": pd.concat([onsets(pairs), onsets(published_pairs(), "published")], ignore_index=True),
        "selected": chosen_scores,
        "choices": chosen,
        "differences": differences(pairs),
        "published_beside": published_beside(layers, questions),
        "gap": gaps(pd.concat([chosen_scores.assign(configuration="selected"), layers], ignore_index=True)),
        "unsolved": unsolved(solutions),
        "growing": growing(weights),
        "costs": costs_by_line(results.table("costs")),
        "layers": layers,
        "by_epoch": by_epoch(whole),
    }
    told = notes(tables, scores, asked, weights, solutions, config) + fault_notes(results.table("data"))
    figures = draw(tables, prepared(results.table("curves")), always_null(asked))
    tables = {name: table for name, table in tables.items() if len(table)}
    captions = {name: text for name, text in CAPTIONS.items() if name in tables or name in figures}
    for name in figures:  # one figure a model: the caption is the kind's
        captions.setdefault(name, CAPTIONS.get(name.partition("-")[0], ""))
    return Summary(tables=tables, figures=figures, captions=captions, notes=told)


def by_epoch(whole: pd.DataFrame) -> pd.DataFrame:
    """F1 and loss of every configuration, all epochs: how far from convergence the probes are."""
    return over_runs(whole[whole["metric"].isin(("f1", "has_f1", "loss"))], LAYERS)


def unsolved(solutions: pd.DataFrame) -> pd.DataFrame:
    """Convex problems that were not solved to the tolerance: a row a line, level, L2 and head."""
    left = solutions[~solutions["converged"].astype(bool)]
    columns = [*LINE, "encoder_seed", "level", "l2", "head", "loss", "objective", "gradient", "iterations"]
    return left[columns].sort_values(columns[:8], ignore_index=True)


def growing(weights: pd.DataFrame) -> pd.DataFrame:
    """By how much the norms of weights trained with Adam grew in the last epoch.

    A row a line, learning rate, level and head: mean over seeds of norm(last epoch)/norm(the one before) - 1, in
    percent, and the largest. A probe that grows has not converged.
    """
    adam = weights[weights["solver"] == "adam"]
    key = [*LINE, "encoder_seed", "learning_rate", "level", "head", "seed"]
    last = last_epochs(adam)
    both = last.merge(adam.assign(epoch=adam["epoch"] + 1), on=[*key, "epoch"], suffixes=("", "_before"))
    both["growth"] = 100 * (both["norm"].astype(float) / both["norm_before"].astype(float) - 1)
    by = [*LINE, "learning_rate", "level", "head"]
    table = both.groupby(by, sort=True)["growth"].agg(growth="mean", largest="max", probes="size")
    return table.reset_index()


def costs_by_line(costs: pd.DataFrame) -> pd.DataFrame:
    """What the jobs of each line cost, added up."""
    costs = prepared(costs)
    return costs.groupby(LINE, as_index=False, sort=True).agg(
        jobs=("job_id", "nunique"),
        encoder_seconds=("encoder_seconds", "sum"),
        probe_seconds=("probe_seconds", "sum"),
        layer_passes=("layer_passes", "sum"),
    )
