"""Results with the scores that a test plants in them."""

from typing import Any

from tasks.squad.squad_probes.config import HERE, Config
from tasks.squad.squad_probes.rows import prepared
from tests.tasks.squad.squad_probes.probe_fakes import (
    BERT,
    HALVES,
    FakeResults,
    baseline_rows,
    evaluate_job,
    probe,
    score_rows,
)


def asked(models: Any = (BERT,), encoders: Any = ("pretrained", "finetuned")) -> Config:
    """The options that reduce reads."""
    return Config(models=models, encoders=encoders, finetuned=(HERE,), tokenizer="builtin")


def results(*encoders):
    """Results of jobs (who, {probe columns as items: (no_exact, has_f1) of both halves}), proper decoder alone."""
    jobs = []
    for who, probes in encoders:
        rows = []
        for lead, first, second in probes:
            parts = dict(zip(HALVES, (first, second), strict=True))
            rows += score_rows(lead, parts, "proper")
        jobs.append((evaluate_job(**who), {"scores": rows, "baselines": baseline_rows()}))
    return FakeResults(jobs)


def scores_of(found):
    return prepared(found.table("scores"))


def even(*values, level=0, **lead):
    """A probe with the same scores on both halves."""
    return (probe(level, **lead), values, values)


def f1_of(no, has):
    n, answerable = 6078, 2910
    return ((n - answerable) * no + answerable * has) / n
