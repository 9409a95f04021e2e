"""From the rows of `multihead_copying` to tables, figures and sentences, whatever part of the sweep is done."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from metrics.intervals import share_interval
from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import of
from tasks.analysis.runs import over_runs
from tasks.analysis.summary import missing, summary
from tasks.attention.copying.outcomes import LEARNED, OUTCOME_COLUMNS, SHARES, fisher_p, learned_text, outcomes, shares
from tasks.attention.multihead_copying import figures
from tasks.attention.multihead_copying.config import Config
from tasks.attention.multihead_copying.figures import DEPENDENT, KINDS, LEGEND, VERDICTS

RUN = ("combined", "combination")
CAPTIONS = {
    "head_verdicts": "Candidates by what all data seeds say of them, shares with Wilson's 95 % interval over heads.",
    "alone": "Trainings of a head alone by data seed and outcome; decided: the step of the evaluation that decided.",
    "shares": (
        f"Combinations that learned, share with Wilson's 95 % interval over combinations. {LEGEND} {DEPENDENT} "
        f"{SHARES} accuracy: mean at the last evaluation with Student's 95 % interval."
    ),
    "shares_by_step": "Combinations that have learned up to each step; kinds and intervals as in shares.",
    "combination_outcomes": (
        "Each combination: its outcome, the first step at which it reached the accuracy, numbers at the last "
        "evaluation, its heads in order; best_place and best_head: the head that points at the right position most "
        f"often, with its attention accuracy (the end symbol left out). {LEGEND}"
    ),
    "costs": "Jobs of each stage, how many of them had anything to train, and their seconds.",
}


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences of a sweep, whatever part of it is done."""
    heads, curves = results.table("heads"), results.table("combinations")
    found = combination_outcomes(curves, results.table("attention"), config.learned_from)
    tables = {
        "shares": shares_by_kind(found),
        "head_verdicts": head_verdicts(heads),
        "alone": alone(heads),
        "combination_outcomes": found,
        "shares_by_step": shares_by_step(curves, found),
        "costs": costs(results),
    }
    return summary(tables, draw(tables, results, config), CAPTIONS | figures.CAPTIONS, notes(tables, results, config))


def draw(tables: Mapping[str, pd.DataFrame], results: Results, config: Config) -> dict[str, Figure]:
    """Combinations, heads alone, and where heads point, as far as there are rows."""
    drawn: dict[str, Figure] = {}
    found, heads = tables["combination_outcomes"], results.table("heads")
    if len(found):
        curves, by_step = results.table("combinations"), tables["shares_by_step"]
        drawn["combinations"] = figures.combinations_figure(curves, found, by_step, config.combined)
        drawn["attention"] = figures.attention_figure(results.table("attention"), config.combined)
    if len(heads):
        drawn["heads"] = figures.heads_figure(results.table("screening"), heads, tables["head_verdicts"])
    return drawn


def head_verdicts(heads: pd.DataFrame) -> pd.DataFrame:
    """How many candidates are good, bad or neither, and their share with Wilson's interval; none without heads."""
    each = heads.drop_duplicates("head")["verdict"]
    counts = {verdict: int((each == verdict).sum()) for verdict in (VERDICTS if len(each) else ())}
    rows = [(verdict, count, *share_interval(count, len(each))) for verdict, count in counts.items()]
    return pd.DataFrame(rows, columns=["verdict", "heads", "share", "low", "high"])


def alone(heads: pd.DataFrame) -> pd.DataFrame:
    """How many trainings of a head alone were good, bad or undecided, by data seed; steps and accuracies of them."""
    return heads.groupby(["data_seed", "outcome"], as_index=False).agg(
        trainings=("head", "count"),
        decided_median=("decided", "median"),
        accuracy_least=("accuracy", "min"),
        accuracy_most=("accuracy", "max"),
    )


def combination_outcomes(curves: pd.DataFrame, attention: pd.DataFrame, learned_from: float) -> pd.DataFrame:
    """A row a combination: its outcome, its heads, and which of them points best at the last evaluation.

    best_place, best_head: the first head with the greatest attention accuracy; `attention_accuracy` is its.
    """
    if not len(curves) or not len(attention):
        return pd.DataFrame(columns=[*RUN, *OUTCOME_COLUMNS, "heads", "best_place", "best_head"])
    run, key = list(RUN), [*RUN, "step"]
    best = attention.groupby(key, as_index=False)["attention_accuracy"].max()
    table = outcomes(curves.merge(best, on=key, how="left"), RUN, learned_from)
    last = attention[attention["step"] == attention.groupby(run)["step"].transform("max")]
    last = last.sort_values([*RUN, "place"], ignore_index=True)
    heads = last.astype({"head": str}).groupby(run)["head"].agg(" ".join).rename("heads").reset_index()
    top = last.loc[last.groupby(run)["attention_accuracy"].idxmax(), [*RUN, "place", "head"]]
    top = top.rename(columns={"place": "best_place", "head": "best_head"})
    return table.merge(heads, on=run, how="left").merge(top, on=run, how="left")


