"""`training.json`, which tells of a pretraining beside its checkpoint, and the stage that makes rows of it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.experiment import Context
from tasks.deepscale.deep_bert.pretraining_params import PretrainParams
from tasks.training.loop import TRAINING, read_training


def write_training(directory: Path, rows: Sequence[Mapping[str, Any]], outcome: Mapping[str, Any]) -> None:
    """Keep the rows of both tables beside the checkpoint."""
    tables = {"training": list(rows), "outcomes": [dict(outcome)]}
    (directory / TRAINING).write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")


def pretrain_bert_report(params: PretrainParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `training` and `outcomes`: what the job in `context.needs["model"]` wrote about its training.

    Raises:
        ValueError: it is not there.
    """
    return read_training(context.needs["model"], "pretrain_bert")
