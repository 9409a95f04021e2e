"""Translators from weights under the published names."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from models.attention_translator import AttentionTranslator, TranslatorConfig

HERE = Path(__file__).parent
NAMES = {"extra_ff": "join", "hidden2vocab": "vocabulary", "attn_lin": "query", "project_enc": "project"}


def own_name(published: str) -> str:
    """`encoder_lstm__weight_ih_l1_reverse` is `encoder.1.weight_ih_l0_reverse` here."""
    name = published.replace("__", ".")
    if match := re.fullmatch(r"(encoder|decoder)_lstm\.(\w+?)_l(\d+)(_reverse)?", name):
        return f"{match[1]}.{match[3]}.{match[2]}_l0{match[4] or ''}"
    module, _, rest = name.partition(".")
    return f"{NAMES.get(module, module)}.{rest}"


def translator(arrays: Mapping[str, np.ndarray], prefix: str = "w__", uniform: bool = False) -> AttentionTranslator:
    """A float64 translator without dropout from the arrays whose names begin with `prefix`."""
    weights = {own_name(k.removeprefix(prefix)): torch.from_numpy(arrays[k]) for k in arrays if k.startswith(prefix)}
    vocab_size, hidden = weights["embedding.weight"].shape
    layers = sum(name.startswith("decoder") and "weight_ih" in name for name in weights)
    config = TranslatorConfig(vocab_size=vocab_size, hidden=hidden, layers=layers, dropout=0.0, uniform=uniform)
    model = AttentionTranslator(config).double()
    model.load_state_dict(weights)
    return model
