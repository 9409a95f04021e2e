"""The options of `layernorm_lipschitz` and its presets; `paper` is the published setting (README 4)."""

import dataclasses
from dataclasses import dataclass

from orchestrator.limits import Limited, Positive
from tasks.transfer.diagnostics.options import QUICK_DIAGNOSTIC, DiagnosticOptions


@dataclass(frozen=True, kw_only=True)
class Batches(Limited):
    """What passes the encoder together."""

    batches: Positive = 201
    """Maximum number of batches of the train split, in the order of the seed."""
    batch_size: Positive = 32
    """Batch size; the last batch may be smaller."""
    legacy_padding: bool = False
    """Pad all sentences to --max-length as published, so that the values over all positions are mostly of padding; else
    to the longest of the batch."""


@dataclass(frozen=True, kw_only=True)
class Config(Batches, DiagnosticOptions):
    """1/sigma of what enters every LayerNorm, and the gain |gamma|/sigma, over the tokens of many batches."""


PRESETS = {
    "paper": Config(),
    "quick": Config(**QUICK_DIAGNOSTIC, batches=10),
}
PRESETS["legacy"] = dataclasses.replace(PRESETS["paper"], legacy_padding=True, legacy_dropout=True, shifts=(1000,))
"""The published setting: padding counted, dropout on in both."""
