"""The stage `pretrain_plus` as the plan sees it: a small PLUS-TFM that the project pretrains itself. Imports no torch.

Its artifact is a checkpoint as `models.plus.save_plus` writes it, which other jobs want under the need name `plus`, and
`training.json`, which `plus_report` makes rows of. The stage functions are in `pretraining`.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Lt

from orchestrator.experiment import Job, Resources, Stage
from orchestrator.limits import AboveZero, Limited, Positive, require
from tasks.training.settings import SmallTraining, training_job, training_table


@dataclass(frozen=True, kw_only=True)
class _Network(Limited):
    protein_task: str
    """Whose proteins it is trained on; a part of them is kept aside to judge the result."""
    layers: Positive = 2
    """Blocks L."""
    width: Positive = 64
    """Hidden size H."""
    heads: Positive = 4
    """Attention heads."""
    intermediate: Positive = 256
    """Feed-forward width."""
    max_length: Annotated[int, Ge(3)] = 512
    """Maximum length of a protein in tokens, the two special ones included; longer ones lose their end."""


@dataclass(frozen=True, kw_only=True)
class PretrainPlusParams(SmallTraining, _Network):
    """Everything that shapes the weights, beside the proteins, which are a need of the job."""

    steps: Positive = 2000
    learning_rate: AboveZero = 3e-3
    held_out: Annotated[AboveZero, Lt(1)] = 0.1
    """Share of the proteins that is kept aside, at least one."""
    test_proteins: Positive = 200
    """Maximum number of those kept aside that judge the result."""
    seed: int = 0
    """Random seed of weights, order of the proteins and masks."""

    def __post_init__(self):
        super().__post_init__()
        require(self.width % self.heads == 0, "heads", self.heads, f"a number that divides the width {self.width}")
        require(self.width % 2 == 0, "width", self.width, "an even number")


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
    tables={
        "pretraining_plus": training_table(
            "small PLUS-TFM",
            per="masked residue",
            judged="on proteins kept aside: test_loss, test_accuracy (over masked residues), guess_accuracy (of always "
            "naming the most frequent residue), place_accuracy (of naming the most frequent residue of that place of "
            "the training proteins, which variants of one protein mostly have)",
        )
    },
)


def pretrain_plus_job(proteins: Job, *, steps: int = PretrainPlusParams.steps, **settings: Any) -> Job:
    """The job that pretrains a small PLUS-TFM on `proteins`, a job of the stage `protein_data` (`proteins_job`).

    Args:
        proteins: the job of the data.
        steps: training steps.
        settings: further fields of `PretrainPlusParams`.

    Raises:
        ValueError: for a size or setting that cannot be.
    """
    warmup = SmallTraining.usual_warmup(steps)
    params = PretrainPlusParams(protein_task=proteins.params.task, steps=steps, warmup=warmup, **settings)
    return training_job(PRETRAIN_PLUS, params, layers=params.layers, proteins=proteins)


def plus_report_job(plus: Job) -> Job:
    """The job that makes rows of what `pretrain_plus` wrote about its training."""
    return Job(stage=PLUS_REPORT, params=plus.params, needs={"plus": plus}, fingerprints=plus.fingerprints)
