"""Ours beside the published numbers, where the encoder is the very same; and what a probe lacks to the whole model."""

import numpy as np
import pandas as pd

from tasks.squad.published import METRICS, PROBES, QUESTIONS, published_end_to_end, published_table
from tasks.squad.squad_probes.reduce_rows import LINE, PROBE

BESIDE = [
    *LINE,
    *("decoder", "configuration", "level", "metric"),
    *("mean", "low", "high", "runs", "published", "difference", "questions", "published_questions"),
]
GAP = [
    *("source", *LINE, "decoder", "configuration"),
    *("best_level", "best_f1", "last_level", "last_f1", "end_to_end_f1", "last_minus_end_to_end"),
]


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
    return np.where(adam, np.abs(np.log(np.where(adam, rate, 1.0) / 3e-5)), np.inf)


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

    The end-to-end scores are the published ones throughout: of the checkpoint's own head, with the decoder of 7b.

    Args:
        ours: rows of `layers`, `selected` or both: LINE, decoder, configuration, level, metric, mean.
    """
    rows = []
    ours = ours[(ours["encoder"] == "finetuned") & (ours["metric"] == "f1")].dropna(subset="mean")
    for key, group in ours.groupby([*LINE, "decoder", "configuration"], sort=True):
        rows += _gap("ours", key, group["level"].to_numpy(), group["mean"].to_numpy(dtype=float))
    for table in PROBES:
        if table.encoder == "finetuned":
            key = (table.model, table.checkpoint, "finetuned", "legacy", "legacy", "adam 3e-05")
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
