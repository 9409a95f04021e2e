"""The tiny ALBERT of the parity fixtures, in float64."""

import json
from pathlib import Path

import numpy as np
import torch
from transformers import AlbertConfig, AlbertModel

HERE = Path(__file__).parent


def tiny_albert(attention: str = "sdpa") -> AlbertModel:
    """Model A: H 32, 4 heads, FFN 64, embedding 16, vocabulary 50."""
    arrays = np.load(HERE / "tiny_albert_A.npz")
    config = AlbertConfig(**json.loads(str(arrays["config_json"])))
    config._attn_implementation = attention
    model = AlbertModel(config).double().eval()
    model.load_state_dict({name: torch.tensor(arrays[name]) for name in arrays.files if name != "config_json"})
    return model