def shares_by_kind(found: pd.DataFrame) -> pd.DataFrame:
    """`shares` of each kind, and the mean accuracy at the last evaluation with Student's interval."""
    if not len(found):
        return pd.DataFrame()
    means = over_runs(found, ["combined"], value="accuracy").set_index("combined")[["mean", "low", "high"]]
    return shares(found, ["combined"]).join(means.add_prefix("accuracy_"), on="combined")


def shares_by_step(curves: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """For each kind and step, the share of combinations that have learned up to it, with Wilson's interval."""
    rows = []
    for combined, group in found.groupby("combined"):
        reached = group.loc[group["outcome"] == LEARNED, "reached"]
        for step in sorted(of(curves, combined=combined)["step"].unique()):
            learned = int((reached <= step).sum())
            rows.append((combined, int(step), len(group), learned, *share_interval(learned, len(group))))
    return pd.DataFrame(rows, columns=["combined", "step", "runs", "learned", "share", "low", "high"])


def costs(results: Results) -> pd.DataFrame:
    """Jobs of each stage, how many of them trained something, and their seconds."""
    rows = []
    for stage, name, flag, seconds in (
        ("screen_heads", "head_blocks", "needed", "screen_seconds"),
        ("combine_heads", "combination_blocks", "enough", "combine_seconds"),
    ):
        if len(table := results.table(name)):
            rows.append((stage, len(table), int(table[flag].sum()), float(table[seconds].sum())))
    return pd.DataFrame(rows, columns=["stage", "jobs", "trained", "seconds"])


def notes(tables: Mapping[str, pd.DataFrame], results: Results, config: Config) -> list[str]:
    """What came out, from how many heads, what is missing."""
    told = _heads(tables["head_verdicts"], config)
    by_kind = {row.combined: row for row in tables["shares"].itertuples()}
    told += [_kind(by_kind[kind], config) for kind in config.combined if kind in by_kind]
    told += _answers(by_kind, tables["combination_outcomes"], config)
    told += _supply(results.table("combination_blocks"), config)
    planned = len(config.combined) * config.combinations
    return told + missing(len(tables["combination_outcomes"]), planned, "combinations")


def _heads(verdicts: pd.DataFrame, config: Config) -> list[str]:
    if not len(verdicts):
        return []
    counts = verdicts.set_index("verdict")["heads"]
    return [
        f"Of {counts.sum()} heads tried alone {counts['good']} are good (above {config.good_above:g} with each of "
        f"{len(config.data_seeds)} data seeds), {counts['bad']} bad (below {config.bad_below:g} at the last evaluation "
        f"with each) and {counts['neither']} neither."
    ]


def _kind(row: Any, config: Config) -> str:
    text = f"Combinations of {config.size} heads, {row.combined} ({KINDS[row.combined]}): "
    text += f"{learned_text(row, config.learned_from)}; mean accuracy at the last evaluation {row.accuracy_mean:.3f}."
    if row.attends:
        text += f" Of the others {row.attends} have a head that points at the right position by then."
    return text


def _answers(by_kind: Mapping[str, Any], found: pd.DataFrame, config: Config) -> list[str]:
    if (bad := by_kind.get("bad")) is None:
        return []
    how = "all" if bad.learned == bad.runs else "some" if bad.learned else "none"
    told = [f"Do heads that fail alone learn together? {bad.learned} of {bad.runs} combinations did: {how} of them."]
    if (good := by_kind.get("good")) is not None:
        difference = good.share - bad.share
        way = "more often" if difference > 0 else "less often" if difference < 0 else "as often"
        told.append(
            f"Does a good one help? With it combinations learned {way}: {good.learned} of {good.runs} against "
            f"{bad.learned} of {bad.runs} (Fisher's exact test, two-sided, as if combinations were independent: "
            f"p = {fisher_p(bad, good):.2g})."
        )
        own = of(found, combined="good")
        itself = int((own["best_place"] == config.size - 1).sum())
        told.append(
            f"In {itself} of {len(own)} combinations with a good head it is that head which points at the right "
            "position most often at the last evaluation."
        )
    return told


def _supply(stock: pd.DataFrame, config: Config) -> list[str]:
    """Kinds for which fewer heads than wanted were found."""
    told = []
    for kind, group in stock[stock["combined"] != "random"].groupby("combined"):
        good, bad = int(group["good_found"].min()), int(group["bad_found"].min())
        enough = bool(group["enough"].all())
        if not enough or bad < config.wanted or (kind == "good" and good < config.wanted):
            told.append(
                f"{'Combinations' if enough else 'No combinations'} of kind {kind}: {bad} bad and {good} good heads of "
                f"{config.wanted} wanted of each were found; give more --candidates."
            )
    return told
