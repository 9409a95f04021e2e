"""The options of `attention_matching` and its presets; `legacy` is the published setting (transfer_analysis 7, 9)."""

from dataclasses import dataclass

from tasks.transfer.comparison.options import QUICK_PROTEIN, ProteinOptions


@dataclass(frozen=True, kw_only=True)
class Config(ProteinOptions):
    """Which attention heads of a text encoder, its random twin and PLUS do alike, layer by layer, on proteins."""

    proteins: int | None = 100
    """At most so many proteins, a fixed random part; None: all. Published: the first 100."""
    fold_seed: int = 0
    """Seed of the halves of the proteins that match for each other."""
    legacy_padding: bool = False
    """As published: pad to --max-length, count padding, and sum over rows instead of the mean. Costs are then mostly
    those of padding."""
    legacy_totals: bool = False
    """Report the totals of the published code, whose missing index adds other proteins' costs, beside the right
    ones."""

    def __post_init__(self):
        super().__post_init__()
        if self.fold_seed < 0:
            raise ValueError(f"fold-seed is {self.fold_seed}: give 0 or more")


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
