"""Believable tables of `chaos`, made without a model: what a sweep of a few networks could have written.

The rows are plain dicts with just the declared columns; the store's own function adds the parameters, so that reduce is
tested on the columns it will get. N sentences, W windows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from orchestrator.experiment import Job
from tasks.transient_chaos.chaos import EXPERIMENT
from tasks.transient_chaos.chaos.stages import CHAOS_LONG, CHAOS_SWEEP, LongParams, SweepParams
from tests import fake_results

TABLES = EXPERIMENT.tables
THRESHOLDS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
LINES = (None, "hf_default", "keras")
"""Pretrained, and two styles of random networks."""


class FakeResults(fake_results.FakeResults):
    """Those of this experiment."""

    def __init__(self, rows: Sequence[tuple[Job, Mapping[str, Any]]]):
        super().__init__(TABLES, rows)


def encoder(style: str | None, seed: int) -> dict[str, Any]:
    """The parameters of a pretrained (`style` None) or a random encoder."""
    shared = {
        "model": "tiny",
        "revision": "abc",
        "tokenizer": "builtin",
        "corpus": "builtin",
        "text": "pairs",
        "length": 8,
    }
    if style is None:
        return {**shared, "encoder": "pretrained"}
    return {**shared, "encoder": "random", "init_style": style, "encoder_seed": seed}


def sweep_job(style: str | None, seed: int, mask_mode: str = "none", **params: Any) -> Job:
    return Job(
        stage=CHAOS_SWEEP,
        params=SweepParams(**{**encoder(style, seed), "mask_mode": mask_mode, "sentences": 12, **params}),  # pyright: ignore
    )


def long_job(style: str | None, seed: int, mask_mode: str = "none") -> Job:
    return Job(
        stage=CHAOS_LONG,
        params=LongParams(**encoder(style, seed), mask_mode=mask_mode, window=500),  # pyright: ignore
    )


def believable(
    lines: Sequence[str | None] = LINES,
    masks: Sequence[str] = ("none", "padding"),
    seeds: int = 3,
    sentences: int = 12,
    layers: int = 400,
    exponents: int = 4,
    differences: bool = False,
    long: bool = True,
) -> FakeResults:
    """Results in which pretrained networks stay chaotic longer, and random ones synchronise earlier."""
    rows = []
    for style in lines:
        for seed in range(seeds if style else 1):
            for mask in masks:
                random = np.random.default_rng([seed, len(style or ""), len(mask)])
                job = sweep_job(style, seed, mask, sentences=sentences)
                rows.append((job, sweep_tables(random, style, sentences, layers, exponents, differences)))
                if long:
                    rows.append((long_job(style, seed, mask), long_tables(random, style, sentences, layers)))
    return FakeResults(rows)


def sweep_tables(
    random: np.random.Generator, style: str | None, N: int, layers: int, K: int, differences: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """All tables of one sweep."""
    tau, align = 20, 20
    level = 0.05 if style is None else 0.02 + 0.01 * random.standard_normal()
    ends = np.sort(random.integers(layers // 4, 2 * layers if style is None else layers, N))
    windows, lengths, spectrum = [], [], []
    for n in range(N):
        for method in ("tangent", "difference") if differences else ("tangent",):
            for phase, start in (("random", 0), ("aligned", align)) if method == "tangent" else (("random", 0),):
                starts = np.arange(start, layers - tau + 1, tau)
                growth = np.where(starts < ends[n], level, -0.03) + 0.01 * random.standard_normal(len(starts))
                growth += -0.1 * np.exp(-starts / 20) * (phase == "random") - 0.02 * (method == "difference")
                for k in range(1, K + 1 if n < 4 and method == "tangent" else 2):
                    windows += [
                        {
                            "sentence": n,
                            "method": method,
                            "phase": phase,
                            "exponent": k,
                            "start": s,
                            "growth": g - 0.02 * k,
                        }
                        for s, g in zip(starts.tolist(), growth.tolist(), strict=True)
                    ]
                lengths += chaos_length_rows(n, method, phase, starts, growth - 0.02, tau)
        counts = [2**i for i in range(12) if 2**i < layers - align] + [layers - align]
        for k in range(1, K + 1 if n < 4 else 2):
            for m in counts:
                noise = random.standard_normal() / np.sqrt(m)
                spectrum.append(
                    {"sentence": n, "exponent": k, "layers": m, "growth": float(level - 0.02 * k + 0.02 * noise)}
                )
    spread = np.exp(-np.arange(layers + 1)[:, None] / (ends / 8))
    return {
        "windows": windows if K else [],
        "chaos_lengths": lengths if K else [],
        "spectrum": spectrum if K else [],
        "offsets": [row for n in range(N) for row in offset_rows(n, spread[:, n], layers)],
        "layers": layer_rows(random, spread, N, level),
        "trajectories": trajectory_rows(random, layers, ends),
        "spreads": [
            {"sentence": n, "layer": t, "statistic": name, "value": float(spread[t, n] * factor)}
            for n in range(min(2, N))
            for name, factor in (("spread", 1.0), ("relative", 0.5), ("rms0", 0.8 + 0.4 * random.random()))
            for t in range(layers + 1)
        ],
        "attention": attention_rows(random),
        "lost": [],
        "costs": [{"layer_passes": N * layers, "tangent_passes": K * layers, "seconds": 1.5, "tangent_groups": 1}],
    }


def chaos_length_rows(n: int, method: str, phase: str, starts: np.ndarray, growth: np.ndarray, tau: int) -> list[dict]:
    """Both rules by hand; no growth in the first window is a length of 0."""
    calm, chaotic = np.flatnonzero(growth <= 0), np.flatnonzero(growth > 0)
    end = int(starts[-1]) + tau
    first = end if not len(calm) else int(starts[calm[0]]) if calm[0] else 0
    last = int(starts[chaotic[-1]]) + tau if len(chaotic) else 0
    shared = {"sentence": n, "method": method, "phase": phase}
    return [
        {**shared, "rule": "first_nonpositive", "layers": first, "censored": not len(calm)},
        {**shared, "rule": "last_positive", "layers": last, "censored": last == end},
    ]


def offset_rows(n: int, spread: np.ndarray, layers: int) -> list[dict]:
    """First crossings; the spread falls for good, so the persistent ones are the same."""
    rows = []
    for statistic, factor in (("spread", 1.0), ("relative", 0.5)):
        for threshold in THRESHOLDS:
            below = np.flatnonzero(spread * factor < threshold)
            found = {"layers": int(below[0]) if len(below) else layers, "censored": not len(below)}
            for rule in ("first", "persistent"):
                rows.append({"sentence": n, "statistic": statistic, "threshold": threshold, "rule": rule, **found})
    return rows


def layer_rows(random: np.random.Generator, spread: np.ndarray, N: int, level: float) -> list[dict]:
    t = np.arange(len(spread))
    decay = np.exp(-t / (2000 * max(level, 0.005)))
    dimension = 1 + (N - 2) * decay * (1 - 0.1 * random.random())
    first = np.where(t == 0, np.nan, 1 + (N - 3) * decay * 0.7)
    values = {
        "effective_dimension": dimension,
        "effective_dimension_first": first,
        "spread_mean": spread.mean(1),
        "spread_q10": np.quantile(spread, 0.1, axis=1),
        "spread_median": np.median(spread, axis=1),
        "spread_q90": np.quantile(spread, 0.9, axis=1),
        "relative_spread_median": np.median(spread, axis=1) / 2,
        "sentences": np.full(len(t), float(N)),
    }
    return [
        {"layer": int(layer), "metric": name, "value": float(value)}
        for name, column in values.items()
        for layer, value in zip(t, column, strict=True)
    ]


def trajectory_rows(random: np.random.Generator, layers: int, ends: np.ndarray) -> list[dict]:
    rows = []
    for n in range(min(2, len(ends))):
        for dimension in (0, 5):
            mean = np.cumsum(random.standard_normal(layers + 1)) * 0.05 + 0.5 * np.sin(np.arange(layers + 1) / 9)
            for token in (0, 1, 2):
                apart = np.exp(-np.arange(layers + 1) / (ends[n] / 8)) * random.standard_normal()
                rows += [
                    {"sentence": n, "token": token, "dimension": dimension, "layer": t, "value": v}
                    for t, v in enumerate((mean + apart).tolist())
                ]
    return rows


def attention_rows(random: np.random.Generator, T: int = 8) -> list[dict]:
    rows = []
    for layer in (1, 4, 24):
        weights = np.exp(random.standard_normal((T, T)) * 3 / layer)
        weights /= weights.sum(1, keepdims=True)
        rows += [
            {"sentence": 0, "layer": layer, "head": 0, "query": i, "key": j, "probability": float(p)}
            for (i, j), p in np.ndenumerate(weights)
        ]
    return rows


def long_tables(random: np.random.Generator, style: str | None, N: int, layers: int) -> dict[str, list[dict[str, Any]]]:
    """A long run of the first three sentences, 20 windows of 500 layers."""
    starts = layers + 500 * np.arange(20)
    windows, trajectories, found = [], [], []
    for n in range(N):
        followed = n < 3
        end = int(starts[random.integers(5, 25 if style is None else 15).clip(0, 19)])
        found.append(
            {
                "sentence": n,
                "spread": 1e-6 if n < 5 else 0.2,
                "followed": followed,
                "lost_at": None,
                "chaos_layers": end + 500 if followed else None,
                "censored": end == starts[-1] if followed else None,
            }
        )
        if not followed:
            continue
        for direction, height in (("along", 0.02), ("across", -0.05)):
            for k in range(1, 4 if direction == "along" else 2):
                growth = np.where((starts <= end) | (direction == "across"), height, -0.02) - 0.01 * (k - 1)
                growth = growth + 0.004 * random.standard_normal(20)
                windows += [
                    {"sentence": n, "start": s, "direction": direction, "exponent": k, "growth": g}
                    for s, g in zip(starts.tolist(), growth.tolist(), strict=True)
                ]
        for dimension in (0, 5):
            t = np.arange(layers, layers + 10_000, 20)
            value = np.where(t < end + 500, random.standard_normal(len(t)), 0.35)
            trajectories += [
                {"sentence": n, "dimension": dimension, "layer": int(layer), "value": float(v)}
                for layer, v in zip(t, value, strict=True)
            ]
    return {"long_windows": windows, "long_trajectories": trajectories, "long_starts": found}
