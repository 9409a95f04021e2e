"""The options of `bert_pretraining`: the published preset, what is refused, what the plan shares."""

import dataclasses

import pytest

from tasks.deepscale.bert_pretraining.config import PRESETS
from tasks.deepscale.bert_pretraining.plan import plan

QUICK = PRESETS["quick"]


def test_the_paper_preset_is_the_published_setting():
    paper = PRESETS["paper"]
    published = {
        "layers": (12,), "width": 768, "heads": 12, "intermediate": 0, "activation": "relu", "norms": ("post",),
        "length": 512, "global_batch": 256, "micro_batch": 32, "steps": 488_281, "learning_rate": 1e-4, "warmup": 0.01,
        "weight_decay": 0.01, "clip": 1.0, "dropout": 0.1, "attention_dropout": 0.1, "precision": "bf16",
        "vocab_size": 30_592, "workers": 8, "seeds": (1234,), "corpus": "wikipedia",
    }  # fmt: skip
    assert {name: getattr(paper, name) for name in published} == published
    assert "vanilla" in paper.schemes
    assert "dslm" in paper.schemes


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"norms": ("pre", "pre")}, "norms"),
        ({"layers": ()}, "layers"),
        ({"layers": (0,)}, "layers is 0"),
        ({"layers": (2,), "branch_k": 3.0}, r"branch-k is 3.0: give less, or more layers: beta\^2"),
        ({"heads": 5}, "heads is 5: give a number that divides the width 64"),
        ({"workers": 4}, "workers is 4: give a number that divides the 2 micro-batches of 16"),
    ],
)
def test_what_cannot_be_is_refused_before_the_plan(values, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(QUICK, **values)


def test_each_variant_and_seed_is_a_training_and_a_report_and_all_share_the_documents():
    jobs = list(plan(dataclasses.replace(QUICK, seeds=(0, 1), layers=(4, 8))))
    trainings = {job.needs["model"].id: job.needs["model"] for job in jobs}
    assert len(jobs) == len(trainings) == 2 * 2 * 2 * 2
    assert len({training.needs["documents"].id for training in trainings.values()}) == 1
    variants = {(t.params.norm, t.params.scheme, t.params.layers, t.params.seed) for t in trainings.values()}
    assert len(variants) == 16
