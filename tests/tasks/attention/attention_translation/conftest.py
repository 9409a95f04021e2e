"""A few pairs of the builtin language with their subwords, made once for all tests here."""

from dataclasses import asdict
from typing import Any

import pytest

from orchestrator.experiment import Context
from tasks.attention.attention_translation.config import BeamSearch
from tasks.attention.attention_translation.stages import PAIRS, TrainParams
from tasks.attention.pairs.plan import PairOptions, SubwordPairsParams, pairs_job
from tasks.attention.pairs.stages import subword_pairs

SIZES: dict[str, Any] = {"vocab_size": 300, "train_limit": 50, "val_limit": 9}


@pytest.fixture(scope="session")
def pairs(tmp_path_factory):
    """The directory of the artifact."""
    directory = tmp_path_factory.mktemp("pairs")
    job = pairs_job("rule_language", None, options=PairOptions(**SIZES))
    subword_pairs(job.params, Context(artifact=directory, paths=job.paths))
    return directory


def params(cls: type[Any] = TrainParams, /, **given: Any) -> Any:
    """Parameters of a tiny translator of these pairs."""
    data = asdict(SubwordPairsParams(dataset="rule_language", source_language="en", target_language="rule", **SIZES))
    sizes = {"hidden": 8, "layers": 2, "dropout": 0.3, "batch_size": 16, "epochs": 2}
    beams = {"beams": 0} if issubclass(cls, BeamSearch) else {}
    return cls(**(data | sizes | beams | given))


def train(pairs, artifact, checkpoints=None, **given):
    """Rows of `training`; the checkpoints are in `artifact`."""
    from tasks.attention.attention_translation.training import train_translator

    artifact.mkdir(parents=True, exist_ok=True)
    context = Context(artifact=artifact, needs={PAIRS: pairs}, checkpoints=checkpoints)
    return train_translator(params(**({"runs": ("normal-20",), "saves": (0, 3, 8)} | given)), context)["training"]
