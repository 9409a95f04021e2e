"""The sentences at the head of the report: what came out, what has not converged, what is NaN, what is missing."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from tasks.analysis.panels import of
from tasks.encoders.params import SCRATCH
from tasks.squad.published import QUESTIONS, same_name
from tasks.squad.squad_probes.reduce_differences import MARGIN
from tasks.squad.squad_probes.reduce_rows import LINE, always_null

GROWTH = 1.0
"""Percent of growth in the last epoch above which a probe is said to grow still."""
WORDS = {"finetuned": "fine-tuned", "pretrained": "pretrained", "random": "random"}


def line_name(model: str, checkpoint: str, encoder: str, mode: str = "proper") -> str:
    """What a reader calls a line: `bert-base-uncased, fine-tuned (twmkn9/…)`."""
    given = f" ({checkpoint})" if checkpoint else ""
    return f"{model}, {WORDS.get(encoder, encoder)}{given}" + (", legacy mode" if mode == "legacy" else "")


def notes(
    tables: Mapping[str, pd.DataFrame],
    scores: pd.DataFrame,
    counts: pd.DataFrame,
    weights: pd.DataFrame,
    solutions: pd.DataFrame,
    config: Any,
) -> list[str]:
    """All sentences; `scores`, `weights` and `solutions` are prepared rows, `counts` as `reduce_rows.counts` makes."""
    found = [
        *_questions(counts),
        *_sampling(tables["layers"]),
        *_best_levels(tables["selected"], always_null(counts)),
        *_onsets(tables["onset"]),
    ]
    found += _gaps(tables["gap"])
    found += _beside(tables["published_beside"])
    found += _converged(tables, weights, solutions)
    found += _nan(scores)
    found += _missing(scores, tables, config)
    costs = tables["costs"]
    if len(costs):
        seconds = float(costs["encoder_seconds"].sum() + costs["probe_seconds"].sum())
        found.append(f"{int(costs['layer_passes'].sum()):,} layer passes in {seconds:,.0f} seconds of work.")
    return found


def _questions(counts: pd.DataFrame) -> list[str]:
    if "all" not in counts.index:
        return ["No dev questions were scored."]
    asked = counts.loc["all"]
    return [
        f"{asked['questions']:,.0f} dev questions, {asked['answerable']:,.0f} of them answerable: never answering "
        f"scores {asked['always_null']:.4f} % exact match and F1."
    ]


def _sampling(layers: pd.DataFrame) -> list[str]:
    """What no interval over seeds tells of: other questions would give other scores."""
    errors = of(layers, metric="f1_se", decoder=shown_decoder(layers))["mean"].dropna()
    if not len(errors):
        return []
    return [
        f"The choice of questions alone gives F1 a standard error of up to {errors.max():.2f} points (by paragraph); "
        "intervals over seeds do not hold it."
    ]


def shown_decoder(table: pd.DataFrame) -> str:
    """The decoder that figures and sentences tell of: proper, unless there is only another one."""
    names = sorted(table["decoder"].astype(str).unique())
    return "proper" if "proper" in names or not names else names[0]


def _interval(row: Any, form: str = ".2f") -> str:
    if np.isnan(row.low):
        return f"{row.runs} run, no interval" if row.runs == 1 else f"{row.runs} runs, no interval"
    return f"95 % interval over {row.runs} {row.over} {row.low:{form}} to {row.high:{form}}"


def _best_levels(selected: pd.DataFrame, null: float) -> list[str]:
    """The best level of each encoder, by F1; and whether it is any better than never answering."""
    rows = of(selected, decoder=shown_decoder(selected)).dropna(subset="mean")
    found = []
    for key, line in rows[rows["metric"] == "f1"].groupby(LINE, sort=True):
        line = line.sort_values("level")
        best, last = line.loc[line["mean"].idxmax()], line.iloc[-1]
        others = rows[(rows[LINE] == list(key)).all(axis=1) & (rows["level"] == best["level"])]
        others = dict(zip(others["metric"], others["mean"], strict=True))
        split = ", ".join(
            f"{name} {others[metric]:.2f}"
            for metric, name in (("has_f1", "HasAns F1"), ("no_exact", "NoAns"))
            if metric in others
        )
        at_last = "" if last["level"] == best["level"] else f" At the last level, {last['level']}: {last['mean']:.2f}."
        if best["mean"] < null + 0.005:  # what is printed is rounded
            at_last = f" So no level is better than never answering ({null:.2f} %).{at_last}"
        found.append(
            f"{line_name(*key)}: F1 is highest at level {best['level']}, {best['mean']:.2f} % ({_interval(best)}"
            + (f"; {split}" if split else "")
            + f").{at_last}"
        )
    return found


def _onsets(onset: pd.DataFrame) -> list[str]:
    """Where fine-tuning starts to matter: ours of the selected probes, and published for the same model."""
    ours, published = of(onset, source="ours", configuration="selected"), of(onset, source="published")
    ours = of(ours, decoder=shown_decoder(ours))
    known = [any(same_name(str(name), model) for name in ours["model"]) for model in published["model"]]
    found = []
    for row in pd.concat([ours, published[known]]).itertuples():
        metric = {"f1": "F1", "has_f1": "HasAns F1"}[row.metric]
        whose = "published tables, " if row.source == "published" else ""
        start = f"{whose}{row.model}{f' ({row.checkpoint})' if row.checkpoint else ''}: "
        if row.reached:
            spread = "" if np.isnan(row.low) else f" (95 % interval {row.low:.1f} to {row.high:.1f})"
            told = f"{start}fine-tuning adds more than {MARGIN:g} point of {metric} from level {row.mean:.3g} of "
            told += f"{row.levels} on{spread}; {row.reached} of {row.runs} {'run' if row.runs == 1 else 'runs'} "
            told += "reach it" if row.runs > 1 else "reaches it"
        else:
            told = (
                f"{start}at the last level, {row.levels}, fine-tuning adds more than {MARGIN:g} point of {metric} in "
            )
            told += f"none of {row.runs} runs, so it never starts to matter"
        if row.never and row.reached:
            told += f", {row.never} never do (they are not in the mean, which is therefore too early)"
        if row.undefined:
            told += f", {row.undefined} cannot be said because of NaN"
        found.append(told + ".")
    return found


def _gaps(gap: pd.DataFrame) -> list[str]:
    rows = of(gap, source="ours", configuration="selected")
    rows = of(rows, decoder=shown_decoder(rows))
    return [
        f"{row.checkpoint}: the last level's probe is {row.last_minus_end_to_end:+.2f} points of F1 from the published "
        f"end-to-end score of the same weights ({row.end_to_end_f1:.2f})."
        for row in rows.itertuples()
    ]


def _beside(beside: pd.DataFrame) -> list[str]:
    """How far ours are from the published numbers, for the rows made most alike."""
    rows = beside[(beside["metric"] == "f1") & beside["difference"].notna()]
    if not len(rows):
        return []
    if float(rows["questions"].iloc[0]) != QUESTIONS:
        warning = f" Ours are on {rows['questions'].iloc[0]:,.0f} questions, the published on {QUESTIONS:,}."
    else:
        warning = ""
    found = []
    for key, line in rows.groupby(LINE, sort=True):
        first = line.iloc[0]
        alike = line[(line["decoder"] == first["decoder"]) & (line["configuration"] == first["configuration"])]
        worst = alike.loc[alike["difference"].abs().idxmax()]
        found.append(
            f"{line_name(*key)}: with {first['configuration']} and the {first['decoder']} decoder F1 differs from the "
            f"published table by {alike['difference'].abs().mean():.2f} points on average over {len(alike)} levels, "
            f"{worst['difference']:+.2f} at most (level {worst['level']}).{warning}"
        )
    return found


def _converged(tables: Mapping[str, pd.DataFrame], weights: pd.DataFrame, solutions: pd.DataFrame) -> list[str]:
    found = []
    if len(solutions):
        left, levels = tables["unsolved"], tables["unsolved"]["level"]
        where = f" (levels {_listed(levels)}; largest gradient {left['gradient'].max():.2g})" if len(left) else ""
        found.append(f"{len(left)} of {len(solutions)} convex problems were not solved to the tolerance{where}.")
    growing = tables["growing"]
    if len(growing):
        for rate, rows in growing.groupby("learning_rate", sort=True):
            more = rows[rows["growth"] > GROWTH]
            found.append(
                f"Adam with learning rate {rate:g}: the weights of {len(more)} of {len(rows)} probes grew by more than "
                f"{GROWTH:g} % in the last epoch"
                + (f" (by {more['growth'].max():.0f} % at most): they have not converged." if len(more) else ".")
            )
    elif len(of(weights, solver="adam")):
        found.append("One epoch of Adam only: whether the probes still grew cannot be said.")
    return found


def _nan(scores: pd.DataFrame) -> list[str]:
    if not len(scores):
        return []
    bad = scores[scores["value"].isna()]
    told = f"{len(bad):,} of {len(scores):,} scores are NaN"
    if len(bad):
        told += f" ({', '.join(sorted(bad['metric'].astype(str).unique()))}; levels {_listed(bad['level'])})"
    return [told + "."]


def _missing(scores: pd.DataFrame, tables: Mapping[str, pd.DataFrame], config: Any) -> list[str]:
    """What was asked for and is not there."""
    found = []
    if not len(scores):
        found.append("There are no scores yet: no evaluation is done.")
    there = set(scores[["model", "encoder"]].drop_duplicates().itertuples(index=False, name=None))
    for model in getattr(config, "models", ()):
        label = _label(model, [name for name, _ in there])
        gone = [kind for kind in getattr(config, "encoders", ()) if (label, kind) not in there]
        if gone and len(scores):
            found.append(f"{label}: no scores of the encoder {' and '.join(WORDS.get(kind, kind) for kind in gone)}.")  # pyright: ignore[reportArgumentType, reportCallIssue]
    selected, differences = tables["selected"], tables["differences"]
    if len(scores) and not len(selected):
        found.append("No configuration could be chosen: the scores of the two halves of the articles are missing.")
    tuned = scores[scores["encoder"] == "finetuned"]["model"].drop_duplicates()
    for model in tuned:
        if model not in set(differences["model"]):
            before = "random encoder with the seed of the fine-tuning" if model == SCRATCH else "pretrained encoder"
            found.append(f"{model}: no difference to before fine-tuning, since there are no scores of the {before}.")
    single = of(selected, metric="f1")
    single = single[single["low"].isna() & single["mean"].notna()]
    if len(single):
        lines = {line_name(*key) for key in single[LINE].itertuples(index=False, name=None)}
        found.append(
            f"Without an interval at some levels, since there is one run only (one seed, or a probe solved to "
            f"convergence, which has none): {'; '.join(sorted(lines))}."
        )
    return found


def _label(model: str, known: Iterable[str]) -> str:
    """A model of the config as the rows call it: the rows have a directory's name alone."""
    last = str(model).rstrip("/").rsplit("/", 1)[-1]
    return last if model not in known and last in known else str(model)


def _listed(levels: pd.Series) -> str:
    return ", ".join(str(level) for level in sorted(levels.astype(int).unique()))
