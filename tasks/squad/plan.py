"""What the plans of the experiments on SQuAD share: windows, encoders before and after fine-tuning, the training jobs.

Imports no torch.
"""

from orchestrator.experiment import Job
from orchestrator.limits import shared
from tasks.encoders.params import JOB, SCRATCH
from tasks.encoders.plan import NO_SIZES, PlannedEncoder
from tasks.encoders.transformer_plan import given_encoder, layers_of, random_encoder, scratch_fields
from tasks.squad.options import SquadOptions
from tasks.squad.questions.plan import planned_windows, windows_job
from tasks.squad.stages import TRAIN, TRAIN_REPORT, TrainParams


def windows_of(options: SquadOptions, model: str) -> Job:
    """The job that cuts the questions into windows with the model's tokenizer.

    Raises:
        ValueError: data or tokenizer are missing, or the lengths do not go together; one line that says what to give.
    """
    return windows_job(options, options.tokenizer or model)


def first_encoder(options: SquadOptions, model: str, seed: int) -> PlannedEncoder:
    """What the training of one seed starts from: the checkpoint, or random weights of scratch."""
    return random_encoder(options, model, seed) if model == SCRATCH else given_encoder(options, model)


def trained_encoder(options: SquadOptions, model: str, seed: int, windows: Job) -> PlannedEncoder:
    """The encoder after the training of one seed; it needs the last job of that training as `model`."""
    last = train_jobs(options, model, seed, windows)[-1]
    fields = scratch_fields(options) if model == SCRATCH else NO_SIZES | {"model": last.params.model}
    fields |= {"encoder": "finetuned", "encoder_seed": seed, "revision": JOB + last.id}
    return PlannedEncoder(params=fields, needs={"model": last})


def train_jobs(options: SquadOptions, model: str, seed: int, windows: Job) -> list[Job]:
    """The jobs that fine-tune one model from one seed, each needing the one before; `windows` is from `windows_of`."""
    encoder = first_encoder(options, model, seed)
    parts = options.finetune_parts or options.finetune_epochs
    paths = {**encoder.paths}
    if "tokenizer" in windows.paths:
        paths["tokenizer"] = windows.paths["tokenizer"]
    passes = 3 * options.finetune_epochs * layers_of(options, model) * planned_windows(options)["train"]
    jobs: list[Job] = []
    for part in range(1, parts + 1):
        params = TrainParams(
            **{**shared(options, TrainParams), **encoder.params},
            tokenizer=windows.params.tokenizer,
            tokenizer_revision=windows.params.tokenizer_revision,
            seed=seed,
            epochs=options.finetune_epochs,
            batch_size=options.finetune_batch,
            learning_rate=options.finetune_learning_rate,
            warmup=options.finetune_warmup,
            parts=parts,
            part=part,
        )
        needs = {"windows": windows} | ({"before": jobs[-1]} if jobs else {})
        jobs.append(
            Job(
                stage=TRAIN,
                params=params,
                needs=needs,
                fingerprints=windows.fingerprints,
                paths=paths,
                passes=passes / parts,
            )
        )
    return jobs


def train_report(trained: Job) -> Job:
    """The job that makes rows of what the last job of a training wrote."""
    needs = {"model": trained}
    return Job(stage=TRAIN_REPORT, params=trained.params, needs=needs, fingerprints=trained.fingerprints)
