"""A pair of tiny encoders on the builtin proteins, prepared without the orchestrator."""

from pathlib import Path
from typing import Any

from orchestrator.experiment import Context
from tasks.data.tokenizers import locate_tokenizer
from tasks.transfer.comparison.options import PairParams
from tasks.transfer.proteins.artifact import protein_data
from tasks.transfer.proteins.stages import proteins_job

TINY: dict[str, Any] = {
    "first": "random",
    "second": "plus",
    "protein_task": "builtin",
    "split": "test",
    "proteins": 6,
    "max_length": 24,
    "model": "scratch",
    "architecture": "bert",
    "layers": 2,
    "width": 16,
    "heads": 2,
    "encoder_seed": 3,
    "tokenizer": "builtin",
    "plus": "random",
    "plus_seed": 4,
    "plus_layers": 2,
    "plus_width": 24,
    "plus_heads": 4,
    "plus_intermediate": 48,
    "dtype": "float64",
}


def tiny_pair(**change: Any) -> PairParams:
    """Parameters of a random BERT of two layers against a random PLUS of two."""
    fields = {**TINY, "tokenizer_revision": locate_tokenizer("builtin").revision, **change}
    return PairParams(**fields)


def protein_context(directory: Path, params: PairParams) -> Context:
    """A context with the proteins of these parameters in a new folder of `directory`."""
    job = proteins_job("builtin", None, split="test", limit=params.proteins, max_length=params.max_length - 2)
    artifact = directory / f"proteins-{job.id}"
    artifact.mkdir()
    protein_data(job.params, Context(job_id=job.id, paths=job.paths, artifact=artifact))
    return Context(needs={"proteins": artifact})
