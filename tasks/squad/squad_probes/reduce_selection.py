"""Which configuration a probe should have had, chosen on one half of the dev articles and scored on the other.

So no configuration is chosen on the questions that it is scored on. The two halves are scored in turn and their scores
weighted by their numbers of questions of the kind.
"""

import numpy as np
import pandas as pd

from tasks.squad.squad_probes.reduce_rows import GIVEN, INTERVAL, LINE, PROBE, over_runs

HALVES = ("first_half", "second_half")
METRICS = ("exact", "f1", "has_f1", "no_exact", "cross_f1", "forced_has_f1", "null_average_precision")
ASKED = {"has_f1": "answerable", "forced_has_f1": "answerable", "no_exact": "unanswerable"}
"""The questions that a metric is of; of the others all."""
GROUP = [*LINE, "encoder_seed", "decoder", "level"]
"""What a configuration is chosen for: the probe of one level of one encoder, for one decoder."""
CHOICE = [*GROUP, "chosen_on", *PROBE, "f1_there", "f1_elsewhere"]
SELECTED = [*LINE, "decoder", "level", "metric"]


def choices(scores: pd.DataFrame) -> pd.DataFrame:
    """For each encoder, level, decoder and half the configuration with the best mean F1 over seeds there.

    Of equals the first in order of solver, learning rate, L2 and epoch is taken. A configuration that lacks a half is
    no candidate. f1_there is what it was chosen by (optimistic), f1_elsewhere its F1 on the other half.
    """
    halves = scores[scores["part"].isin(HALVES) & (scores["metric"] == "f1")]
    means = halves.groupby([*GROUP, *PROBE, "part"], sort=True)["value"].mean(skipna=False).reset_index()
    means = means.pivot_table(index=[*GROUP, *PROBE], columns="part", values="value", aggfunc="first", sort=True)
    means = means.reindex(columns=list(HALVES)).dropna().reset_index()
    found = []
    for here, elsewhere in (HALVES, HALVES[::-1]):
        best = means.loc[means.groupby(GROUP, sort=True)[here].idxmax()] if len(means) else means
        best = best.assign(chosen_on=here).rename(columns={here: "f1_there", elsewhere: "f1_elsewhere"})
        found.append(best[CHOICE])
    return pd.concat(found, ignore_index=True).sort_values([*GROUP, "chosen_on"], ignore_index=True)


def selected_runs(scores: pd.DataFrame, chosen: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """The scores of the chosen configurations: GROUP, seed, metric, value.

    Seeds are those of the chosen probes; one that was solved to convergence has none and stands beside each seed of
    the other half's. The seed is GIVEN where neither half's choice has any.

    Args:
        scores: prepared score rows.
        chosen: as `choices` makes them.
        counts: as `reduce_rows.counts` makes them, with both halves.
    """
    if not len(chosen) or not set(HALVES) <= set(counts.index):
        return pd.DataFrame(columns=[*GROUP, "seed", "metric", "value"])
    rows = scores[scores["part"].isin(HALVES) & scores["metric"].isin(METRICS)]
    # What was chosen on one half is scored on the other.
    choice = chosen.assign(part=chosen["chosen_on"].map(dict(zip(HALVES, HALVES[::-1], strict=True))))
    rows = rows.merge(choice[[*GROUP, *PROBE, "part"]], on=[*GROUP, *PROBE, "part"])
    keep = [*GROUP, "metric", "seed", "value"]
    first, second = (rows.loc[rows["part"] == half, keep] for half in HALVES)
    both = broadcast(first, second, [*GROUP, "metric"], ("_first", "_second"))
    kinds = both["metric"].map(lambda name: ASKED.get(name, "questions"))
    sizes = counts.assign(unanswerable=counts["questions"] - counts["answerable"])
    total, weight = np.zeros(len(both)), np.zeros(len(both))
    for half, column in zip(HALVES, ("value_first", "value_second"), strict=True):
        n = kinds.map(sizes.loc[half]).to_numpy(dtype=float)
        # A half without questions of the kind has no score (NaN) and no weight.
        total += np.where(n > 0, n * both[column].to_numpy(dtype=float), 0.0)
        weight += n
    both["value"] = np.divide(total, weight, out=np.full(len(both), np.nan), where=weight > 0)
    return both[[*GROUP, "seed", "metric", "value"]]


def broadcast(left: pd.DataFrame, right: pd.DataFrame, keys: list[str], suffixes: tuple[str, str]) -> pd.DataFrame:
    """Rows of both with equal keys and seed; a row whose seed is GIVEN goes with every seed of the other table.

    Columns that both have get the suffixes; `seed` is the common one.
    """
    both = left.merge(right, on=keys, suffixes=suffixes)
    a, b = both[f"seed{suffixes[0]}"], both[f"seed{suffixes[1]}"]
    both = both.assign(seed=np.maximum(a, b))[(a == b) | (a == GIVEN) | (b == GIVEN)]
    return both.drop(columns=[f"seed{suffix}" for suffix in suffixes]).reset_index(drop=True)


def selected(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean and interval over runs of the chosen configurations' scores."""
    if not len(runs):
        return pd.DataFrame(columns=[*SELECTED, *INTERVAL])
    return over_runs(runs, SELECTED)
