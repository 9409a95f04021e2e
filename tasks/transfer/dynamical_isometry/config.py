"""The options of `dynamical_isometry` and its presets; `paper` is the published setting (transfer_analysis 1)."""

import dataclasses
from dataclasses import dataclass

from orchestrator.options import Ints
from tasks.encoders.options import at_least
from tasks.transfer.diagnostics.options import QUICK_DIAGNOSTIC, DiagnosticOptions


@dataclass(frozen=True, kw_only=True)
class Config(DiagnosticOptions):
    """Singular values of d h_j[t] / d h_i[w], the derivative of a position's state by each word's state at a level."""

    sentences: int = 200
    """Sentences of the train split, in the order of the seed."""
    positions: int = 1
    """Output positions t of each sentence, drawn without replacement; all of a shorter one."""
    position_share: float | None = None
    """Instead: this share of a sentence's tokens, at least one."""
    input_levels: Ints = (0,)
    """Levels i that are differentiated by; 0 is the output of the embeddings."""
    output_levels: Ints = ()
    """Levels j that are differentiated, each with the input levels below it; none given: the last alone."""
    whole: bool = False
    """Also the Jacobian of position 0 with respect to all words of the sentence together, one spectrum a sentence."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("sentences", "positions"):
            at_least(self, name, 1)
        if self.position_share is not None and not 0 < self.position_share <= 1:
            raise ValueError(f"position-share is {self.position_share}: give more than 0, at most 1")
        if not self.input_levels:
            raise ValueError("input-levels is empty: give at least one")
        if self.output_levels and min(self.input_levels) >= max(self.output_levels):
            raise ValueError("no level of --input-levels is below one of --output-levels: give 0 as an input level")


PRESETS = {
    "paper": Config(),
    "quick": Config(**{**QUICK_DIAGNOSTIC, "sentences": 10}),
}
PRESETS["legacy"] = dataclasses.replace(PRESETS["paper"], shifts=(0,), legacy_dropout=True)
"""As published: the shift was not applied, and dropout was on for random encoders."""
