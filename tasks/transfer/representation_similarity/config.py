"""The options of `representation_similarity` and its presets; `legacy` is the published setting (README 5)."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from orchestrator.limits import Distinct, Limited, NotNegative, Positive, ZeroOrMore, require
from orchestrator.options import Ints
from tasks.transfer.comparison.options import QUICK_PROTEIN, ProteinOptions

Compare = Literal["all", "equal", "last"]
PUBLISHED_RIDGES = {"stability": 1.5e-3, "fluorescence": 1e-3, "localization": 1e-4}


@dataclass(frozen=True, kw_only=True)
class SimilarityOptions(Limited):
    """What is compared, and how."""

    compare: Compare = "all"
    """Levels of the two encoders: all with all, those of equal number, or the last of each (published)."""
    levels: Annotated[Ints, Ge(0), Distinct()] = ()
    """Only these levels; none given: all. 0 is the output of the embeddings."""
    rows: Positive | None = None
    """Maximum number of positions, from the first protein on; None: all. Fewer than ten times the hidden size say
    little. Published: 1000."""
    special: bool = True
    """Whether the positions of [CLS] and [SEP] are among the rows."""
    ridge: ZeroOrMore = 1e-6
    """Ridge of PWCCA, in parts of the mean scatter of a feature."""
    null_draws: NotNegative = 3
    """Draws of independent data for every pair of levels."""
    seed: int = 0
    """Random seed of these draws, and of the permutation of positions of the shuffled null."""
    legacy_uncentred: bool = False
    """PWCCA as published: features not centred, and instead of --ridge the absolute one published for the task."""

    def __post_init__(self):
        super().__post_init__()
        fine = self.compare != "last" or not self.levels
        require(fine, "levels", self.levels, "none: with --compare last those of each encoder are taken")


@dataclass(frozen=True, kw_only=True)
class Config(SimilarityOptions, ProteinOptions):
    """How alike a text encoder, its random twin and PLUS represent proteins: PWCCA, SVCCA, CKA of pairs of levels."""

    proteins: Positive | None = 1000
    """Maximum number of proteins, a fixed random part; None: all."""

    def ridge_of(self, protein_task: str) -> float:
        """The ridge for a task; the published one of fluorescence where none was published."""
        if not self.legacy_uncentred:
            return self.ridge
        return PUBLISHED_RIDGES.get(protein_task, PUBLISHED_RIDGES["fluorescence"])


PRESETS = {
    "paper": Config(),
    "quick": Config(**QUICK_PROTEIN),
    "legacy": Config(
        encoder_seeds=(100,),
        proteins=None,
        rows=1000,
        compare="last",
        legacy_uncentred=True,
        legacy_dropout=True,
    ),
}
