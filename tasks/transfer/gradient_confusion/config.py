"""The options of `gradient_confusion` and its presets; `paper` is the published setting (transfer_analysis 2)."""

from dataclasses import dataclass

from tasks.encoders.options import at_least
from tasks.transfer.diagnostics.options import QUICK_DIAGNOSTIC, DiagnosticOptions


@dataclass(frozen=True, kw_only=True)
class Config(DiagnosticOptions):
    """Are gradients of different batches alike? Cosine, inner product and distance of all pairs, before training."""

    batches: int = 101
    """Batches, at most; of all pairs of them the gradients are compared."""
    batch_size: int = 32
    """Sentences of a batch."""
    accumulation: int = 1
    """Micro-batches that a batch is put together from, to save memory: no number depends on it (but dropout's)."""
    legacy_padding: bool = False
    """Pad every batch to --max-length as published, instead of to its longest sentence: the same numbers, slower."""

    def __post_init__(self):
        super().__post_init__()
        at_least(self, "batches", 2)
        for name in ("batch_size", "accumulation"):
            at_least(self, name, 1)
        if self.batch_size % self.accumulation:
            raise ValueError(
                f"accumulation is {self.accumulation}, which does not divide the batch-size {self.batch_size}: give "
                "one that does"
            )


PRESETS = {
    "paper": Config(),
    # The published runs had dropout on in both networks, and two micro-batches a batch, of which the last was dropped.
    "legacy": Config(batches=100, accumulation=2, legacy_dropout=True, legacy_padding=True),
    "quick": Config(**QUICK_DIAGNOSTIC, batches=24),
}
