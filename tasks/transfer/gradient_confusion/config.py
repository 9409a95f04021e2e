"""The options of `gradient_confusion` and its presets; `paper` is the published setting (README 2)."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from orchestrator.limits import Limited, Positive, require
from tasks.transfer.diagnostics.options import QUICK_DIAGNOSTIC, DiagnosticOptions


@dataclass(frozen=True, kw_only=True)
class Batches(Limited):
    """The batches whose gradients are compared."""

    batches: Annotated[int, Ge(2)] = 101
    """Maximum number of batches, whole ones only; the gradients of all pairs of them are compared."""
    batch_size: Positive = 32
    """Batch size."""
    accumulation: Positive = 1
    """Gradient accumulation steps per batch, to save memory; without dropout no number depends on them."""
    legacy_padding: bool = False
    """Pad every batch to --max-length as published, instead of to its longest sentence: the same numbers, slower."""

    def __post_init__(self):
        super().__post_init__()
        remedy = f"a divisor of the batch size {self.batch_size}"
        require(self.batch_size % self.accumulation == 0, "accumulation", self.accumulation, remedy)


@dataclass(frozen=True, kw_only=True)
class Config(Batches, DiagnosticOptions):
    """Are gradients of different batches alike? Cosine, inner product and distance of all pairs, before training."""


PRESETS = {
    "paper": Config(),
    # The published runs had dropout on in both networks, and two micro-batches a batch, of which the last was dropped.
    "legacy": Config(batches=100, accumulation=2, legacy_dropout=True, legacy_padding=True),
    "quick": Config(**QUICK_DIAGNOSTIC, batches=24),
}
