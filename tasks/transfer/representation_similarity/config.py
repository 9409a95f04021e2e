"""The options of `representation_similarity` and its presets; `legacy` is the published setting."""

from dataclasses import dataclass

from orchestrator.options import Ints
from tasks.encoders.options import at_least, distinct
from tasks.transfer.comparison.options import QUICK_PROTEIN, ProteinOptions
from tasks.transfer.representation_similarity.params import Compare

PUBLISHED_RIDGES = {"stability": 1.5e-3, "fluorescence": 1e-3, "localization": 1e-4}


@dataclass(frozen=True, kw_only=True)
class Config(ProteinOptions):
    """How alike a text encoder, its random twin and PLUS represent proteins: PWCCA, SVCCA, CKA of pairs of levels."""

    proteins: int | None = 1000
    """At most so many proteins, a fixed random part; None: all."""
    rows: int | None = None
    """Positions at most, from the first protein on; None: all. Fewer than ten times the hidden size say little.
    Published: 1000."""
    compare: Compare = "all"
    """Levels of the two encoders: all with all, those of equal number, or the last of each (published)."""
    levels: Ints = ()
    """Only these levels; none given: all. 0 is the output of the embeddings."""
    special: bool = True
    """Whether the positions of [CLS] and [SEP] are among the rows."""
    ridge: float = 1e-6
    """Ridge of PWCCA, in parts of the mean scatter of a feature."""
    null_draws: int = 3
    """Draws of independent data for every pair of levels."""
    seed: int = 0
    """Seed of these draws, and of the permutation of positions of the shuffled null."""
    legacy_uncentred: bool = False
    """PWCCA as published: features not centred, and instead of --ridge the absolute one published for the task."""

    def __post_init__(self):
        super().__post_init__()
        if self.levels:
            distinct(self, "levels")
            if min(self.levels) < 0:
                raise ValueError("levels start at 0, the output of the embeddings")
            if self.compare == "last":
                raise ValueError("levels go with --compare all or equal: the last of each encoder is asked for")
        at_least(self, "rows", 1)
        at_least(self, "null_draws", 0)
        if not 0 <= self.ridge < float("inf"):
            raise ValueError(f"ridge is {self.ridge}: give 0 or more")

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
