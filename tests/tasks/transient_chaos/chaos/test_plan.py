"""The jobs of chaos: one pass an encoder and mask policy, shared sentences, long runs that do not change it."""

import dataclasses
from typing import Any

import pytest

from tasks.transient_chaos.chaos import EXPERIMENT
from tasks.transient_chaos.chaos.config import PRESETS, Config
from tasks.transient_chaos.chaos.plan import plan


def tiny(**change) -> Config:
    given: dict[str, Any] = {
        "model": "scratch", "tokenizer": "builtin", "width": 32, "corpus": "builtin", "encoders": ("random",),
        "encoder_seeds": (0, 1), "text": "single", "length": 16, "sentences": 8,
    }  # fmt: skip
    return Config(**{**given, **change})


def by_stage(config: Config) -> dict[str, list]:
    found: dict[str, list] = {}
    for job in plan(config):
        found.setdefault(job.stage.name, []).append(job)
    return found


def test_one_pass_measures_everything_of_an_encoder():
    jobs = by_stage(tiny(long_steps=50))
    assert {name: len(some) for name, some in jobs.items()} == {"chaos_sweep": 2 * 2 * 2, "chaos_long": 2 * 2 * 2}
    assert len({job.needs["sentences"].id for job in jobs["chaos_sweep"]}) == 1
    assert {job.needs["sweep"].id for job in jobs["chaos_long"]} == {job.id for job in jobs["chaos_sweep"]}
    # 1000 layers: 8 sentences, and their 8 exponents each.
    assert {job.passes for job in jobs["chaos_sweep"]} == {1000 * (8 + 8 * 8)}


def test_longer_runs_of_one_vector_repeat_no_pass():
    some, more = by_stage(tiny(long_steps=50)), by_stage(tiny(long_steps=100_000))
    assert [job.id for job in some["chaos_sweep"]] == [job.id for job in more["chaos_sweep"]]
    assert not {job.id for job in some["chaos_long"]} & {job.id for job in more["chaos_long"]}


def test_what_shapes_the_sentences_is_a_column():
    """Tables replace rows of equal scalar parameters, so two samples must differ in one."""
    for change in ({"sentence_seed": 1}, {"part": "train"}, {"legacy_packing": True}, {"text": "pairs"}):
        a, b = by_stage(tiny())["chaos_sweep"][0], by_stage(tiny(**change))["chaos_sweep"][0]
        names = [field.name for field in a.stage.param_fields]
        assert [getattr(a.params, n) for n in names] != [getattr(b.params, n) for n in names], change


def test_two_pretrained_small_models_differ_in_their_revision():
    config = tiny(model="small", encoders=("pretrained", "random"), encoder_seeds=(0,), mask_modes=("none",))
    other = dataclasses.replace(config, pretrain_steps=7)
    a, b = (by_stage(c)["chaos_sweep"] for c in (config, other))
    assert a[0].params.revision == f"job-{a[0].needs['model'].id}" != b[0].params.revision
    assert a[1].params.revision == a[0].params.revision  # its random twin has the same architecture
    assert a[0].needs["model"].needs["blocks"].params.length == config.pretrain_length


def test_the_published_defects_are_options():
    usual = by_stage(tiny())["chaos_sweep"]
    assert {job.params.difference_size for job in usual} == {None}
    assert {job.params.spread_tokens for job in usual if job.params.mask_mode == "padding"} == {"real"}
    legacy = by_stage(tiny(legacy_differences=True, legacy_spread=True))["chaos_sweep"]
    assert {job.params.difference_size for job in legacy} == {1.0}
    assert {job.params.spread_tokens for job in legacy} == {"all"}


def test_the_paper_preset_is_the_published_setting():
    paper = PRESETS["paper"]
    assert (paper.length, paper.sentences, paper.steps, paper.window) == (32, 1000, 1000, 50)
    assert (len(paper.encoder_seeds), paper.model, paper.long_steps) == (10, "albert/albert-large-v2", 100_000)
    length = PRESETS["chaos_length"]
    assert (length.text, length.length, length.sentences, length.steps, length.window) == ("single", 128, 100, 500, 100)
    assert EXPERIMENT.tables.keys() >= {"windows", "offsets", "layers", "long_windows", "pretraining"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 2000}, "window is 2000"),
        ({"mask_modes": ("none", "none")}, "twice"),
        ({"encoders": ("pretrained",)}, "random weights only"),
        ({"width": None}, "width is None: give --width"),
        ({"model": "some/model"}, "sizes go with --model"),
        ({"init_styles": ("glue_legacy",), "init_range": 0.1}, "init-range is 0.1: give none"),
        ({"corpus": "/nowhere/at/all"}, "/nowhere/at/all"),
        ({"window": 7}, "multiple of qr-every"),
    ],
)
def test_wrong_options_are_said_before_anything_runs(change, message):
    with pytest.raises(ValueError, match=message):
        list(plan(tiny(**change)))
