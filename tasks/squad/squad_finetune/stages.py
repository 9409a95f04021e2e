"""The stage `squad_evaluate` as the plan sees it: its parameters, its tables. Imports no torch."""

from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from orchestrator.limits import Positive, require
from tasks.squad.options import AnswerLength
from tasks.squad.scores import METRICS, scores_table
from tasks.squad.squad_finetune.config import NBest
from tasks.squad.stages import SquadParams

SEARCHES = {
    "exhaustive": "the best of all spans",
    "n_best": "as run_squad, from the largest start and end logits of each window, padding left out",
    "legacy": "the published probe decoder",
}
"""The decoders that look for spans."""
NEVER = "never"
"""The decoder that leaves every question unanswered."""


@dataclass(frozen=True, kw_only=True)
class EvaluateParams(NBest, AnswerLength, SquadParams):
    """One model with its own span head on the dev questions."""

    legacy_answer_length: Positive = 17
    """The published parameter of the legacy decoder; it lets answers have one token more."""

    def __post_init__(self):
        super().__post_init__()
        require(self.encoder == "finetuned", "encoder", self.encoder, "finetuned: only such models have a span head")


_DECODERS = "; ".join(f"{name}: {doc}" for name, doc in {**SEARCHES, NEVER: "no question is answered"}.items())
SCORES = scores_table(
    (column("decoder", pa.string(), _DECODERS),),
    ("decoder",),
    METRICS,
    "Dev scores of every model with its own span head.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            column("questions", pa.int64(), "dev questions"),
            column("windows", pa.int64(), "dev windows"),
            column("layer_passes", pa.int64(), "layer applications to one window"),
            column("encoder_seconds", pa.float64(), "seconds in the model and the span search"),
            column("decode_seconds", pa.float64(), "seconds in decoding and scoring"),
        ]
    ),
    key=(),
    doc="What each evaluation cost.",
)

EVALUATE = Stage(
    name="squad_evaluate",
    function="tasks.squad.squad_finetune.evaluate:squad_evaluate",
    params=EvaluateParams,
    tables={"scores": SCORES, "costs": COSTS},
    resources=Resources(num_cpus=1, num_gpus=1),
    artifact=True,
)
