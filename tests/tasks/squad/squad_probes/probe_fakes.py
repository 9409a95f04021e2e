"""Believable tables of `squad_probes`, made without a model: the published numbers, changed by configuration and noise.

The rows are plain dicts with just the declared columns; the store's own function adds the parameters, so that reduce is
tested on the columns that it will get.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from orchestrator.experiment import Job
from tasks.squad.published import PROBES
from tasks.squad.questions.plan import DATA
from tasks.squad.squad_probes.stages import (
    BASELINES,
    COSTS,
    CURVES,
    PROBE_ADAM,
    PROBE_EVALUATE,
    PROBE_LBFGS,
    SCORES,
    SOLUTIONS,
    WEIGHTS,
    AdamParams,
    LbfgsParams,
    PredictParams,
)
from tests import fake_results

TABLES = {
    "data": DATA,
    "scores": SCORES,
    "baselines": BASELINES,
    "curves": CURVES,
    "solutions": SOLUTIONS,
    "weights": WEIGHTS,
    "costs": COSTS,
}
HALVES = {"first_half": (3100, 1500), "second_half": (2978, 1410)}
RATES, STRENGTHS, SEEDS, EPOCHS = (3e-5, 3e-4), (1e-3, 1e-2), (1, 2, 3), 2
ALBERT, BERT, DISTILBERT = "albert/albert-base-v2", "google-bert/bert-base-uncased", "distilbert-base-uncased"
CHECKPOINTS = {name: f"twmkn9/{name.rsplit('/', 1)[-1]}-squad2" for name in (ALBERT, BERT, DISTILBERT)}


class FakeResults(fake_results.FakeResults):
    """Results of this experiment."""

    def __init__(self, rows: Sequence[tuple[Job, Mapping[str, Any]]]):
        super().__init__(TABLES, rows)


def encoder(model: str, kind: str, seed: int | None = None, mode: str = "proper") -> dict[str, Any]:
    """The parameters of an encoder; one that is fine-tuned is a given checkpoint unless it has a seed."""
    given = kind == "finetuned" and seed is None
    scratch = {"architecture": "bert", "layers": 4, "width": 64} if model == "scratch" else {}
    revision = "job-0123" if kind == "finetuned" and not given else "" if model == "scratch" else "abc"
    return {
        **scratch,
        "model": model,
        "checkpoint": CHECKPOINTS[model] if given else "",
        "revision": revision,
        "encoder": kind,
        "encoder_seed": seed,
        "tokenizer": "builtin",
        "dataset": "squad_v2",
        "mode": mode,
    }


def evaluate_job(**params: Any) -> Job:
    return Job(stage=PROBE_EVALUATE, params=PredictParams(**params))  # pyright: ignore


def probe(
    level: int, solver: str = "adam", strength: float = 3e-5, seed: int = 1, epoch: int = EPOCHS
) -> dict[str, Any]:
    """The columns that name a probe."""
    if solver == "lbfgs":
        return {"level": level, "solver": solver, "learning_rate": 0.0, "l2": strength, "seed": 0, "epoch": 0}
    return {"level": level, "solver": solver, "learning_rate": strength, "l2": 0.0, "seed": seed, "epoch": epoch}


def baseline_rows() -> list[dict[str, Any]]:
    """Rows for the CS224N questions in two halves."""
    sizes = {"all": (6078, 2910), **HALVES}
    return [
        {"part": part, "metric": metric, "value": float(value)}
        for part, (n, has) in sizes.items()
        for metric, value in (
            ("questions", n),
            ("answerable", has),
            ("windows", n + 300),
            ("always_null", 100 * (n - has) / n),
        )
    ]


def score_rows(lead: Mapping[str, Any], parts: Mapping[str, tuple[float, float]], decoder: str) -> list[dict[str, Any]]:
    """Rows of scores of one probe from (no_exact, has_f1) in percent of each half; `all` is put together of them."""
    sizes = {part: (n - has, has) for part, (n, has) in HALVES.items()}
    total = tuple(sum(sizes[part][i] for part in parts) for i in (0, 1))
    whole = tuple(sum(sizes[part][i] * parts[part][i] for part in parts) / total[i] for i in (0, 1))
    rows = []
    for part, (no, has) in {"all": whole, **parts}.items():
        n_no, n_has = total if part == "all" else sizes[part]
        f1 = (n_no * no + n_has * has) / (n_no + n_has)
        exact = (n_no * no + n_has * 0.85 * has) / (n_no + n_has)
        values = {"exact": exact, "f1": f1, "has_exact": 0.85 * has, "has_f1": has, "no_exact": no}
        if part == "all":
            values |= {"exact_se": 0.62, "f1_se": 0.6}
        if decoder == "proper":
            best = max(f1 + 1.5 * has * (100 - has) / 2500, 100 * n_no / (n_no + n_has))
            values |= {"best_f1": best, "best_exact": best - 1, "cross_f1": best - 0.2, "cross_exact": best - 1.3}
            values |= {"forced_has_f1": min(100.0, 1.1 * has + 4), "forced_has_exact": 0.9 * has + 2}
            values |= {"best_f1_threshold": 1.0, "best_exact_threshold": 1.0, "null_average_precision": 0.5 + has / 200}
            if part == "all":
                values["loss"] = 4.5 - has / 25
        rows += [{**lead, "decoder": decoder, "part": part, "metric": m, "value": float(v)} for m, v in values.items()]
    return rows


def planted(model: str, kind: str) -> list[tuple[float, float]]:
    """(no_exact, has_f1) of each level from 0 on: the published where there are such, else invented."""
    for table in PROBES:
        if table.encoder == kind and table.model.endswith(model.rsplit("/", 1)[-1]):
            return [(100.0, 0.0), *((row[3], row[5]) for row in table.rows)]
    depth = {"scratch": 4, DISTILBERT: 6}.get(model, 12)
    height = {"finetuned": 30.0, "random": 1.5}.get(kind, 5.0)
    return [(100 - 0.6 * height * (x / depth) ** 2, height * (x / depth) ** 2) for x in range(depth + 1)]


def evaluation(
    random: np.random.Generator, who: Mapping[str, Any], decoders: Sequence[str] = ("proper", "legacy")
) -> tuple[Job, dict[str, Any]]:
    """A job of `probe_evaluate` and its rows: two learning rates, two strengths of L2, three seeds, two epochs."""
    rows = []
    probes = [("adam", rate, seed, epoch) for rate in RATES for seed in SEEDS for epoch in (1, 2)]
    probes += [("lbfgs", strength, 0, 0) for strength in STRENGTHS]
    for level, (no, has) in enumerate(planted(who["model"], who["encoder"])):
        for solver, strength, seed, epoch in probes:
            # More training answers more of what can be answered, and says less often that there is no answer.
            factor = {(3e-5, 1): 0.9, (3e-5, 2): 1.0, (3e-4, 1): 1.05, (3e-4, 2): 1.1}.get((strength, epoch), 1.13)
            factor -= 0.06 if strength == 1e-2 else 0.0
            for decoder in decoders:
                gain = 1.05 if decoder == "proper" else 1.0
                parts = {
                    half: (
                        float(np.clip(no + random.normal(0, 0.6) * (no < 100), 0, 100)),
                        float(np.clip(has * factor * gain + random.normal(0, 0.6) * (has > 0), 0, 97)),
                    )
                    for half in HALVES
                }
                rows += score_rows(probe(level, solver, strength, seed, epoch), parts, decoder)
    return evaluate_job(**who), {"scores": rows, "baselines": baseline_rows()}


def training(random: np.random.Generator, who: Mapping[str, Any]) -> list[tuple[Job, dict[str, Any]]]:
    """Jobs of both training stages and their rows; one problem is not solved, and low rates still grow."""
    levels = range(len(planted(who["model"], who["encoder"])))
    curves = [
        {"level": level, "learning_rate": rate, "seed": seed, "step": step, "epoch": step / 1000}
        | {"loss": 6.0 - level / 5 * (1 - np.exp(-step * rate * 10)) + random.normal(0, 0.03)}
        for level in levels
        for rate in RATES
        for seed in SEEDS
        for step in range(100, 2001, 100)
    ]
    weights = [
        {**probe(level, "adam", rate, seed, epoch), "head": head, "norm": 1.0 + (0.3 if rate < 1e-4 else 0.004) * epoch}
        for level in levels
        for rate in RATES
        for seed in SEEDS
        for epoch in (1, 2)
        for head in ("start", "end")
    ]
    solutions = [
        {"level": level, "l2": strength, "head": head, "loss": 2.0, "objective": 2.5, "gradient": 3e-4}
        | {"iterations": 300, "converged": not (level == 2 and head == "end" and strength == 1e-3)}
        for level in levels
        for strength in STRENGTHS
        for head in ("start", "end")
    ]
    cost = {"n_windows": 100, "n_probes": 6, "n_levels": len(levels), "layer_passes": 1200}
    cost |= {"encoder_seconds": 10.0, "probe_seconds": 5.0}
    solved = [{**probe(level, "lbfgs", 1e-3), "head": "start", "norm": 3.0} for level in levels]
    adam = AdamParams(**who, learning_rates=RATES, seeds=SEEDS, epochs=2)  # pyright: ignore
    lbfgs = LbfgsParams(**who, l2=STRENGTHS)  # pyright: ignore
    return [
        (Job(stage=PROBE_ADAM, params=adam), {"curves": curves, "weights": weights, "costs": [cost]}),
        (Job(stage=PROBE_LBFGS, params=lbfgs), {"solutions": solutions, "weights": solved, "costs": [cost]}),
    ]


def sweep(whos: Sequence[Mapping[str, Any]], trained: bool = True) -> FakeResults:
    """Results of a sweep over these encoders."""
    random = np.random.default_rng(0)
    jobs = []
    for who in whos:
        jobs.append(evaluation(random, who))
        if trained:
            jobs += training(random, who)
    return FakeResults(jobs)


def paper_encoders(mode: str = "proper") -> list[dict[str, Any]]:
    """Pretrained, given fine-tuned and two random encoders of the three published architectures."""
    return [
        encoder(model, kind, seed, mode)
        for model in (ALBERT, BERT, DISTILBERT)
        for kind, seed in (("pretrained", None), ("finetuned", None), ("random", 0), ("random", 1))
    ]


def scratch_encoders(seeds: Sequence[int] = (0, 1)) -> list[dict[str, Any]]:
    """Small models from scratch, before and after fine-tuning."""
    return [encoder("scratch", kind, seed) for kind in ("finetuned", "random") for seed in seeds]
