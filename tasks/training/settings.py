"""Settings of trainings that several stages share, and what plans know of the small models. Imports no torch."""

from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Job, Stage, TableSpec, column
from orchestrator.limits import AboveZero, Limited, NotNegative, Positive, ZeroOrMore, require


@dataclass(frozen=True, kw_only=True)
class SmallTraining(Limited):
    """AdamW on masked tokens with a linear schedule, for the small models that the project pretrains itself."""

    steps: Positive
    """Training steps."""
    batch_size: Positive = 32
    """Sequences a step."""
    learning_rate: AboveZero = 1e-3
    """Peak learning rate, after linear warm-up; it falls linearly to zero at the last step."""
    warmup: NotNegative = 100
    """Steps of warm-up."""
    weight_decay: ZeroOrMore = 0.01
    """Decoupled weight decay, not on biases and gains."""
    clip: ZeroOrMore = 1.0
    """Maximum total gradient norm; 0: none."""
    mask_ratio: AboveZero = 0.15
    """Share of a sequence's tokens that are masked, at most."""

    def __post_init__(self):
        super().__post_init__()
        require(self.mask_ratio < 1, "mask_ratio", self.mask_ratio, "less than 1")

    @staticmethod
    def usual_warmup(steps: int) -> int:
        """Steps of warm-up: 100, of a short training a tenth."""
        return min(SmallTraining.warmup, steps // 10)


def training_table(model: str, per: str, judged: str) -> TableSpec:
    """The table that a report of a small model's training writes.

    Args:
        model: what is pretrained.
        per: what the loss is a mean over, such as masked token.
        judged: the metrics at the end, and on what.
    """
    metrics = f"loss: mean training loss since the previous point, nats a {per}; learning_rate; at the end {judged}"
    return TableSpec(
        schema=pa.schema(
            [
                column("step", pa.int64(), "training steps done"),
                column("metric", pa.string(), metrics),
                column("value", pa.float64(), "its value"),
            ]
        ),
        key=("step", "metric"),
        doc=f"Training curve and result of each {model} that was pretrained here.",
    )


def training_job(stage: Stage, params: SmallTraining, layers: int, **data: Job) -> Job:
    """The job that pretrains a small model of so many layers on `data`, a job by the name of the need."""
    return Job(
        stage=stage,
        params=params,
        needs=data,
        fingerprints={name: value for job in data.values() for name, value in job.fingerprints.items()},
        passes=3 * layers * params.steps * params.batch_size,  # a backward pass costs two forward ones
    )
