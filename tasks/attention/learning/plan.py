"""The stage of the statistics as plans see it, and the jobs that both experiments plan alike. Imports no torch.

The job of the statistics needs the artifacts of evaluations and proxies under the names that `statistics_job` gives.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from orchestrator.experiment import Job, Resources, Stage, TableSpec, column
from orchestrator.limits import Limited, Several, shared
from tasks.attention.learning.runs import (
    LearningOptions,
    MetricOption,
    Performance,
    PerformanceOption,
    Proxy,
    ProxyOption,
    Run,
    RunOptions,
    SplitOption,
    Steps,
    checkpoint_name,
)

Sign = Literal["correct", "legacy"]

DELTA, PROXY = "delta", "proxy-"


@dataclass(frozen=True, kw_only=True)
class _Inputs(Limited):
    dataset: str
    """Name of the data set."""
    inputs: str
    """16 hex digits over the ids of all jobs that the numbers come from: one for each setting of what was trained."""


@dataclass(frozen=True, kw_only=True)
class _Grid(RunOptions, _Inputs):
    steps: Steps
    """All checkpoints."""


@dataclass(frozen=True, kw_only=True)
class StatisticsParams(SplitOption, MetricOption, PerformanceOption, ProxyOption, _Grid):
    """Which runs and checkpoints are compared, and how.

    Tuples spread over the rows. What else shapes them, such as the width of the models, is in `inputs`.
    """

    signs: Several[Sign] = ("correct",)
    """Signs of Delta; legacy is the published one of classification, reported beside the correct one."""


KIND = column("kind", pa.string(), "normal, or uniform: attention frozen to one over the source's length")
STEP = column("step", pa.int64(), "training steps done")
PERFORMANCE = TableSpec(
    schema=pa.schema(
        [
            column("split", pa.string(), "val (the evaluation split), or train (a sample of the training split)"),
            column("part", pa.string(), "all items of the split, or one fixed half of them, a or b"),
            column("metric", pa.string(), "accuracy, perplexity, bleu, …"),
            column("value", pa.float64(), "classification: a fraction; translation: percent, BLEU points 0-100"),
        ]
    ),
    key=("split", "part", "metric"),
    doc="How well each checkpoint does. The stage's parameters `dataset`, `kind`, `seed` and `step` say which it is.",
)
AGREEMENT = TableSpec(
    schema=pa.schema(
        [
            column("split", pa.string(), "val or train"),
            column("part", pa.string(), "items of the mean: all, or one fixed half, a or b"),
            column("metric", pa.string(), "top5 (top-5 % match) or kendall (tau-b)"),
            column("u", pa.string(), "supplies the argmax: alpha, beta, delta, or delta-legacy (the published sign)"),
            column("u_run", pa.string(), "normal-<seed>, or a proxy: px, logistic (-heldout: chosen on half a)"),
            column("u_step", pa.int64(), "training steps of u's checkpoint; none for a proxy"),
            column("v", pa.string(), "supplies the ranking: alpha or beta"),
            column("v_run", pa.string(), "normal-<seed> or uniform-<seed>"),
            column("v_step", pa.int64(), "training steps of v's checkpoint"),
            column("mean", pa.float64(), "mean over items; NaN where there is none"),
            column("items", pa.int64(), "items in the mean: for top5 all, for kendall those where tau is defined"),
            column(
                "undefined",
                pa.int64(),
                "items where u or v has a NaN (top5: still in the mean, as published), or is constant (kendall alone)",
            ),
            column("baseline", pa.float64(), "expected mean after each v is shuffled, in closed form, same items"),
        ]
    ),
    key=("split", "part", "metric", "u", "u_run", "u_step", "v", "v_run", "v_step"),
    doc="Agreement A(u, v) of every pair that was compared (README 3).",
)
STATISTICS = TableSpec(
    schema=pa.schema(
        [
            column("split", pa.string(), "val or train"),
            column("performance", pa.string(), "what chose the gold run's checkpoint and gives xi: accuracy, bleu"),
            column("metric", pa.string(), "top5 (top-5 % match) or kendall (tau-b)"),
            column(
                "selection",
                pa.string(),
                "same (checkpoints are chosen on the items that they are judged on, as published), or held_out (chosen "
                "on half a, judged on half b)",
            ),
            column("sign", pa.string(), "sign of Delta: correct, or legacy (classification as published)"),
            column(
                "key",
                pa.string(),
                "key of the published dictionary: agr_*, xi_*, baseline, best_perf, alpha_corrs, alpha_perfs; and "
                "baseline_*, the baseline of each agr_*",
            ),
            column("value", pa.float64(), "agreement, or performance in its unit; none where xi is never reached"),
            column(
                "step",
                pa.int64(),
                "training steps of the checkpoint of the value: the maximum of agr_*, the crossing of xi_*, the gold "
                "run's best; none for baseline and what is never reached",
            ),
        ]
    ),
    key=("split", "performance", "metric", "selection", "sign", "key", "step"),
    doc="The published dictionary of statistics (README 3), a row a key, or a key and checkpoint.",
)

GPU_IF_ANY = Resources(num_cpus=1, num_gpus=1)

ATTENTION_STATISTICS = Stage(
    name="attention_statistics",
    function="tasks.attention.learning.statistics:attention_statistics",
    params=StatisticsParams,
    tables={"agreement": AGREEMENT, "statistics": STATISTICS},
    resources=Resources(num_cpus=1),
)


def training_jobs(
    stage: Stage,
    options: LearningOptions,
    given: Callable[[tuple[Run, ...]], Mapping[str, Any]],
    needs: Mapping[str, Job],
    passes: float,
) -> dict[Run, Job]:
    """The job that trains each run, `seeds_together` runs a job.

    Args:
        given: the parameters of a block of runs, beside their names.
        needs: the job of the data, by the name that the stage gives it.
        passes: those of one run.
    """
    (data,) = needs.values()
    found = {}
    for block in options.runs.blocks(options.seeds_together):
        params = stage.params(**given(block), runs=tuple(run.name for run in block))
        cost = len(block) * passes
        job = Job(stage=stage, params=params, needs=needs, fingerprints=data.fingerprints, passes=cost)
        found |= dict.fromkeys(block, job)
    return found


def evaluation_jobs(
    stage: Stage,
    options: LearningOptions,
    given: Callable[[Run], Mapping[str, Any]],
    needs: Callable[[Run], Mapping[str, Job]],
    data: Job,
    steps: tuple[int, ...],
    passes: float,
) -> dict[tuple[Run, int], Job]:
    """The job that evaluates each checkpoint; those of one data set share a warm key, so that a worker keeps it open.

    Args:
        given: the parameters of a run's evaluations, beside the checkpoint and what is kept of it.
        needs: the jobs of the data and of the run's training, by the names that the stage gives them.
        passes: those of one evaluation.
    """
    return {
        (run, step): Job(
            stage=stage,
            params=stage.params(
                **given(run),
                kind=run.kind,
                seed=run.seed,
                step=step,
                quantities=options.kept(run),
                splits=options.split_order,
            ),
            needs=needs(run),
            fingerprints=data.fingerprints,
            passes=passes,
            warm_key=data.id,
        )
        for run in options.runs.all
        for step in steps
    }


def proxy_params(options: LearningOptions, *, epochs: int, learning_rate: float) -> dict[str, Any]:
    """The values of `ProxyTraining`."""
    return {
        "epochs": epochs,
        "width": options.proxy_width,
        "batch_size": options.proxy_batch,
        "learning_rate": learning_rate,
        "seed": options.proxy_seed,
    }


def statistics_job(
    options: LearningOptions,
    *,
    dataset: str,
    evaluations: Mapping[tuple[Run, int], Job],
    delta: Job,
    proxies: Mapping[Proxy, Job],
    performances: tuple[Performance, ...] = ("accuracy",),
    legacy_sign: bool = False,
) -> Job:
    """The statistics of one data set.

    Args:
        options: runs, metrics and splits.
        evaluations: the job whose artifact holds the scores of a checkpoint, for each run of `options` and each step.
        delta: its artifact holds `delta-<step>` for each step of `delta_choice`, in the correct sign; its fingerprints
            are those of the data.
        proxies: by name; artifacts with `beta` and `beta-heldout`.
        legacy_sign: classification: the numbers with the published sign of Delta too.

    Raises:
        ValueError: a checkpoint has no evaluation.
        TypeError: a proxy or performance is none of those known.
    """
    grid = tuple(sorted({step for _, step in evaluations}))
    for run in options.runs.all:
        for step in grid:
            if (run, step) not in evaluations:
                raise ValueError(f"{dataset}: no evaluation of {run.name} at step {step}; all runs share one grid")
    needs = {checkpoint_name(run, step): evaluations[run, step] for run in options.runs.all for step in grid}
    needs[DELTA] = delta
    needs |= {PROXY + name: job for name, job in proxies.items()}
    ids = " ".join(f"{name}={job.id}" for name, job in sorted(needs.items()))
    params = StatisticsParams(
        **shared(options, RunOptions),
        dataset=dataset,
        inputs=hashlib.sha256(ids.encode()).hexdigest()[:16],
        steps=grid,
        proxies=tuple(sorted(proxies)),
        performances=performances,
        metrics=options.metrics,
        splits=options.split_order,
        signs=("correct", "legacy") if legacy_sign else ("correct",),
    )
    return Job(stage=ATTENTION_STATISTICS, params=params, needs=needs, fingerprints=delta.fingerprints)


def gold_needs(run: Run, evaluations: Mapping[tuple[Run, int], Job]) -> dict[str, Job]:
    """What a delta job needs to choose its checkpoints: the gold run's evaluations, named as `delta_choice` expects."""
    return {checkpoint_name(one, step): job for (one, step), job in evaluations.items() if one == run}
