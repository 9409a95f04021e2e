"""The stage `squad_evaluate` as the plan sees it: its parameters, its tables. Imports no torch."""

from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from tasks.encoders.params import require
from tasks.squad.params import SquadParams

DECODERS = ("exhaustive", "n_best", "legacy", "never")
"""How spans are found; `DECODERS_DOC` says it."""
DECODERS_DOC = (
    "exhaustive: the best of all spans; n_best: as run_squad, from the largest start and end logits of each window "
    "(its padding left out); legacy: the published probe decoder; never: no question is answered"
)


@dataclass(frozen=True, kw_only=True)
class EvaluateParams(SquadParams):
    """One model with its own span head on the dev questions."""

    max_answer_length: int = 30
    """Tokens of an answer at most (exhaustive, n_best)."""
    n_best: int = 20
    """Starts and ends that the decoder n_best looks at."""
    legacy_answer_length: int = 17
    """The published parameter of the legacy decoder; it lets answers have one token more."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("max_answer_length", "n_best", "legacy_answer_length"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        require(self.encoder == "finetuned", "encoder", self.encoder, "finetuned: only such models have a span head")


SCORES = TableSpec(
    schema=pa.schema(
        [
            column("decoder", pa.string(), DECODERS_DOC),
            column("part", pa.string(), "all questions, or those of first_half or second_half of the articles"),
            column(
                "metric",
                pa.string(),
                "exact, f1; has_*, no_exact: of questions with and without an answer; forced_*: no answer forbidden; "
                "best_*: with the best threshold, chosen on the same questions; cross_*: chosen on the other half; "
                "null_average_precision; *_se: standard error clustered by paragraph",
            ),
            column("value", pa.float64(), "percent; thresholds in logits; NaN where a class of questions is empty"),
        ]
    ),
    key=("decoder", "part", "metric"),
    doc="Dev scores of every model with its own span head.",
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
