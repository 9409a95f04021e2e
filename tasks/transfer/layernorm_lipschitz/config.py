"""The options of `layernorm_lipschitz` and its presets; `paper` is the published setting (transfer_analysis 4)."""

import dataclasses
from dataclasses import dataclass

from tasks.encoders.options import at_least
from tasks.transfer.diagnostics.options import QUICK_DIAGNOSTIC, DiagnosticOptions


@dataclass(frozen=True, kw_only=True)
class Config(DiagnosticOptions):
    """1/sigma of what enters every LayerNorm, and the gain |gamma|/sigma, over the tokens of many batches."""

    batches: int = 201
    """Batches of the train split, in the order of the seed; fewer where it ends."""
    batch_size: int = 32
    """Sentences a batch; the last may have fewer."""
    legacy_padding: bool = False
    """Pad all sentences to max_length as published, so that the values over all positions are mostly of padding; else
    to the longest of the batch."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("batches", "batch_size"):
            at_least(self, name, 1)


PRESETS = {
    "paper": Config(),
    "quick": Config(**{**QUICK_DIAGNOSTIC, "batches": 10}),
}
PRESETS["legacy"] = dataclasses.replace(PRESETS["paper"], legacy_padding=True, legacy_dropout=True, shifts=(1000,))
"""As published: padding counted, dropout on for both."""
