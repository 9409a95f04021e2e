"""Tiny encoders of random weights on a few builtin proteins, as the plan makes their jobs."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.experiment import Context, Job
from tasks.transfer.representation_similarity.config import Config
from tasks.transfer.representation_similarity.plan import plan
from tasks.transfer.representation_similarity.similarity import similarity

TINY = {
    "models": ("scratch",),
    "tokenizer": "builtin",
    "layers": 2,
    "width": 16,
    "heads": 2,
    "intermediate": 32,
    "pairs": ("random-plus",),
    "encoder_seeds": (0,),
    "plus": "random",
    "plus_layers": 3,
    "plus_width": 12,
    "plus_heads": 2,
    "plus_intermediate": 24,
    "protein_tasks": ("builtin",),
    "proteins": 9,
    "max_length": 40,
    "dtype": "float64",
    "null_draws": 2,
}


@dataclass(frozen=True)
class Planned:
    """The jobs of a config and the directory of its proteins."""

    jobs: list[Job]
    proteins: Path

    def context(self, **given) -> Context:
        return Context(needs={"proteins": self.proteins}, paths=self.jobs[0].paths, **given)

    def run(self, **given):
        """The tables of the first job."""
        return similarity(self.jobs[0].params, self.context(**given))


@pytest.fixture(scope="session")
def planned(tmp_path_factory):
    """A function: options -> their jobs and proteins; equal proteins are made once."""
    made: dict[str, Path] = {}

    def make(**options) -> Planned:
        jobs = [job for job in plan(Config(**(TINY | options))) if job.stage.name == "representation_similarity"]
        need = jobs[0].needs["proteins"]
        if need.id not in made:
            made[need.id] = tmp_path_factory.mktemp("proteins")
            context = Context(job_id=need.id, artifact=made[need.id], paths=need.paths)
            need.stage.load()(need.params, context)
        return Planned(jobs=jobs, proteins=made[need.id])

    return make


def values(tables, column="value"):
    """A dict of a column of the table `similarity` by (level of the first, of the second, metric)."""
    return {(row["level_first"], row["level_second"], row["metric"]): row[column] for row in tables["similarity"]}
