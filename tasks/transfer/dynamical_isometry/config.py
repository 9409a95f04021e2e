"""The options of `dynamical_isometry` and its presets; `paper` is the published setting (README 1)."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from orchestrator.limits import Limited, Positive, Share, require
from orchestrator.options import Ints
from tasks.encoders.options import SeveralInts
from tasks.transfer.diagnostics.options import QUICK_DIAGNOSTIC, DiagnosticOptions


@dataclass(frozen=True, kw_only=True)
class Derivatives(Limited):
    """Which states are differentiated by which."""

    sentences: Positive = 200
    """Sentences of the train split, in the order of the seed."""
    positions: Positive = 1
    """Output positions t per sentence, drawn without replacement; all of a shorter one."""
    position_share: Share | None = None
    """Output positions as a share of a sentence's tokens, at least one; None: --positions."""
    input_levels: Annotated[SeveralInts, Ge(0)] = (0,)
    """Jacobian input levels i; 0 is the output of the embeddings."""
    output_levels: Annotated[Ints, Ge(0)] = ()
    """Jacobian output levels j, each with the input levels below it; empty: the last alone."""
    whole: bool = False
    """Also the Jacobian of position 0 with respect to all words of the sentence together, one spectrum a sentence."""


@dataclass(frozen=True, kw_only=True)
class Config(Derivatives, DiagnosticOptions):
    """Singular values of d h_j[t] / d h_i[w], the derivative of a position's state by each word's state at a level."""

    def __post_init__(self):
        super().__post_init__()
        fine = not self.output_levels or min(self.input_levels) < max(self.output_levels)
        require(fine, "input_levels", self.input_levels, "one below an output level, such as 0")


PRESETS = {
    "paper": Config(),
    "quick": Config(**QUICK_DIAGNOSTIC, sentences=10),
}
PRESETS["legacy"] = dataclasses.replace(PRESETS["paper"], shifts=(0,), legacy_dropout=True)
"""The published setting: the shift was not applied, and dropout was on in random encoders."""
