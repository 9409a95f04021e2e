"""`training.json`, which tells of a pretraining beside its checkpoint, and the stage that makes rows of it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.experiment import Context
from tasks.deep_bert.pretraining_params import PretrainParams
from tasks.small_training import TRAINING


def write_training(directory: Path, rows: Sequence[Mapping[str, Any]], outcome: Mapping[str, Any]) -> None:
    """Keep the rows of both tables beside the checkpoint."""
    tables = {"training": list(rows), "outcomes": [dict(outcome)]}
    (directory / TRAINING).write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")


def read_outcome(directory: Path) -> dict[str, Any]:
    """What became of a pretraining: a row of `outcomes`.

    Raises:
        ValueError: it is not there.
    """
    return _read(directory)["outcomes"][0]


def pretrain_bert_report(params: PretrainParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `training` and `outcomes`: what the job in `context.needs["model"]` wrote about its training.

    Raises:
        ValueError: it is not there.
    """
    return _read(context.needs["model"])


def _read(directory: Path) -> dict[str, list[dict[str, Any]]]:
    path = directory / TRAINING
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected an artifact of pretrain_bert, run its job again")
    return json.loads(path.read_text(encoding="utf-8"))
