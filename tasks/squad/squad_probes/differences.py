"""What fine-tuning changed: fine-tuned minus before, paired by seeds, and the level from which on it matters."""

import numpy as np
import pandas as pd

from metrics.intervals import mean_interval
from tasks.analysis.panels import of
from tasks.analysis.runs import COMMON, paired
from tasks.encoders.params import SCRATCH
from tasks.squad.published import METRICS as PUBLISHED_METRICS
from tasks.squad.published import PROBES, same_name
from tasks.squad.scores import METRICS, shown_in
from tasks.squad.squad_probes.published import AS_PUBLISHED
from tasks.squad.squad_probes.rows import LINE, RUNS, over_runs, run_values, shown

MARGIN = 1.0
"""Points of F1 that a difference must exceed to matter: about one standard error of the difference of two scores on
6,078 questions."""
CELL = [*LINE, "before", "decoder", "configuration"]
"""What a difference is of, beside level and metric: `encoder` is finetuned throughout."""
KEYS = [*CELL, "level", "metric"]
ONSET = ["source", *CELL, "metric"]
ONSET_VALUES = ["mean", "low", "high", "earliest", "latest", "reached", "never", "undefined", "runs", "over", "levels"]
CAPTIONS = {
    "differences": f"Fine-tuned minus before in points, paired by seeds; every configuration and `selected`. {RUNS}",
    "onset": f"The level from which on all deeper ones differ by more than {MARGIN:g} point. mean, low, high, "
    "earliest, latest: over the runs that reach such a level (reached); never: runs that do not, for which the mean is "
    "too early; undefined: runs with NaN. Also of the published tables (one seed, level 0 not probed). The interval is "
    "cut at the first and the last level.",
}


def paired_differences(rows: pd.DataFrame) -> pd.DataFrame:
    """Fine-tuned minus before for each pair of seeds: KEYS, encoder_seed, seed, value.

    Before is the pretrained encoder; of `scratch` models, the random one with the encoder_seed of the fine-tuning,
    which began there. Given weights (encoder_seed COMMON) are the same for every fine-tuning.

    Args:
        rows: LINE, encoder_seed, seed, decoder, configuration, level, metric, value.
    """
    known = rows[rows["metric"].isin(shown_in("differences"))]
    first = np.where(known["model"] == SCRATCH, "random", "pretrained")
    before = known[known["encoder"] == first].drop(columns="checkpoint").rename(columns={"encoder": "before"})
    after = known[known["encoder"] == "finetuned"]
    shared = ["model", "mode", "decoder", "configuration", "level", "metric"]
    both = paired(after, before, shared, ("_after", "_before"))
    own = both["encoder_seed_before"]
    both = both[(own == both["encoder_seed_after"]) | (own == COMMON)]
    both = both.assign(encoder_seed=both["encoder_seed_after"], value=both["value_after"] - both["value_before"])
    return both[[*KEYS, "encoder_seed", "seed", "value"]]


def differences(pairs: pd.DataFrame) -> pd.DataFrame:
    """Mean and interval over runs of the differences, in points (percent)."""
    return over_runs(pairs, KEYS)


def first_level(levels: np.ndarray, difference: np.ndarray, margin: float = MARGIN) -> float:
    """The first level from which on every deeper one has a difference above the margin.

    Args:
        levels: ascending.
        difference: in points, one a level.

    Returns:
        The level; infinity where the last level's difference is not above the margin; NaN where a difference is NaN or
        there is no level.
    """
    if not len(levels) or np.isnan(difference).any():
        return np.nan
    below = np.flatnonzero(difference <= margin)
    if not len(below):
        return float(levels[0])
    after = below[-1] + 1
    return float(levels[after]) if after < len(levels) else np.inf


def onsets(pairs: pd.DataFrame, source: str = "ours") -> pd.DataFrame:
    """The level where fine-tuning starts to matter, over runs; a row a model, configuration, decoder and metric.

    mean, low, high are over the runs that reach it, the interval cut at the first and the last level; `never` counts
    those that do not (so the mean is too early if there are any), `undefined` those with NaN. A reader must look at all
    of them.
    """
    rows = []
    values = run_values(pairs[pairs["metric"].isin(shown_in("onset"))], KEYS)
    for key, group in values.groupby([*CELL, "metric"], sort=True):
        found = np.array([first_level(*run) for run in _runs(group)])
        reached, bounds = found[np.isfinite(found)], (group["level"].min(), group["level"].max())
        mean, low, high = mean_interval(reached)
        ends = (reached.min(), reached.max()) if len(reached) else (np.nan, np.nan)
        never, undefined = int(np.isinf(found).sum()), int(np.isnan(found).sum())
        tail = (len(reached), never, undefined, len(found), group["over"].iloc[0], int(bounds[1]))
        rows.append((source, *key, mean, *np.clip((low, high), *bounds).tolist(), *ends, *tail))
    return pd.DataFrame(rows, columns=[*ONSET, *ONSET_VALUES])


def _runs(group: pd.DataFrame) -> list[tuple[np.ndarray, np.ndarray]]:
    """(levels, differences) of each run; a level whose probe has no randomness (run COMMON) is part of every run."""
    seeds = [run for run in sorted(group["run"].unique()) if run != COMMON] or [COMMON]
    found = []
    for seed in seeds:
        own = group[(group["run"] == seed) | (group["run"] == COMMON)].sort_values("level")
        found.append((own["level"].to_numpy(), own["value"].to_numpy(dtype=float)))
    return found


def published_pairs() -> pd.DataFrame:
    """The published tables in the form of `paired_differences`: one seed, levels 1 to L."""
    rows = [
        {
            "model": table.model,
            "checkpoint": table.checkpoint,
            "encoder": table.encoder,
            **AS_PUBLISHED,
            "encoder_seed": COMMON,
            "seed": 1,
            "level": level,
            "metric": metric,
            "value": value,
        }
        for table in PROBES
        for level, *values in table.rows
        for metric, value in zip(PUBLISHED_METRICS, values, strict=True)
    ]
    return paired_differences(pd.DataFrame(rows))


def onset_notes(onset: pd.DataFrame) -> list[str]:
    """Where fine-tuning starts to matter: ours of the selected probes, and published for the same model."""
    ours = shown(of(onset, source="ours", configuration="selected"), modes=False)
    published = of(onset, source="published")
    known = [any(same_name(str(name), model) for name in ours["model"]) for model in published["model"]]
    found = []
    for row in pd.concat([ours, published[known]]).itertuples():
        metric = METRICS[str(row.metric)].label
        told = "published tables, " if row.source == "published" else ""
        told += f"{row.model}{f' ({row.checkpoint})' if row.checkpoint else ''}: "
        if row.reached:
            spread = "" if np.isnan(row.low) else f" (95 % interval {row.low:.1f} to {row.high:.1f})"
            told += (
                f"fine-tuning adds more than {MARGIN:g} point of {metric} from level {row.mean:.3g} of {row.levels} "
                f"on{spread}; reached by {row.reached} of {row.runs} {'run' if row.runs == 1 else 'runs'}"
            )
            told += f", never by {row.never}, so the mean is too early" if row.never else ""
        else:
            told += (
                f"fine-tuning adds no more than {MARGIN:g} point of {metric} at the last level, {row.levels}, in any "
            )
            told += f"of {row.runs} runs"
        told += f", undefined for {row.undefined} because of NaN" if row.undefined else ""
        found.append(told + ".")
    return found
