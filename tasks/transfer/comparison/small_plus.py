"""The stage `pretrain_plus` as the plan sees it: a small PLUS-TFM that the project pretrains itself. Imports no torch.

Its artifact is a checkpoint as `models.plus.save_plus` writes it, which other jobs want under the need name `plus`, and
`training.json`, which `plus_report` makes rows of. The stage functions are in `pretraining`.
"""

from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Job, Resources, Stage, TableSpec, column
from tasks.encoders.params import require


@dataclass(frozen=True, kw_only=True)
class PretrainPlusParams:
    """Everything that shapes the weights, beside the proteins, which are a need of the job."""

    protein_task: str
    """Whose proteins it is trained on; a part of them is kept aside to judge the result."""
    layers: int = 2
    """Blocks L."""
    width: int = 64
    """Hidden size H."""
    heads: int = 4
    """Attention heads."""
    intermediate: int = 256
    """Feed-forward width."""
    max_length: int = 512
    """Tokens a protein at most, the two special ones included; longer ones lose their end."""
    steps: int = 2000
    """Training steps."""
    batch_size: int = 32
    """Proteins a step."""
    learning_rate: float = 3e-3
    """Highest learning rate; it rises linearly over `warmup` steps and falls linearly to zero at the last."""
    warmup: int = 100
    """Steps of warm-up."""
    weight_decay: float = 0.01
    """Decoupled, not on biases and gains."""
    clip: float = 1.0
    """Largest total gradient norm; 0: any."""
    mask_ratio: float = 0.15
    """Share of a protein's amino acids that are hidden, rounded, at least one."""
    held_out: float = 0.1
    """Share of the proteins that is kept aside, at least one."""
    test_proteins: int = 200
    """Of those kept aside, at most so many judge the result."""
    seed: int = 0
    """Of weights, order of the proteins and masks."""

    def __post_init__(self):
        for name in ("layers", "width", "heads", "intermediate", "steps", "batch_size", "test_proteins"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        require(self.max_length >= 3, "max_length", self.max_length, "3 or more")
        require(self.width % self.heads == 0, "heads", self.heads, f"a number that divides the width {self.width}")
        require(self.width % 2 == 0, "width", self.width, "an even number")
        for name in ("warmup", "weight_decay", "clip"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "more than 0")
        for name in ("mask_ratio", "held_out"):
            require(0 < getattr(self, name) < 1, name, getattr(self, name), "more than 0 and less than 1")


PRETRAINING_PLUS = TableSpec(
    schema=pa.schema(
        [
            column("step", pa.int64(), "training steps done"),
            column(
                "metric",
                pa.string(),
                "loss: mean training loss since the previous point, nats a hidden residue; learning_rate; at the end "
                "on proteins kept aside: test_loss, test_accuracy (over hidden residues), guess_accuracy (of always "
                "naming the most frequent residue), place_accuracy (of naming the most frequent residue of that place "
                "of the training proteins, which variants of one protein mostly have)",
            ),
            column("value", pa.float64(), "its value"),
        ]
    ),
    key=("step", "metric"),
    doc="Training curve and result of each small PLUS-TFM that was pretrained here.",
)

# Two stages, as for the small ALBERT: the checkpoint serves every experiment of a results directory, and a job that
# only reads makes rows of its training for each.
PRETRAIN_PLUS = Stage(
    name="pretrain_plus",
    function="tasks.transfer.comparison.pretraining:pretrain_plus",
    params=PretrainPlusParams,
    resources=Resources(num_cpus=1, num_gpus=1),
    artifact=True,
)
PLUS_REPORT = Stage(
    name="plus_report",
    function="tasks.transfer.comparison.pretraining:plus_report",
    params=PretrainPlusParams,
    tables={"pretraining_plus": PRETRAINING_PLUS},
)


def pretrain_plus_job(
    proteins: Job,
    *,
    layers: int = 2,
    width: int = 64,
    heads: int = 4,
    intermediate: int = 256,
    max_length: int = 512,
    steps: int = 2000,
    batch_size: int = 32,
    learning_rate: float = 3e-3,
    seed: int = 0,
) -> Job:
    """The job that pretrains a small PLUS-TFM on `proteins`, a job of the stage `protein_data` (`proteins_job`).

    Raises:
        ValueError: for a size or setting that cannot be.
    """
    params = PretrainPlusParams(
        protein_task=proteins.params.task,
        layers=layers,
        width=width,
        heads=heads,
        intermediate=intermediate,
        max_length=max_length,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup=min(PretrainPlusParams.warmup, steps // 10),
        seed=seed,
    )
    # A backward pass costs two forward ones.
    passes = 3 * layers * steps * batch_size
    return Job(
        stage=PRETRAIN_PLUS,
        params=params,
        needs={"proteins": proteins},
        fingerprints=proteins.fingerprints,
        passes=passes,
    )


def plus_report_job(plus: Job) -> Job:
    """The job that makes rows of what `pretrain_plus` wrote about its training."""
    return Job(stage=PLUS_REPORT, params=plus.params, needs={"plus": plus}, fingerprints=plus.fingerprints)
