"""Dropout as published: on in random encoders and in PLUS, with masks that depend on the job and the protein alone."""

import contextlib
from typing import Any

import torch

from tasks.proteins.params import PairParams
from tasks.proteins.sides import ProteinBatch
from tasks.seeds import stream_seed


def dropout_of(params: PairParams, batch: ProteinBatch, device: torch.device) -> Any:
    """With `legacy_dropout` a context in which a batch's masks depend on its first protein alone (batches are then of
    one); else one that changes nothing. The global random state is left as it was."""
    stack = contextlib.ExitStack()
    if params.legacy_dropout:
        stack.enter_context(torch.random.fork_rng([device] if device.type == "cuda" else []))
        torch.manual_seed(stream_seed(params.encoder_seed or 0, "dropout", int(batch.proteins[0])))
    return stack
