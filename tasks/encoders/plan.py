"""Which encoders a sweep works on, each ready for a job: parameters, the jobs it needs, the places of its weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from models.checkpoints import ModelRef, resolve_model
from orchestrator.experiment import Job
from orchestrator.limits import shared
from tasks.data.blocks import blocks_job
from tasks.encoders.options import EncoderOptions, ModelOptions
from tasks.encoders.params import JOB, RANGED_STYLES, SCRATCH, SMALL, EncoderSizes
from tasks.encoders.small import PretrainParams, pretrain_job, report_job
from tasks.encoders.transformer import TransformerOrSmallOptions

NO_SIZES = dict.fromkeys(field.name for field in fields(EncoderSizes))
"""The sizes of a model that has its own."""


@dataclass(frozen=True, kw_only=True)
class PlannedEncoder:
    """One encoder of a plan."""

    params: Mapping[str, Any]
    """The fields of `EncoderParams` but for `tokenizer` and `dtype`."""
    needs: Mapping[str, Job] = field(default_factory=dict)
    """The job that pretrains the model `small`, as `model`."""
    paths: Mapping[str, str] = field(default_factory=dict)
    """Where a local checkpoint lies."""


def planned_encoders(options: EncoderOptions, corpus: str | None = None) -> list[PlannedEncoder]:
    """The pretrained encoder, then the random ones by style and seed.

    `corpus` is the text that the model `small` is pretrained on where the options name none.

    Raises:
        ValueError: a checkpoint, corpus or tokenizer is missing; one line that says what to give.
    """
    named = model_fields(options)
    needs: dict[str, Job] = {}
    paths: dict[str, str] = {}
    if options.model == SMALL:
        needs["model"] = small_job(options, corpus)
        named["revision"] = JOB + needs["model"].id
    elif options.model != SCRATCH:
        ref = resolve_model(options.model, options.pickled_weights)
        named |= {"model": ref.name, "revision": ref.revision}
        paths = model_paths(ref)
    found = []
    if "pretrained" in options.encoders:
        found.append(PlannedEncoder(params={**named, "encoder": "pretrained"}, needs=needs, paths=paths))
    if "random" in options.encoders:
        for style in options.init_styles:
            ranged = {"init_range": options.init_range if style in RANGED_STYLES else None}
            for seed in options.encoder_seeds:
                drawn = {"encoder": "random", "init_style": style, "encoder_seed": seed, **ranged}
                found.append(PlannedEncoder(params={**named, **drawn}, needs=needs, paths=paths))
    return found


def report_jobs(encoders: Sequence[PlannedEncoder]) -> list[Job]:
    """The job that reports how the model `small` was pretrained, where these encoders need it."""
    models = {encoder.needs["model"].id: encoder.needs["model"] for encoder in encoders if "model" in encoder.needs}
    return [report_job(model) for model in models.values()]


def model_fields(options: ModelOptions) -> dict[str, Any]:
    """The fields of `EncoderParams` that name the model; sizes only where nothing else says them."""
    sizes = shared(options, EncoderSizes) if options.model == SCRATCH else NO_SIZES
    return {"model": options.model, "revision": "", **sizes}


def model_paths(ref: ModelRef) -> dict[str, str]:
    """What a job must know of a checkpoint's place, for `Job.paths`."""
    paths = {} if ref.path is None else {"model": ref.path}
    return {**paths, "pickled_weights": "allowed"} if ref.pickled else paths


def small_job(options: EncoderOptions | TransformerOrSmallOptions, corpus: str | None = None) -> Job:
    """The job that pretrains the model `small` of these options.

    Raises:
        ValueError: there is no corpus to pretrain on.
    """
    text = options.pretrain_corpus or corpus
    if text is None:
        raise ValueError("the model small needs text: give --pretrain-corpus builtin, or a directory of text")
    assert options.tokenizer is not None  # `check_model` has seen to both
    assert options.width is not None
    blocks = blocks_job(text, options.tokenizer, length=options.pretrain_length, seed=options.pretrain_seed)
    return pretrain_job(
        blocks,
        **shared(options, PretrainParams),
        depth=options.pretrain_depth,
        steps=options.pretrain_steps,
        batch_size=options.pretrain_batch,
        seed=options.pretrain_seed,
    )
