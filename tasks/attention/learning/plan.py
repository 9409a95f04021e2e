"""The job of the statistics, and what a delta job needs and chooses. Imports no torch."""

import hashlib
from collections.abc import Mapping, Sequence

from orchestrator.experiment import Job
from tasks.attention.learning.params import ATTENTION_STATISTICS, Metric, StatisticsParams
from tasks.attention.learning.runs import Run, Runs, checkpoint_name, complete
from tasks.attention.learning.scores import TRAIN, VAL

DELTA, PROXY = "delta", "proxy-"
PROXIES = ("px", "logistic")
LOWER_IS_BETTER = ("perplexity",)


def statistics_job(
    *,
    dataset: str,
    runs: Runs,
    steps: Sequence[int],
    evaluations: Mapping[tuple[Run, int], Job],
    delta: Job,
    proxies: Mapping[str, Job],
    performances: Sequence[str] = ("accuracy",),
    metrics: Sequence[Metric] = ("top5", "kendall"),
    splits: Sequence[str] = (VAL, TRAIN),
    legacy_sign: bool = False,
    fingerprints: Mapping[str, str] | None = None,
) -> Job:
    """The statistics of one data set.

    Args:
        evaluations: the job whose artifact holds the scores of a checkpoint, for each run of `runs.all` and step.
        delta: its artifact holds `delta-<step>` for each step of `delta_choice`, in the correct sign.
        proxies: by name, px or logistic; artifacts with `beta` and `beta-heldout`.
        legacy_sign: classification: the numbers with the published sign of Delta too.
        fingerprints: of the data, for the column `data`.

    Raises:
        ValueError: a checkpoint has no evaluation, or a proxy or performance is none of those known.
    """
    grid = complete(steps)
    for run in runs.all:
        for step in grid:
            if (run, step) not in evaluations:
                raise ValueError(f"{dataset}: no evaluation of {run.name} at step {step}; all runs share one grid")
    unknown = sorted(set(proxies) - set(PROXIES))
    if unknown:
        raise ValueError(f"no proxy {unknown[0]!r}; there are {' and '.join(PROXIES)}")
    falling = sorted(set(performances) & set(LOWER_IS_BETTER))
    if falling:
        raise ValueError(f"performances has {falling[0]}, the less the better; give accuracy or bleu")
    needs = {checkpoint_name(run, step): evaluations[run, step] for run in runs.all for step in grid}
    needs[DELTA] = delta
    needs |= {PROXY + name: job for name, job in proxies.items()}
    ids = " ".join(f"{name}={job.id}" for name, job in sorted(needs.items()))
    params = StatisticsParams(
        dataset=dataset,
        inputs=hashlib.sha256(ids.encode()).hexdigest()[:16],
        seeds=runs.seeds,
        uniform_seed=runs.uniform_seed,
        steps=grid,
        proxies=tuple(sorted(proxies)),
        performances=tuple(performances),
        metrics=tuple(metrics),
        splits=tuple(splits),
        signs=("correct", "legacy") if legacy_sign else ("correct",),
    )
    return Job(stage=ATTENTION_STATISTICS, params=params, needs=needs, fingerprints=fingerprints or {})


def gold_needs(runs: Runs, steps: Sequence[int], evaluations: Mapping[tuple[Run, int], Job]) -> dict[str, Job]:
    """What a delta job needs to choose its checkpoints: the gold run's evaluations, named as `delta_choice` expects."""
    return {checkpoint_name(runs.gold, step): evaluations[runs.gold, step] for step in complete(steps)}
