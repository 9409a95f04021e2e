"""Statistics of one data set against loops over documents with SciPy. Part of `benchmarks/attention.py`.

Gold run, five comparison runs and the uniform run, 22 checkpoints; documents of an evaluation split, most of 20 to 100
tokens and three of up to 1,200, fewer for Kendall's tau, for which the loops take half a millisecond a pair. The loops
compute the published dictionary alone; as built it comes with both halves for the held-out variant, both signs of
Delta, closed-form baselines and counts, from files.
"""

import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from scipy import stats

from orchestrator.experiment import Context
from tasks.attention.learning.plan import StatisticsParams
from tasks.attention.learning.runs import Metric, checkpoint_name
from tasks.attention.learning.scores import PARTS, Scores, halves, read_scores, write_scores
from tasks.attention.learning.statistics import attention_statistics
from tasks.attention.ragged import Ragged

STEPS = (0, 10, 50, 100, 150, 200, 250, *range(500, 4001, 250))
DOCUMENTS: dict[Metric, int] = {"top5": 1500, "kendall": 120}


def measure() -> list[tuple[str, float, float, float]]:
    """What, plain seconds, seconds as built, largest difference."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        warm = _made(Path(folder) / "warm", 4)
        attention_statistics(_params("kendall"), Context(needs=warm))  # libraries are imported outside the clock
        for metric, documents in DOCUMENTS.items():
            needs, params = _made(Path(folder) / metric, documents), _params(metric)
            clock = time.perf_counter()
            plain = _loops(params, needs)
            plain_seconds = time.perf_counter() - clock
            clock = time.perf_counter()
            tables = attention_statistics(params, Context(needs=needs))
            ours_seconds = time.perf_counter() - clock
            apart = max(abs(value - plain[key]) for key, value in _ours(tables["statistics"]).items())
            what = f"statistics, {metric}, {documents} documents, 7 runs x {len(STEPS)} checkpoints"
            rows.append((what, plain_seconds, ours_seconds, apart))
    return rows


def _params(metric: Metric) -> StatisticsParams:
    return StatisticsParams(
        dataset="made",
        inputs="0",
        seeds=(20, 13, 14, 15, 16, 17),
        uniform_seed=12,
        steps=STEPS,
        proxies=("logistic", "px"),
        metrics=(metric,),
        splits=("val",),
        signs=("correct", "legacy"),
    )


def _made(root: Path, documents: int) -> dict[str, Path]:
    """Scores of all checkpoints, Delta and proxies; softmax-like alpha, rounded proxies, so that there are ties."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(20, 100, size=documents)
    lengths[:3] = (300, 600, 1200)
    half, total, params = halves(documents, "val"), int(lengths.sum()), _params("top5")
    truth = rng.normal(size=total)
    needs = {}

    def write(name: str, values: dict[str, np.ndarray], told: dict) -> None:
        needs[name] = root / name
        needs[name].mkdir(parents=True)
        write_scores(
            needs[name], Scores(items={"val": documents}, lengths=lengths, half=half, values=values, performance=told)
        )

    def noisy(share: float) -> np.ndarray:
        return (share * truth + rng.normal(size=total)).astype(np.float32)

    for run in params.runs.all:
        for number, step in enumerate(STEPS):
            accuracy = 0.5 + 0.4 * number / len(STEPS)
            told = {"val": {part: {"accuracy": accuracy} for part in PARTS}}
            values = {what: noisy(0.1 * number) for what in params.runs.quantities(run)}
            write(checkpoint_name(run, step), values, told)
    write("delta", {f"delta-{STEPS[-1]}": noisy(1.0)}, {})
    for name in params.proxies:
        beta = noisy(2.0).round(1)
        write(f"proxy-{name}", {"beta": beta, "beta-heldout": beta}, {})
    return needs


def _loops(params: StatisticsParams, needs: dict[str, Path]) -> dict[tuple[str, int | None], float]:
    """agr_* and the curve, pair by pair."""

    def of(name: str, quantity: str) -> Ragged:
        return read_scores(needs[name]).quantity(quantity)

    def agreement(u: Ragged, v: Ragged) -> float:
        return float(np.nanmean([_one(params.metrics[0], u[row], v[row]) for row in range(len(u))]))

    runs, last = params.runs, STEPS[-1]
    gold = of(checkpoint_name(runs.gold, last), "alpha")
    found: dict[tuple[str, int | None], float] = {}
    for step in STEPS:
        others = [agreement(gold, of(checkpoint_name(run, step), "alpha")) for run in runs.comparison]
        found["alpha_corrs", step] = float(np.mean(others))
    sides = {"unif": gold, "grad": of("delta", f"delta-{last}")}
    sides |= {name: of(f"proxy-{name}", "beta") for name in params.proxies}
    for name, side in sides.items():
        found[f"agr_{name}", None] = max(
            agreement(side, of(checkpoint_name(runs.uniform, step), "beta")) for step in STEPS
        )
    other = [of(checkpoint_name(runs.comparison[0], step), "beta") for step in STEPS]
    found["agr_normal", None] = max(agreement(gold, beta) for beta in other)
    return found


def _one(metric: Metric, u: np.ndarray, v: np.ndarray) -> float:
    if metric == "top5":
        return float(np.sum(v > v[np.argmax(u)]) < (len(u) + 19) // 20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(np.asarray(stats.kendalltau(u, v))[0])


def _ours(rows: list[dict]) -> dict[tuple[str, int | None], float]:
    known = [row for row in rows if row["selection"] == "same" and row["sign"] == "correct"]
    found = {("alpha_corrs", row["step"]): row["value"] for row in known if row["key"] == "alpha_corrs"}
    return {**found, **{(row["key"], None): row["value"] for row in known if row["key"].startswith("agr_")}}
