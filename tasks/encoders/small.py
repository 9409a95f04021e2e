"""The stage `pretrain_small` as the plan sees it: a small ALBERT that the project pretrains itself. Imports no torch.

Its artifact is a checkpoint (config.json, model.safetensors) as `AlbertForMaskedLM.save_pretrained` writes it, which
other jobs want under the need name `model`, and `training.json`, which `pretrain_report` makes rows of. The stage
functions are in `pretraining`.
"""

from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Job, Resources, Stage, TableSpec, column
from tasks.encoders.params import require


@dataclass(frozen=True, kw_only=True)
class PretrainParams:
    """Everything that shapes the weights, beside the blocks of text, which are a need of the job."""

    corpus: str
    """Name of the corpus that the blocks are cut from."""
    tokenizer: str
    """Name of the tokenizer that made them."""
    length: int
    """Tokens a block; also the number of positions that the model gets, since no other is ever trained."""
    depth: int = 4
    """Applications of the shared layer, at the last of which the loss is taken: the nominal depth."""
    width: int = 128
    """Hidden size H."""
    heads: int | None = None
    """Attention heads; None: H/64, at least 1."""
    intermediate: int | None = None
    """Feed-forward width; None: 4 H."""
    embedding: int | None = None
    """Embedding width; None: 128."""
    steps: int = 3000
    """Training steps."""
    batch_size: int = 32
    """Blocks a step."""
    learning_rate: float = 1e-3
    """Highest learning rate; it rises linearly over `warmup` steps and falls linearly to zero at the last."""
    warmup: int = 100
    """Steps of warm-up."""
    weight_decay: float = 0.01
    """Decoupled, not on biases and LayerNorm gains."""
    clip: float = 1.0
    """Largest total gradient norm."""
    mask_ratio: float = 0.15
    """Share of a block's tokens that the masker may choose (see `tasks.data.masking`)."""
    init_range: float | None = None
    """Standard deviation of the first weights; None: 0.02 * sqrt(1024 / H), which gives a layer of any width the gain
    of albert-large's."""
    seed: int = 0
    """Of weights, order of the blocks and masks."""
    test_blocks: int = 200
    """Blocks of the test part on which the result is judged, at most."""

    def __post_init__(self):
        for name in ("length", "depth", "width", "steps", "batch_size", "test_blocks"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("heads", "intermediate", "embedding"):
            value = getattr(self, name)
            require(value is None or value >= 1, name, value, "1 or more, or None")
        heads = self.heads or max(1, self.width // 64)
        require(self.width % heads == 0, "heads", heads, f"a number that divides the width {self.width}")
        for name in ("warmup", "weight_decay", "clip"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "more than 0")
        require(0 < self.mask_ratio < 1, "mask_ratio", self.mask_ratio, "more than 0 and less than 1")
        require(self.init_range is None or self.init_range > 0, "init_range", self.init_range, "more than 0, or None")


PRETRAINING = TableSpec(
    schema=pa.schema(
        [
            column("step", pa.int64(), "training steps done"),
            column(
                "metric",
                pa.string(),
                "loss: mean training loss since the previous point, nats a masked token; learning_rate; at the end on "
                "the test part: test_loss, test_accuracy (over masked tokens), guess_accuracy (of always naming the "
                "most frequent masked token)",
            ),
            column("value", pa.float64(), "its value"),
        ]
    ),
    key=("step", "metric"),
    doc="Training curve and result of each small ALBERT that was pretrained here.",
)

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
    tables={"pretraining": PRETRAINING},
)


def pretrain_job(
    blocks: Job,
    *,
    depth: int = 4,
    width: int = 128,
    heads: int | None = None,
    intermediate: int | None = None,
    embedding: int | None = None,
    steps: int = 3000,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> Job:
    """The job that pretrains a small ALBERT on `blocks`, a job of the stage `blocks` (`tasks.data.blocks.blocks_job`).

    Raises:
        ValueError: for a size or setting that cannot be.
    """
    params = PretrainParams(
        corpus=blocks.params.corpus,
        tokenizer=blocks.params.tokenizer,
        length=blocks.params.length,
        depth=depth,
        width=width,
        heads=heads,
        intermediate=intermediate,
        embedding=embedding,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup=min(PretrainParams.warmup, steps // 10),
        seed=seed,
    )
    # A backward pass costs two forward ones.
    passes = 3 * depth * steps * batch_size
    return Job(
        stage=PRETRAIN_SMALL,
        params=params,
        needs={"blocks": blocks},
        fingerprints=blocks.fingerprints,
        passes=passes,
    )


def report_job(model: Job) -> Job:
    """The job that makes rows of what `pretrain_small` wrote about its training."""
    return Job(stage=PRETRAIN_REPORT, params=model.params, needs={"model": model}, fingerprints=model.fingerprints)
