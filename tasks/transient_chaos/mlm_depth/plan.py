"""The jobs of `mlm_depth`: one an encoder and data seed, with the readouts of all depths, kinds and seeds.

The published new readout (`legacy_readout_init`) overwrites the encoder's word embeddings, so each of its seeds is a
job of its own. Every job needs the blocks, which are cut once.
"""

from collections.abc import Iterator

from orchestrator.experiment import Job
from tasks.data.blocks import blocks_job
from tasks.encoders.plan import PlannedEncoder, planned_encoders, report_jobs
from tasks.transient_chaos.mlm_depth.config import Config
from tasks.transient_chaos.mlm_depth.params import MLM_FROZEN, FrozenParams, Readout


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config.

    Raises:
        ValueError: corpus, tokenizer or model are missing; one line that says what to give.
    """
    blocks = blocks_job(
        config.corpus,
        config.tokenizer or config.model,
        length=config.length,
        train_limit=config.train_limit,
        test_limit=config.test_limit,
        seed=0,
    )
    encoders = planned_encoders(config, config.corpus)
    yield from report_jobs(encoders)
    for encoder in encoders:
        for data_seed in config.data_seeds:
            for readouts, seeds, legacy in _groups(config, encoder):
                yield _job(config, encoder, blocks, readouts, seeds, data_seed, legacy)


def _groups(config: Config, encoder: PlannedEncoder) -> Iterator[tuple[tuple[Readout, ...], tuple[int, ...], bool]]:
    """Readouts and seeds that share an encoder, and whether it is one whose embeddings are overwritten."""
    readouts = config.readouts if encoder.params["encoder"] == "pretrained" else config.random_readouts
    if config.legacy_readout_init and "new" in readouts:
        for seed in config.seeds:
            yield ("new",), (seed,), True
        kept: list[Readout] = [kind for kind in readouts if kind != "new"]
        readouts = tuple(kept)
    if readouts:
        yield readouts, config.seeds, False


def _job(
    config: Config,
    encoder: PlannedEncoder,
    blocks: Job,
    readouts: tuple[Readout, ...],
    seeds: tuple[int, ...],
    data_seed: int,
    legacy: bool,
) -> Job:
    depths = tuple(sorted(config.depths))
    params = FrozenParams(
        **encoder.params,
        tokenizer=blocks.params.tokenizer,
        corpus=blocks.params.corpus,
        length=config.length,
        depths=depths,
        readouts=readouts,
        seeds=seeds,
        data_seed=data_seed,
        batch_size=config.batch_size,
        epochs=config.epochs,
        learning_rate=config.learning_rate,
        warmup=config.warmup,
        mask_ratio=config.mask_ratio,
        legacy_masking=config.legacy_masking,
        legacy_head_eps=config.legacy_head_eps,
        legacy_readout_init=legacy,
        train_limit=config.train_limit,
        test_limit=config.test_limit,
    )
    # Without a limit the number of blocks is known only when they are cut.
    epochs = config.epochs if set(readouts) != {"zero_shot"} else 0
    passes = depths[-1] * (epochs * (config.train_limit or 0) + (config.test_limit or 0))
    return Job(
        stage=MLM_FROZEN,
        params=params,
        needs={**encoder.needs, "blocks": blocks},
        fingerprints=blocks.fingerprints,
        paths=encoder.paths,
        passes=passes,
    )
