"""The experiments on trainability and transfer on CUDA against the CPU: the same numbers up to rounding in float64."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from orchestrator.experiment import Context, Job

# pandas says that any comparison of its objects may be a Series, so this rule says nothing here:
# pyright: reportGeneralTypeIssues=false

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

SIZES: dict[str, Any] = {"models": ("scratch",), "tokenizer": "builtin", "layers": 2, "width": 16, "heads": 2}
SENTENCES = {**SIZES, "encoders": ("random",), "tasks": ("similarity",), "seeds": (0,), "shifts": (1000,)}
SENTENCES |= {"max_length": 24, "train_limit": 40, "dtype": "float64"}
PROTEINS = {**SIZES, "pairs": ("random-plus",), "encoder_seeds": (0,), "plus": "random", "plus_layers": 3}
PROTEINS |= {"plus_width": 12, "plus_heads": 2, "protein_tasks": ("builtin",), "proteins": 6, "max_length": 24}
PROTEINS |= {"dtype": "float64"}
EXPERIMENTS: Mapping[str, dict[str, Any]] = {
    "dynamical_isometry": {**SENTENCES, "sentences": 3, "whole": True},
    "gradient_confusion": {**SENTENCES, "batches": 4, "batch_size": 4},
    "perturbation": {**SENTENCES, "batches": 2, "batch_size": 4},
    "layernorm_lipschitz": {**SENTENCES, "batches": 2, "batch_size": 4},
    "representation_similarity": PROTEINS,
    "attention_matching": PROTEINS,
}
# Of singular values that are 0 in exact arithmetic only rounding is seen; a count may move by one between bins.
ROUNDING = {"spectra": ("null_max",), "histogram": ("count",)}


def artifact(job: Job, place: Path, made: dict[str, Path]) -> Path:
    """The artifact of a job and of what it needs, made on the CPU once."""
    if job.id not in made:
        needs = {name: artifact(need, place, made) for name, need in job.needs.items()}
        made[job.id] = place / job.id
        made[job.id].mkdir()
        context = Context(job_id=job.id, needs=needs, paths=job.paths, artifact=made[job.id])
        job.stage.load()(job.params, context)
    return made[job.id]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_cuda_gives_the_numbers_of_the_cpu(name, tmp_path):
    experiment = importlib.import_module(f"tasks.transfer.{name}").EXPERIMENT
    config = importlib.import_module(f"tasks.transfer.{name}.config").Config(**EXPERIMENTS[name])
    (job,) = list(experiment.plan(config))
    made: dict[str, Path] = {}
    needs = {key: artifact(need, tmp_path, made) for key, need in job.needs.items()}
    tables = {}
    for device in ("cpu", "cuda"):
        context = Context(job_id=job.id, needs=needs, paths=job.paths, device=device)
        tables[device] = job.stage.load()(job.params, context)
    for table, spec in job.stage.tables.items():
        if table == "costs":
            continue
        key = list(spec.key)
        cpu, cuda = (pd.DataFrame(list(tables[device][table])) for device in ("cpu", "cuda"))
        if not len(cpu):  # perturbation has no float32 to compare with
            assert (table, len(cuda)) == ("floors", 0)
            continue
        if table == "histogram":  # a bin that only one of them has anything in is a row of one alone
            assert cpu["count"].sum() == cuda["count"].sum()
            continue
        cpu, cuda = (frame.sort_values(key, ignore_index=True) for frame in (cpu, cuda))
        for column in set(cpu.columns) - set(ROUNDING.get(table, ())):
            if table == "spectra" and column in ("min", "mean_log", "sd_log"):
                ordinary = cpu["kind"] != "published"  # which has the structural zeros among its values
            else:
                ordinary = np.ones(len(cpu), dtype=bool)
            left, right = cpu.loc[ordinary, column], cuda.loc[ordinary, column]
            if pd.api.types.is_float_dtype(left):
                np.testing.assert_allclose(right, left, rtol=1e-6, atol=1e-9, err_msg=f"{table}, {column}")
            else:
                assert right.tolist() == left.tolist(), f"{table}, {column}"
