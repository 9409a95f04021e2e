"""Shared pieces of the tests of bert_finetuning: two tiny tasks and a tiny checkpoint, made once."""

from pathlib import Path

import pytest

from models.deep_bert import DeepBertConfig
from models.deep_bert_files import save_deep_bert, unset_deep_bert
from models.deep_bert_init import draw, vanilla_spreads
from orchestrator.experiment import Context
from tasks.data.plan import tokens_job
from tasks.deepscale.race.plan import choice_tokens_job

TINY = DeepBertConfig(layers=2, width=16, heads=2, intermediate=32, vocab_size=2000, max_length=48)


@pytest.fixture(scope="session")
def tiny_needs(tmp_path_factory) -> dict[str, dict[str, Path]]:
    """What a run of either task needs: tokens (37 examples to train on, 21 to evaluate) and a checkpoint."""
    root = tmp_path_factory.mktemp("finetuning")
    (root / "model").mkdir()
    model = unset_deep_bert(TINY)
    draw(model, vanilla_spreads(TINY, 0.2), seed=0)
    save_deep_bert(model, root / "model")
    jobs = {
        "continuation": choice_tokens_job("continuation", None, "builtin", 48, 20, 37, 21),
        "same_topic": tokens_job("same_topic", None, "builtin", 48, 37, 21),
    }
    for task, job in jobs.items():
        (root / task).mkdir()
        job.stage.load()(job.params, Context(artifact=root / task, paths=job.paths))
    return {task: {"tokens": root / task, "model": root / "model"} for task in jobs}
