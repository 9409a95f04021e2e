"""The stage `pretrain_small` as the plan sees it: a small ALBERT that the project pretrains itself. Imports no torch.

Its artifact is a checkpoint (config.json, model.safetensors) as `AlbertForMaskedLM.save_pretrained` writes it, which
other jobs want under the need name `model`, and `training.json`, which `pretrain_report` makes rows of. The stage
functions are in `pretraining`.
"""

from dataclasses import dataclass
from typing import Any

from orchestrator.experiment import Job, Resources, Stage
from orchestrator.limits import AboveZero, Limited, Positive, require
from tasks.encoders.params import EncoderSizes
from tasks.training.settings import SmallTraining, training_job, training_table


@dataclass(frozen=True, kw_only=True)
class _Blocks(Limited):
    corpus: str
    """Name of the corpus that the blocks are cut from."""
    tokenizer: str
    """Name of the tokenizer that made them."""
    length: Positive
    """Tokens a block; also the number of positions that the model gets, since no other is ever trained."""
    depth: Positive = 4
    """Applications of the shared layer, at the last of which the loss is taken: the nominal depth."""


@dataclass(frozen=True, kw_only=True)
class PretrainParams(SmallTraining, EncoderSizes, _Blocks):
    """Everything that shapes the weights, beside the blocks of text, which are a need of the job."""

    width: Positive = 128
    steps: Positive = 3000
    init_range: AboveZero | None = None
    """Standard deviation of the first weights; None: 0.02 * sqrt(1024 / H), which gives a layer of any width the gain
    of albert-large's."""
    seed: int = 0
    """Random seed of weights, order of the blocks and masks."""
    test_blocks: Positive = 200
    """Maximum number of blocks of the test part on which the result is judged."""

    def __post_init__(self):
        super().__post_init__()
        heads = self.heads or max(1, self.width // 64)
        require(self.width % heads == 0, "heads", heads, f"a number that divides the width {self.width}")


# Two stages: a checkpoint without rows serves every experiment of a results directory, each of which has tables of its
# own; what the training was like becomes rows of each by a job that only reads.
PRETRAIN_SMALL = Stage(
    name="pretrain_small",
    function="tasks.encoders.pretraining:pretrain_small",
    params=PretrainParams,
    resources=Resources(num_cpus=1, num_gpus=1),
    artifact=True,
)
PRETRAIN_REPORT = Stage(
    name="pretrain_report",
    function="tasks.encoders.pretraining:pretrain_report",
    params=PretrainParams,
    tables={
        "pretraining": training_table(
            "small ALBERT",
            per="masked token",
            judged="on the test part: test_loss, test_accuracy (over masked tokens), guess_accuracy (of always naming "
            "the most frequent masked token)",
        )
    },
)


def pretrain_job(blocks: Job, *, steps: int = PretrainParams.steps, **settings: Any) -> Job:
    """The job that pretrains a small ALBERT on `blocks`, a job of the stage `blocks` (`tasks.data.blocks.blocks_job`).

    Args:
        blocks: the job of the text.
        steps: training steps.
        settings: further fields of `PretrainParams`.

    Raises:
        ValueError: for a size or setting that cannot be.
    """
    text = {name: getattr(blocks.params, name) for name in ("corpus", "tokenizer", "length")}
    params = PretrainParams(**text, steps=steps, warmup=SmallTraining.usual_warmup(steps), **settings)
    return training_job(PRETRAIN_SMALL, params, layers=params.depth, blocks=blocks)


def report_job(model: Job) -> Job:
    """The job that makes rows of what `pretrain_small` wrote about its training."""
    return Job(stage=PRETRAIN_REPORT, params=model.params, needs={"model": model}, fingerprints=model.fingerprints)
