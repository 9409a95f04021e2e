"""The jobs of `chaos`: one pass an encoder and mask policy measures everything; long runs go on from its last states.

All of them share one sample of sentences. More layers of the one-vector map run without the pass before them.
"""

from collections.abc import Iterator
from typing import Any

from orchestrator.experiment import Job
from orchestrator.limits import shared
from tasks.encoders.plan import PlannedEncoder, planned_encoders, report_jobs
from tasks.transient_chaos.chaos.config import Config, MaskMode
from tasks.transient_chaos.chaos.stages import CHAOS_LONG, CHAOS_SWEEP, LongParams, SweepParams
from tasks.transient_chaos.sentences import Passages, sentences_job


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config, those of an encoder together.

    Raises:
        ValueError: corpus, tokenizer or model are missing, or settings do not fit; one line that says what to give.
    """
    sentences = sentences_job(
        tokenizer=config.tokenizer or config.model,
        **shared(config, Passages),
        count=config.sentences,
        seed=config.sentence_seed,
        legacy_packing=config.legacy_packing,
    )
    encoders = planned_encoders(config, config.corpus)
    yield from report_jobs(encoders)
    for encoder in encoders:
        for mask_mode in config.mask_modes:
            sweep = _sweep_job(config, encoder, mask_mode, sentences)
            yield sweep
            if config.long_steps:
                yield _long_job(config, encoder, mask_mode, sentences, sweep)


def _sweep_job(config: Config, encoder: PlannedEncoder, mask_mode: MaskMode, sentences: Job) -> Job:
    params = SweepParams(
        **_both(config, SweepParams, encoder, mask_mode, sentences),
        difference_size=config.difference_size if config.legacy_differences else None,
        spread_tokens="all" if config.legacy_spread or mask_mode == "none" else "real",
    )
    whole = min(config.sentences, config.spectrum_sentences)
    tangents = config.exponents * whole + bool(config.exponents) * (config.sentences - whole)
    copies = config.sentences if config.legacy_differences else 0
    return Job(
        stage=CHAOS_SWEEP,
        params=params,
        needs={"sentences": sentences, **encoder.needs},
        fingerprints=sentences.fingerprints,
        paths=encoder.paths,
        passes=config.steps * (config.sentences + tangents + copies),
    )


def _long_job(config: Config, encoder: PlannedEncoder, mask_mode: MaskMode, sentences: Job, sweep: Job) -> Job:
    own = {name: getattr(config, f"long_{name}") for name in ("window", "steps", "exponents", "sentences")}
    params = LongParams(**{**_both(config, LongParams, encoder, mask_mode, sentences), **own})
    # One vector is a T-th of a sentence; a tangent along and one across cost about as much again.
    vectors = min(config.long_sentences, config.sentences) / config.length
    return Job(
        stage=CHAOS_LONG,
        params=params,
        needs={"sweep": sweep, **encoder.needs},
        fingerprints=sentences.fingerprints,
        paths=encoder.paths,
        passes=config.long_steps * vectors * (2 + config.long_exponents),
    )


def _both(config: Config, params: type, encoder: PlannedEncoder, mask_mode: MaskMode, sentences: Job) -> dict[str, Any]:
    """The groups of settings that the config shares with these parameters, and what both stages have."""
    text = {"tokenizer": sentences.params.tokenizer, "corpus": sentences.params.corpus}
    own = {**text, "dtype": config.precision, "mask_mode": mask_mode}
    return {**shared(config, params), **encoder.params, **own}
