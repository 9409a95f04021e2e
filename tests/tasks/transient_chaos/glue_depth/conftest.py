"""Shared pieces of the `glue_depth` tests."""

from pathlib import Path

import pytest
import torch

from models.albert import random_albert, scratch_config


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory) -> Path:
    """A directory that `save_pretrained` wrote: an ALBERT of width 16 with random weights."""
    directory = tmp_path_factory.mktemp("models") / "tiny-albert"
    config = scratch_config(16, heads=2, embedding_size=8, vocab_size=3000)
    random_albert(config, "hf_default", 0, torch.float32).save_pretrained(directory)
    return directory
