"""Which pretrainings a sweep needs: a job each, which experiments share. Imports no torch."""

from typing import Any

from orchestrator.experiment import Job, Resources
from tasks.deepscale.deep_bert.options import PretrainingOptions
from tasks.deepscale.deep_bert.params import Norm, Scheme
from tasks.deepscale.deep_bert.pretraining_params import PRETRAIN_BERT, PRETRAIN_BERT_REPORT, PretrainParams
from tasks.deepscale.pretraining_text.plan import documents_job


def pretraining_job(options: PretrainingOptions, *, norm: Norm, scheme: Scheme, layers: int, seed: int) -> Job:
    """The job that pretrains one network; its artifact is wanted under the need name `model`.

    Raises:
        ValueError: corpus or tokenizer are missing, or numbers do not go together; one line that says what to give.
    """
    documents = documents_job(
        options.corpus,
        options.tokenizer,
        test_ratio=options.test_ratio,
        document_limit=options.document_limit,
    )
    params = PretrainParams(
        **options.shared_fields(),
        norm=norm,
        scheme=scheme,
        layers=layers,
        seed=seed,
        corpus=documents.params.corpus,
        tokenizer=documents.params.tokenizer,
    )
    return Job(
        stage=PRETRAIN_BERT,
        params=params,
        needs={"documents": documents},
        fingerprints=documents.fingerprints,
        paths=options.run_settings().as_paths(),
        passes=3.0 * layers * params.steps * params.global_batch,  # a backward pass costs two forward ones
        resources=Resources(workers=options.workers, num_cpus=options.worker_cpus, num_gpus=1),
    )


def report_job(model: Job) -> Job:
    """The job that makes rows of what `pretrain_bert` wrote about its training."""
    given: dict[str, Any] = {"params": model.params, "fingerprints": model.fingerprints}
    return Job(stage=PRETRAIN_BERT_REPORT, needs={"model": model}, **given)
