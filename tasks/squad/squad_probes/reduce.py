"""From the rows of `squad_probes` to tables, figures and sentences, whatever part of the sweep is done."""

from collections.abc import Iterable, Mapping

import pandas as pd

from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import of
from tasks.analysis.runs import costs_by_line
from tasks.analysis.summary import interval, summary
from tasks.encoders.params import SCRATCH
from tasks.squad.questions.plan import fault_notes
from tasks.squad.scores import shown_in
from tasks.squad.squad_probes import differences, figures, published, rows
from tasks.squad.squad_probes.config import Config
from tasks.squad.squad_probes.rows import LAYERS, LINE, WORDS, always_null, line_name, listed, shown

GROWTH = 1.0
"""Percent of growth in the last epoch above which a probe is said to grow still."""
CAPTIONS = {
    "unsolved": "Convex problems whose gradient did not come below the tolerance.",
    "growing": "Growth in percent of the probes' weight norms in the last epoch of Adam (mean and largest over seeds "
    "and encoders): a probe that grows has not converged.",
    "costs": "Seconds and layer applications to one window as counted while running, by encoder.",
}


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences; an empty table stays away, and the notes say what is missing."""
    scores = rows.prepared(results.table("scores"))
    asked = rows.counts(results.table("baselines"))
    whole = scores[(scores["part"] == "all") & scores["metric"].isin(shown_in("layers"))]
    final = rows.last_epochs(whole)
    layers = rows.over_runs(final, LAYERS)
    chosen = rows.choices(scores)
    runs = rows.selected_runs(scores, chosen, asked).assign(configuration="selected")
    selected = rows.over_runs(runs, [*LINE, "decoder", "level", "metric"])
    pairs = pd.concat([differences.paired_differences(part) for part in (final, runs)], ignore_index=True)
    onset = [differences.onsets(pairs), differences.onsets(differences.published_pairs(), "published")]
    solutions, weights = rows.prepared(results.table("solutions")), rows.prepared(results.table("weights"))
    costs = rows.prepared(results.table("costs"))
    tables = {
        "onset": pd.concat(onset, ignore_index=True),
        "selected": selected,
        "choices": chosen,
        "differences": differences.differences(pairs),
        "published_beside": published.published_beside(layers, float(asked["questions"].get("all", float("nan")))),
        "gap": published.gaps(pd.concat([selected.assign(configuration="selected"), layers], ignore_index=True)),
        "unsolved": unsolved(solutions),
        "growing": growing(weights),
        "costs": costs_by_line(costs, LINE, ["encoder_seconds", "probe_seconds", "layer_passes"]),
        "layers": layers,
        "by_epoch": rows.over_runs(whole[whole["metric"].isin(shown_in("by_epoch"))], LAYERS),
    }
    if not len(scores):  # the published rows stand beside ours, not alone
        tables |= {name: tables[name].iloc[:0] for name in ("onset", "gap")}
    data = results.table("data")[["split", "metric", "value"]]
    told = notes(tables, scores, asked, weights, solutions, config)
    told += fault_notes(data.itertuples(index=False, name=None))
    drawn = figures.draw(tables, rows.prepared(results.table("curves")), always_null(asked))
    captions = CAPTIONS | rows.CAPTIONS | differences.CAPTIONS | published.CAPTIONS | figures.CAPTIONS
    return summary(tables, drawn, captions, told)


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
    adam = of(weights, solver="adam")
    key = [*LINE, "encoder_seed", "learning_rate", "level", "head", "seed"]
    both = rows.last_epochs(adam).merge(
        adam.assign(epoch=adam["epoch"] + 1), on=[*key, "epoch"], suffixes=("", "_before")
    )
    both["growth"] = 100 * (both["norm"].astype(float) / both["norm_before"].astype(float) - 1)
    by = [*LINE, "learning_rate", "level", "head"]
    table = both.groupby(by, sort=True)["growth"].agg(growth="mean", largest="max", probes="size")
    return table.reset_index()


def notes(
    tables: Mapping[str, pd.DataFrame],
    scores: pd.DataFrame,
    asked: pd.DataFrame,
    weights: pd.DataFrame,
    solutions: pd.DataFrame,
    config: Config,
) -> list[str]:
    """All sentences; `scores`, `weights` and `solutions` are prepared rows, `asked` as `rows.counts` makes."""
    costs = tables["costs"]
    seconds = float(costs["encoder_seconds"].sum() + costs["probe_seconds"].sum())
    cost = f"{int(costs['layer_passes'].sum()):,} layer passes in {seconds:,.0f} seconds of work."
    return [
        *_questions(asked, tables["layers"]),
        *_best_levels(tables["selected"], always_null(asked)),
        *differences.onset_notes(tables["onset"]),
        *published.gap_notes(tables["gap"]),
        *published.beside_notes(tables["published_beside"]),
        *_converged(tables, weights, solutions),
        *_missing(scores, tables, config),
        *([cost] if len(costs) else []),
    ]


def _questions(asked: pd.DataFrame, layers: pd.DataFrame) -> list[str]:
    """What was asked; and what no interval over seeds tells of: other questions would give other scores."""
    if "all" not in asked.index:
        return ["No dev questions were scored."]
    row = asked.loc["all"]
    told = [
        f"{row['questions']:,.0f} dev questions, {row['answerable']:,.0f} of them answerable: never answering scores "
        f"{row['always_null']:.4f} % exact match and F1."
    ]
    errors = shown(of(layers, metric="f1_se"), modes=False)["mean"].dropna()
    if len(errors):
        told.append(
            f"The choice of questions alone gives F1 a standard error of up to {errors.max():.2f} points (by "
            "paragraph); intervals over seeds do not hold it."
        )
    return told


def _best_levels(selected: pd.DataFrame, null: float) -> list[str]:
    """The best level of each encoder, by F1; and whether it is any better than never answering."""
    found = []
    for key, line in shown(selected, modes=False).dropna(subset="mean").groupby(LINE, sort=True):
        f1 = of(line, metric="f1").sort_values("level")
        if not len(f1):
            continue
        best, last = f1.loc[f1["mean"].idxmax()], f1.iloc[-1]
        there = of(line, level=best["level"])
        split = "".join(
            f"; {metric.label} {value:.2f}"
            for name, metric in shown_in("by_level").items()
            for value in of(there, metric=name)["mean"]
            if name != "f1"
        )
        told = f"{line_name(*key)}: F1 is highest at level {best['level']}, {best['mean']:.2f} % "
        told += f"({interval(best['low'], best['high'], '.2f')}, {best['runs']} {best['over']}{split})."
        if best["mean"] < null + 0.005:  # what is printed is rounded
            told += f" So no level is better than never answering ({null:.2f} %)."
        if last["level"] != best["level"]:
            told += f" At the last level, {last['level']}: {last['mean']:.2f}."
        found.append(told)
    return found


def _converged(tables: Mapping[str, pd.DataFrame], weights: pd.DataFrame, solutions: pd.DataFrame) -> list[str]:
    found = []
    left, grown = tables["unsolved"], tables["growing"]
    if len(solutions):
        where = f" (levels {listed(left['level'])}; largest gradient {left['gradient'].max():.2g})" if len(left) else ""
        found.append(f"{len(left)} of {len(solutions)} convex problems were not solved to the tolerance{where}.")
    if not len(grown) and len(of(weights, solver="adam")):
        found.append("One epoch of Adam only: whether the probes still grew cannot be said.")
    for rate, own in grown.groupby("learning_rate", sort=True):
        more = own[own["growth"] > GROWTH]
        found.append(
            f"Adam with learning rate {rate:g}: the weights of {len(more)} of {len(own)} probes grew by more than "
            f"{GROWTH:g} % in the last epoch"
            + (f" (by {more['growth'].max():.0f} % at most): they have not converged." if len(more) else ".")
        )
    return found


def _missing(scores: pd.DataFrame, tables: Mapping[str, pd.DataFrame], config: Config) -> list[str]:
    """What is NaN, and what was asked for and is not there."""
    if not len(scores):
        return ["There are no scores yet: no evaluation is done."]
    bad = scores[scores["value"].isna()]
    metrics = ", ".join(sorted(bad["metric"].astype(str).unique()))
    where = f" ({metrics}; levels {listed(bad['level'])})" if len(bad) else ""
    found = [f"{len(bad):,} of {len(scores):,} scores are NaN{where}."]
    there = set(scores[["model", "encoder"]].drop_duplicates().itertuples(index=False, name=None))
    for model in config.models:
        label = _label(model, [name for name, _ in there])
        gone = [WORDS[kind] for kind in config.encoders if (label, kind) not in there]
        if gone:
            found.append(f"{label}: no scores of the encoder {' and '.join(gone)}.")
    if not len(tables["selected"]):
        found.append("No configuration could be chosen: the scores of the two halves of the articles are missing.")
    for model in of(scores, encoder="finetuned")["model"].drop_duplicates():
        if model not in set(tables["differences"]["model"]):
            before = "random encoder with the seed of the fine-tuning" if model == SCRATCH else "pretrained encoder"
            found.append(f"{model}: no difference to before fine-tuning, since there are no scores of the {before}.")
    return found


def _label(model: str, known: Iterable[str]) -> str:
    """A model of the config as the rows call it: the rows have a directory's name alone."""
    last = model.rstrip("/").rsplit("/", 1)[-1]
    return last if model not in known and last in known else model
