"""The stage `pretrain_bert` as plans see it: its parameters, tables, stages and jobs. Imports no torch.

Its artifact is a DeepBert's files (`models.deep_bert_files`), which other jobs want under the need name `model`, and
`training.json`, which `pretrain_bert_report` makes rows of: a checkpoint without rows serves several experiments.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Job, Resources, Stage, TableSpec, column
from orchestrator.limits import AboveZero, Limited, Probability, shared
from tasks.deepscale.deep_bert.params import Arithmetic, DeepBertParams, Evaluation, PretrainingOptions, Training
from tasks.deepscale.pretraining_text.plan import documents_job

MARGIN = 0.05  # nats


@dataclass(frozen=True, kw_only=True)
class _Texts(DeepBertParams):
    corpus: str
    """Name of the corpus."""
    tokenizer: str
    """Name of the tokenizer that made the documents."""


@dataclass(frozen=True, kw_only=True)
class _Adam(Limited):
    beta1: Probability = 0.9
    beta2: Probability = 0.999
    adam_eps: AboveZero = 1e-8


@dataclass(frozen=True, kw_only=True)
class _Seed(Limited):
    seed: int = 1234
    """Random seed of weights, data order, masks and dropout."""


@dataclass(frozen=True, kw_only=True)
class PretrainParams(Evaluation, _Seed, Arithmetic, _Adam, Training, _Texts):
    """Everything that shapes the weights of a pretrained network, beside the documents, which the job needs."""


TRAINING = TableSpec(
    schema=pa.schema(
        [
            column("step", pa.int64(), "training steps done; that of a step that was not finite is its own number"),
            column(
                "metric",
                pa.string(),
                "mean over the steps since the previous point: loss (nats, the sum of the next two), mlm_loss (a "
                "masked token), order_loss (a sequence), gradient_norm (before clipping; all parameters, all workers), "
                "tokens (a step, without padding). learning_rate: of the last of these steps. tokens_per_second: of "
                "all workers, without padding, evaluations and checkpoints; flops_utilisation: model-FLOPs "
                "utilisation, share of the devices' peak (padding and recomputation do not count), NaN where the peak "
                "is unknown. On the test part, each sequence once: test_loss, test_mlm_loss, test_order_loss, "
                "test_mlm_accuracy, test_order_accuracy",
            ),
            column("value", pa.float64(), "its value; NaN or infinite where a run diverged"),
        ]
    ),
    key=("step", "metric"),
    doc="Training curves of each pretraining.",
)
OUTCOMES = TableSpec(
    schema=pa.schema(
        [
            column(
                "status",
                pa.string(),
                "diverged: a loss or gradient norm was not finite; not_training: test_mlm_loss is no less than "
                f"{MARGIN} nats below unigram_loss, so the context is not used; trained: else",
            ),
            column("step", pa.int64(), "steps done; of a diverged run, the number of the step that was not finite"),
            column("mlm_loss", pa.float64(), "training loss at the last finite point, nats a masked token"),
            column("test_mlm_loss", pa.float64(), "test loss at the end, nats a masked token; NaN if diverged"),
            column("test_mlm_accuracy", pa.float64(), "accuracy on masked test tokens"),
            column("test_order_accuracy", pa.float64(), "accuracy of sentence order on test sequences"),
            column("unigram_loss", pa.float64(), "test loss of training token frequencies, nats a masked token"),
            column(
                "unigram_entropy",
                pa.float64(),
                "entropy of the training tokens, nats: about what their frequencies cost in training",
            ),
            column("n_pieces", pa.int64(), "masked test tokens"),
            column("n_sequences", pa.int64(), "test sequences"),
            column("n_parameters", pa.int64(), "parameters of the network"),
            column("n_tokens", pa.float64(), "training tokens, without padding"),
            column("padding", pa.float64(), "share of training positions that was padding"),
        ]
    ),
    key=("status",),
    doc="What became of each pretraining.",
)

PRETRAIN_BERT = Stage(
    name="pretrain_bert",
    function="tasks.deepscale.deep_bert.pretraining:pretrain_bert",
    params=PretrainParams,
    resources=Resources(num_cpus=1, num_gpus=1),
    artifact=True,
    checkpoints=True,
)
PRETRAIN_BERT_REPORT = Stage(
    name="pretrain_bert_report",
    function="tasks.deepscale.deep_bert.curves:pretrain_bert_report",
    params=PretrainParams,
    tables={"training": TRAINING, "outcomes": OUTCOMES},
)


def pretraining_jobs(options: PretrainingOptions, seeds: Sequence[int]) -> Iterator[Job]:
    """The jobs that pretrain the networks of the options, from each seed; experiments share them.

    Their artifacts are wanted under the need name `model`.

    Raises:
        ValueError: corpus or tokenizer are missing, or numbers do not go together; one line that says what to give.
    """
    limits = {"test_ratio": options.test_ratio, "document_limit": options.document_limit}
    documents = documents_job(options.corpus, options.tokenizer, **limits)
    text = {name: getattr(documents.params, name) for name in ("corpus", "tokenizer")}
    given = shared(options, PretrainParams) | text
    resources = Resources(workers=options.workers, num_cpus=options.worker_cpus, num_gpus=1)
    for network in options.networks():
        for seed in seeds:
            variant = {name: getattr(network, name) for name in ("norm", "scheme", "layers")}
            yield Job(
                stage=PRETRAIN_BERT,
                params=PretrainParams(**given, **variant, seed=seed),
                needs={"documents": documents},
                fingerprints=documents.fingerprints,
                paths=options.as_paths(),
                passes=3.0 * network.layers * options.steps * options.global_batch,  # backward costs two forward ones
                resources=resources,
            )


def report_job(model: Job) -> Job:
    """The job that makes rows of what `pretrain_bert` wrote about its training."""
    return Job(stage=PRETRAIN_BERT_REPORT, params=model.params, needs={"model": model}, fingerprints=model.fingerprints)
