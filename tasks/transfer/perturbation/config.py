"""The options of `perturbation` and its presets; `paper` is the published setting (README 3)."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Gt

from orchestrator.limits import Limited, Positive, Several, ZeroOrMore
from tasks.transfer.diagnostics.options import QUICK_DIAGNOSTIC, DiagnosticOptions

Noise = Literal["absolute", "relative"]


@dataclass(frozen=True, kw_only=True)
class NoisyBatches(Limited):
    """The batches that are read, and the noise that the weights get."""

    batches: Positive = 201
    """Maximum number of batches; each has its own draw of the noise, which its sentences share."""
    batch_size: Positive = 32
    """Batch size; the last batch of a task may be smaller."""
    stds: Annotated[Several[float], Gt(0)] = (1e-2, 1e-4, 1e-6, 1e-8)
    """Standard deviations of the noise: its levels. All scale the same draw."""
    noises: Several[Noise] = ("absolute",)
    """absolute: the same noise for every weight, as published; relative: in units of the root mean square of the tensor
    that the weight is in."""
    double_below: ZeroOrMore = 1e-6
    """Levels up to this one are computed in float64, since float32 does not resolve them; 0: none."""
    legacy_padding: bool = False
    """Pad every batch to --max-length as published, instead of to its longest sentence: the same numbers, slower."""


@dataclass(frozen=True, kw_only=True)
class Config(NoisyBatches, DiagnosticOptions):
    """How far does the first token's last state move when all weights get noise? All levels share one clean pass."""


PRESETS = {
    "paper": Config(),
    "legacy": Config(double_below=0.0, legacy_dropout=True, legacy_padding=True),
    "quick": Config(**QUICK_DIAGNOSTIC, batches=4),
}
