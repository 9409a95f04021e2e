"""Ours beside the published numbers, where the encoder is the very same; and what a probe lacks to the whole model."""

import numpy as np
import pandas as pd

from tasks.analysis.panels import of
from tasks.squad.published import LEARNING_RATE, METRICS, PROBES, QUESTIONS, published_end_to_end, published_table
from tasks.squad.squad_probes.rows import LINE, PROBE, line_name, shown

BESIDE = [
    *LINE,
    *("decoder", "configuration", "level", "metric"),
    *("mean", "low", "high", "runs", "published", "difference", "questions", "published_questions"),
]
GAP = [
    *("source", *LINE, "decoder", "configuration"),
    *("best_level", "best_f1", "last_level", "last_f1", "end_to_end_f1", "last_minus_end_to_end"),
]
AS_PUBLISHED = {"mode": "legacy", "decoder": "legacy", "configuration": f"adam {LEARNING_RATE:g}"}
CAPTIONS = {
    "published_beside": "Ours and the published numbers of the same weights; rows made most alike first. difference = "
    "ours - published, points. questions: our dev questions.",
    "gap": "Probes of fine-tuned checkpoints against the published end-to-end F1 of the same weights (their own head).",
}


def published_beside(layers: pd.DataFrame, questions: float) -> pd.DataFrame:
    """Rows of `layers` with the published value of the same model, encoder, checkpoint, level and metric.

    The rows that were made most alike stand first: mode legacy, decoder legacy, adam, the learning rate next to 3e-5.
    best_f1 is held against the threshold study, which chose among fewer thresholds.

    Args:
        questions: our dev questions; where they are not 6,078 they are not the same.
    """
    published = _published_values(layers)
    found = layers.merge(published, on=["model", "checkpoint", "encoder", "level", "metric"])
    found = found.assign(
        difference=found["mean"] - found["published"],
        questions=questions,
        published_questions=QUESTIONS,
        _mode=found["mode"] != "legacy",
        _decoder=found["decoder"] != "legacy",
        _far=_distance(found),
    )
    order = ["_mode", "_decoder", "_far", *LINE, *PROBE, "metric", "level"]
    return found.sort_values(order, ignore_index=True)[BESIDE]


def nearest_to_published(rows: pd.DataFrame) -> str | None:
    """The configuration nearest to the published one: adam with the learning rate next to 3e-5, else the least L2."""
    if not len(rows):
        return None
    return str(rows.assign(_far=_distance(rows)).sort_values(["_far", "l2"], kind="stable")["configuration"].iloc[0])


def _distance(rows: pd.DataFrame) -> np.ndarray:
    """How far a configuration is from the published one: |ln(learning rate / 3e-5)|; infinite for lbfgs."""
    rate = pd.to_numeric(rows["learning_rate"]).to_numpy(dtype=float)
    adam = (rows["solver"] == "adam").to_numpy(dtype=bool) & (rate > 0)
    return np.where(adam, np.abs(np.log(np.where(adam, rate, 1.0) / LEARNING_RATE)), np.inf)


def _published_values(layers: pd.DataFrame) -> pd.DataFrame:
    """The published numbers of our encoders, under our names for them."""
    rows = []
    for name in layers[["model", "checkpoint", "encoder"]].drop_duplicates().itertuples(index=False, name=None):
        table = published_table(*(str(part) for part in name))
        if table is not None:
            for level, *values in table.rows:
                rows += [(*name, level, metric, value) for metric, value in zip(METRICS, values, strict=True)]
            rows += [(*name, level, "best_f1", best) for level, (best, _) in table.best.items()]
    columns = ["model", "checkpoint", "encoder", "level", "metric", "published"]
    return pd.DataFrame(rows, columns=columns).astype(
        dict.fromkeys(columns, "str") | {"level": "int64", "published": "float64"}
    )


def gaps(ours: pd.DataFrame) -> pd.DataFrame:
    """The best and the last level's F1 of fine-tuned checkpoints with published end-to-end scores, ours and published.

    The end-to-end scores are the published ones throughout: of the checkpoint's own head, decoded as run_squad does.

    Args:
        ours: rows of `layers`, `selected` or both: LINE, decoder, configuration, level, metric, mean.
    """
    rows = []
    ours = ours[(ours["encoder"] == "finetuned") & (ours["metric"] == "f1")].dropna(subset="mean")
    for key, group in ours.groupby([*LINE, "decoder", "configuration"], sort=True):
        rows += _gap("ours", key, group["level"].to_numpy(), group["mean"].to_numpy(dtype=float))
    for table in PROBES:
        if table.encoder == "finetuned":
            key = (table.model, table.checkpoint, "finetuned", *AS_PUBLISHED.values())
            levels, f1 = (np.array([row[n] for row in table.rows]) for n in (0, 2))
            rows += _gap("published", key, levels, f1)
    return pd.DataFrame(rows, columns=GAP)


def _gap(source: str, key: tuple, levels: np.ndarray, f1: np.ndarray) -> list[tuple]:
    whole = published_end_to_end(str(key[1]))
    if whole is None:
        return []
    best, last = int(np.argmax(f1)), int(np.argmax(levels))
    gap = float(f1[last]) - whole.f1
    return [(source, *key, int(levels[best]), float(f1[best]), int(levels[last]), float(f1[last]), whole.f1, gap)]


def gap_notes(gap: pd.DataFrame) -> list[str]:
    """What the last level's probe lacks to the whole model."""
    return [
        f"{row.checkpoint}: the last level's probe is {row.last_minus_end_to_end:+.2f} points of F1 from the published "
        f"end-to-end score of the same weights ({row.end_to_end_f1:.2f})."
        for row in shown(of(gap, source="ours", configuration="selected"), modes=False).itertuples()
    ]


def beside_notes(beside: pd.DataFrame) -> list[str]:
    """How far ours are from the published numbers, for the rows made most alike."""
    rows = beside[(beside["metric"] == "f1") & beside["difference"].notna()]
    found = []
    for key, line in rows.groupby(LINE, sort=True):
        first = line.iloc[0]
        alike = of(line, decoder=first["decoder"], configuration=first["configuration"])
        worst = alike.loc[alike["difference"].abs().idxmax()]
        found.append(
            f"{line_name(*key)}: with {first['configuration']} and the {first['decoder']} decoder F1 differs from the "
            f"published table by {alike['difference'].abs().mean():.2f} points on average over {len(alike)} levels, "
            f"{worst['difference']:+.2f} at most (level {worst['level']})."
        )
        if first["questions"] != QUESTIONS:
            found[-1] += f" Ours are on {first['questions']:,.0f} questions, the published on {QUESTIONS:,}."
    return found
