"""Dropout as published: on in random encoders and in PLUS, with masks that depend on the job and the protein alone."""

import contextlib
from typing import Any

import torch

from tasks.training.dropout import dropout_stream
from tasks.transfer.comparison.params import PairParams
from tasks.transfer.comparison.sides import ProteinBatch


def dropout_of(params: PairParams, batch: ProteinBatch, device: torch.device) -> Any:
    """With `legacy_dropout` a context in which a batch's masks depend on its first protein alone (batches are then of
    one); else one that changes nothing. The global random state is left as it was."""
    if not params.legacy_dropout:
        return contextlib.nullcontext()
    return dropout_stream(device, params.encoder_seed or 0, int(batch.proteins[0]))
