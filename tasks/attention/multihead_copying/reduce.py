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
from tasks.attention.copying.outcomes import LEARNED, OUTCOME_COLUMNS, fisher_p, learned_text, outcomes, shares
from tasks.attention.multihead_copying import figures
from tasks.attention.multihead_copying.config import Config
from tasks.attention.multihead_copying.figures import KINDS, VERDICTS

RUN = ("combined", "combination")
_DEPENDENT = (
    "Combinations share a base, data and heads, so they are not independent and the intervals are too narrow for other "
    "bases or heads."
)
CAPTIONS = {
    "head_verdicts": (
        "Candidates that are good or bad with every data seed, or neither, with Wilson's 95 % interval over heads."
    ),
    "alone": "Trainings of a head alone by data seed and outcome; decided: the step of the evaluation that decided.",
    "shares": (
        f"Combinations that learned, share with Wilson's 95 % interval over combinations. {KINDS} {_DEPENDENT} "
        "reached: first, median and last of the steps at which they did. accuracy: mean at the last evaluation with "
        "Student's 95 % interval. unlearned: accuracies and highest attention accuracy of the others."
    ),
    "shares_by_step": f"Combinations that have learned up to each step. {KINDS} {_DEPENDENT}",
    "combination_outcomes": (
        "Each combination: its outcome, the first step at which it reached the accuracy, numbers at the last "
        "evaluation, its heads in order; best_place and best_head: the head that points at the right position most "
        f"often, with its attention accuracy (the end symbol left out). {KINDS}"
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
    columns = ["heads", "best_place", "best_head"]
    if not len(curves) or not len(attention):
        return pd.DataFrame(columns=[*RUN, *OUTCOME_COLUMNS, *columns])
    key = [*RUN, "step"]
    best = attention.groupby(key, as_index=False)["attention_accuracy"].max()
    table = outcomes(curves.merge(best, on=key, how="left"), RUN, learned_from)
    last = attention[attention["step"] == attention.groupby(list(RUN))["step"].transform("max")]
    last = last.sort_values([*RUN, "place"])
    told = []
    for run, group in last.groupby(list(RUN)):
        top = group.loc[group["attention_accuracy"].idxmax()]
        told.append((*run, " ".join(str(head) for head in group["head"]), int(top["place"]), int(top["head"])))
    return table.merge(pd.DataFrame(told, columns=[*RUN, *columns]), on=list(RUN), how="left")


def shares_by_kind(found: pd.DataFrame) -> pd.DataFrame:
    """`shares` of each kind, and the mean accuracy at the last evaluation with Student's interval."""
    if not len(found):
        return pd.DataFrame()
    ends = ["mean", "low", "high"]
    means = over_runs(found, ["combined"], value="accuracy")[["combined", *ends]]
    named = means.rename(columns={end: f"accuracy_{end}" for end in ends})
    return shares(found, ["combined"]).merge(named, on="combined")


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
    heads = results.table("heads")
    told = [_heads(tables["head_verdicts"], heads, config)] if len(heads) else []
    by_kind = {row.combined: row for row in tables["shares"].itertuples()}
    told += [_kind(by_kind[kind], config) for kind in config.combined if kind in by_kind]
    told += _answers(by_kind, tables["combination_outcomes"], config)
    told += _supply(results.table("head_blocks"), results.table("combination_blocks"), config)
    planned = len(config.combined) * config.combinations
    told += missing(len(tables["combination_outcomes"]), planned, "combinations")
    if len(tables["costs"]):
        told.append(f"{tables['costs']['seconds'].sum():,.0f} seconds of training.")
    return told


def _heads(verdicts: pd.DataFrame, heads: pd.DataFrame, config: Config) -> str:
    counts = dict(zip(verdicts["verdict"], verdicts["heads"], strict=True))
    trainings = heads["outcome"].value_counts()
    return (
        f"Of {heads['head'].nunique()} heads tried alone with {heads['data_seed'].nunique()} data seeds each "
        f"{counts['good']} are good (above {config.good_above:g} with every seed), {counts['bad']} bad (below "
        f"{config.bad_below:g} at the last evaluation) and {counts['neither']} neither; of {len(heads)} trainings "
        f"{trainings.get('good', 0)} were good, {trainings.get('bad', 0)} bad and {trainings.get('undecided', 0)} "
        "undecided."
    )


def _kind(row: Any, config: Config) -> str:
    heads = {
        "bad": f"{config.size} heads that each fail alone",
        "good": f"{config.size} heads, of which one succeeds alone and the others fail",
        "random": f"{config.size} heads drawn at random",
    }
    text = (
        f"Combinations of {heads[row.combined]}: {learned_text(row, config.learned_from)}; mean accuracy at the last "
    )
    text += f"evaluation {row.accuracy_mean:.3f}."
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
            f"p = {fisher_p(bad, good):.2g}); their mean accuracy at the last evaluation is {good.accuracy_mean:.3f} "
            f"against {bad.accuracy_mean:.3f}."
        )
        own = of(found, combined="good")
        itself = int((own["best_place"] == config.size - 1).sum())
        told.append(
            f"In {itself} of {len(own)} combinations with a good head it is that head which points at the right "
            "position most often at the last evaluation."
        )
    return told


def _supply(blocks: pd.DataFrame, stock: pd.DataFrame, config: Config) -> list[str]:
    """Blocks of candidates that were not needed, and kinds for which too few heads were found."""
    told = []
    if idle := int((~blocks["needed"].astype(bool)).sum()):
        told.append(
            f"{idle} of {len(blocks)} blocks of candidates were not needed: those before held {config.wanted} good and "
            f"{config.wanted} bad heads."
        )
    for kind, group in stock.groupby("combined"):
        good, bad = int(group["good_found"].min()), int(group["bad_found"].min())
        if not group["enough"].all():
            needed = f"{config.size} bad" if kind == "bad" else f"{config.size - 1} bad and 1 good"
            told.append(
                f"No combinations of kind {kind}: {needed} heads are needed, {bad} bad and {good} good were found "
                f"among {config.candidates} candidates; give more --candidates."
            )
        elif kind != "random" and (bad < config.wanted or (kind == "good" and good < config.wanted)):
            told.append(
                f"Combinations of kind {kind} draw from {bad} bad and {good} good heads, fewer than the "
                f"{config.wanted} wanted of each; more --candidates give more."
            )
    return told
