"""The options of `attention_matching` and its presets; `legacy` is the published setting (README 6)."""

from dataclasses import dataclass

from orchestrator.limits import Limited, NotNegative, Positive
from tasks.transfer.comparison.options import QUICK_PROTEIN, ProteinOptions


@dataclass(frozen=True, kw_only=True)
class MatchingOptions(Limited):
    """How heads are compared."""

    fold_seed: NotNegative = 0
    """Random seed of the halves of the proteins that match for each other."""
    legacy_padding: bool = False
    """Pad to --max-length, count padding, and sum over rows instead of the mean, as published. Costs are then mostly
    those of padding."""
    legacy_totals: bool = False
    """Report the totals of the published code, whose missing index adds other proteins' costs, beside the right
    ones."""


@dataclass(frozen=True, kw_only=True)
class Config(MatchingOptions, ProteinOptions):
    """Which attention heads of a text encoder, its random twin and PLUS do alike, layer by layer, on proteins."""

    proteins: Positive | None = 100
    """Maximum number of proteins, a fixed random part; None: all. Published: the first 100."""


PRESETS = {
    "paper": Config(),
    "quick": Config(**QUICK_PROTEIN, proteins=60),
    "legacy": Config(
        pairs=("pretrained-plus", "pretrained-random"),
        encoder_seeds=(100,),
        legacy_padding=True,
        legacy_totals=True,
        legacy_dropout=True,
    ),
}
