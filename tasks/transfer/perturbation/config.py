"""The options of `perturbation` and its presets; `paper` is the published setting (transfer_analysis 3)."""

from dataclasses import dataclass

from tasks.encoders.options import at_least, distinct
from tasks.transfer.diagnostics.options import QUICK_DIAGNOSTIC, DiagnosticOptions
from tasks.transfer.perturbation.params import Noise


@dataclass(frozen=True, kw_only=True)
class Config(DiagnosticOptions):
    """How far does the first token's last state move when all weights get noise? All levels share one clean pass."""

    batches: int = 201
    """Batches, at most; each has noise of its own."""
    batch_size: int = 32
    """Sentences of a batch; the last of a task may have fewer."""
    stds: tuple[float, ...] = (1e-2, 1e-4, 1e-6, 1e-8)
    """Standard deviations of the noise: levels. All scale the same draw."""
    noises: tuple[Noise, ...] = ("absolute",)
    """absolute: the same noise for every weight, as published; relative: in units of the root mean square of the tensor
    that the weight is in."""
    double_below: float = 1e-6
    """Levels up to this one are computed in float64, since float32 does not resolve them; 0: none."""
    legacy_padding: bool = False
    """Pad every batch to --max-length as published, instead of to its longest sentence: the same numbers, slower."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("stds", "noises"):
            distinct(self, name)
        if bad := [std for std in self.stds if not 0 < std < float("inf")]:
            raise ValueError(f"stds has {bad[0]}: give more than 0")
        for name in ("batches", "batch_size"):
            at_least(self, name, 1)
        at_least(self, "double_below", 0)


PRESETS = {
    "paper": Config(),
    "legacy": Config(double_below=0.0, legacy_dropout=True, legacy_padding=True),
    "quick": Config(**QUICK_DIAGNOSTIC, batches=4),
}
