"""The jobs of `mlm_depth`: one an encoder and data seed, with the readouts of all depths, kinds and seeds.

The published new readout (`legacy_readout_init`) overwrites the encoder's word embeddings, so each of its seeds is a
job of its own. Every job needs the blocks, which are cut once.
"""

from collections.abc import Iterator
from typing import Any

from orchestrator.experiment import Job
from orchestrator.limits import shared
from tasks.data.blocks import blocks_job
from tasks.encoders.plan import PlannedEncoder, planned_encoders, report_jobs
from tasks.transient_chaos.mlm_depth.config import Config
from tasks.transient_chaos.mlm_depth.stages import MLM_FROZEN, FrozenParams


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
            for group in _groups(config, encoder):
                yield _job(config, encoder, blocks, {"data_seed": data_seed, **group})


def _groups(config: Config, encoder: PlannedEncoder) -> Iterator[dict[str, Any]]:
    """Readouts and seeds that share an encoder, and whether it is one whose embeddings are overwritten."""
    readouts = config.readouts if encoder.params["encoder"] == "pretrained" else config.random_readouts
    if config.legacy_readout_init and "new" in readouts:
        for seed in config.seeds:
            yield {"readouts": ("new",), "seeds": (seed,), "legacy_readout_init": True}
        readouts = tuple(kind for kind in readouts if kind != "new")
    if readouts:
        yield {"readouts": readouts, "seeds": config.seeds, "legacy_readout_init": False}


def _job(config: Config, encoder: PlannedEncoder, blocks: Job, group: dict[str, Any]) -> Job:
    text = {"tokenizer": blocks.params.tokenizer, "corpus": blocks.params.corpus}
    params = FrozenParams(**{**shared(config, FrozenParams), **encoder.params, **text, **group})
    # Without a limit the number of blocks is known only when they are cut.
    epochs = config.epochs if set(params.readouts) != {"zero_shot"} else 0
    return Job(
        stage=MLM_FROZEN,
        params=params,
        needs={**encoder.needs, "blocks": blocks},
        fingerprints=blocks.fingerprints,
        paths=encoder.paths,
        passes=config.depths[-1] * (epochs * (config.train_limit or 0) + (config.test_limit or 0)),
    )
