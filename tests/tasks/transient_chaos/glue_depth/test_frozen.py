"""The stage glue_frozen as a plain function on small fake tokens."""

import math

import pytest
import torch

from models.albert import random_albert, scratch_config
from models.checkpoints import directory_revision
from orchestrator.experiment import Context
from tasks.transient_chaos.glue_depth import frozen as stage
from tasks.transient_chaos.glue_depth.frozen import frozen
from tasks.transient_chaos.glue_depth.stages import COSTS, CURVES, FROZEN, SCORES, FrozenParams
from tests.tasks.transient_chaos.glue_depth.glue_fakes import fake_context, fake_split

SCRATCH = {
    "model": "scratch", "encoder": "random", "init_style": "hf_default", "encoder_seed": 0, "width": 32, "heads": 4,
    "tokenizer": "fake", "curve_points": 5,
}  # fmt: skip
TASKS = {"RTE": (2, ("dev",)), "STS-B": (1, ("dev",)), "MNLI": (3, ("dev_matched", "dev_mismatched"))}


def context_of(task, tmp_path, monkeypatch, n=30, **context):
    C, names = TASKS[task]
    splits = {"train": fake_split(n, 0, C), **{name: fake_split(13, i + 1, C) for i, name in enumerate(names)}}
    return fake_context(tmp_path, monkeypatch, task, splits, **context)


def params(task="RTE", **change):
    return FrozenParams(**{"task": task, "depths": (1, 2, 5), "seeds": (0, 1), **SCRATCH, **change})


def scores_of(tables):
    return {(row["depth"], row["seed"], row["metric"]): row["value"] for row in tables["scores"]}


@pytest.mark.parametrize(
    ("task", "metrics"),
    [
        ("RTE", {"accuracy", "loss"}),
        ("STS-B", {"pearson", "spearman", "corr", "loss"}),
        ("MNLI", {"accuracy_matched", "loss_matched", "accuracy_mismatched", "loss_mismatched"}),
    ],
)
def test_every_depth_and_seed_has_its_rows(task, metrics, tmp_path, monkeypatch):
    tables = frozen(params(task), context_of(task, tmp_path, monkeypatch))
    keys = scores_of(tables)
    assert set(keys) == {(d, s, m) for d in (1, 2, 5) for s in (0, 1) for m in metrics}
    assert len(keys) == len(tables["scores"])
    assert {(row["depth"], row["seed"]) for row in tables["curves"]} == {(d, s) for d in (1, 2, 5) for s in (0, 1)}
    assert [row["step"] for row in tables["curves"][:5]] == [3, 5, 8, 10, 12]
    for name, spec in {"scores": SCORES, "curves": CURVES, "costs": COSTS}.items():
        assert FROZEN.tables[name] is spec
        for row in tables[name]:
            assert list(row) == spec.schema.names
    (cost,) = tables["costs"]
    n_dev = 13 * len(TASKS[task][1])
    assert (cost["n_train"], cost["n_dev"], cost["layer_passes"]) == (30, n_dev, 5 * (30 + n_dev))
    assert (cost["depth_blocks"], cost["max_depth"], cost["n_depths"], cost["n_seeds"]) == (1, 5, 3, 2)


def test_the_same_parameters_give_the_same_rows(tmp_path, monkeypatch):
    context = context_of("RTE", tmp_path, monkeypatch)
    torch.manual_seed(1)
    first = frozen(params(), context)
    torch.manual_seed(2)
    again = frozen(params(), context)
    assert (first["scores"], first["curves"]) == (again["scores"], again["curves"])
    other = frozen(params(encoder_seed=1), context)
    assert scores_of(other) != scores_of(first)


def test_fewer_depths_and_seeds_and_less_memory_give_the_same_numbers(tmp_path, monkeypatch):
    context = context_of("MNLI", tmp_path, monkeypatch)
    whole = frozen(params("MNLI"), context)
    part = frozen(params("MNLI", depths=(2, 5), seeds=(1,)), context)
    assert scores_of(part).items() <= scores_of(whole).items()
    monkeypatch.setattr(stage, "usable_bytes", lambda _: 56 * 32 * 4)  # one depth at a time
    tight = frozen(params("MNLI"), context)
    assert scores_of(tight) == scores_of(whole)
    assert tight["costs"][0]["depth_blocks"] == 3
    assert tight["costs"][0]["layer_passes"] == 56 * (1 + 2 + 5)


def test_collapsed_features_give_nan_correlations(tmp_path, monkeypatch):
    context = context_of("STS-B", tmp_path, monkeypatch)
    monkeypatch.setattr(stage.Heads, "logits", lambda self, z, d, s: torch.ones(z.shape[1], 1))
    values = scores_of(frozen(params("STS-B", depths=(1,), seeds=(0,)), context))
    assert all(math.isnan(values[1, 0, m]) for m in ("pearson", "spearman", "corr"))
    assert math.isfinite(values[1, 0, "loss"])


def test_pretrained_and_redrawn_checkpoints(tmp_path, monkeypatch):
    config = scratch_config(32, heads=4, vocab_size=50)
    random_albert(config, "glue_legacy", seed=9).save_pretrained(tmp_path / "model")
    context = context_of("RTE", tmp_path, monkeypatch, paths={"model": str(tmp_path / "model")})
    revision = directory_revision(tmp_path / "model")
    given = {"model": "mine", "revision": revision, "width": None, "heads": None}
    pretrained = frozen(params(**given, encoder="pretrained", encoder_seed=None), context)
    assert {row["encoder"] for row in pretrained["scores"]} == {"pretrained"}
    redrawn = frozen(params(**given), context)
    assert scores_of(redrawn) != scores_of(pretrained)
    scratch = frozen(params(embedding=128, intermediate=128), context)
    assert scores_of(redrawn) == scores_of(scratch)  # the same architecture and seed
    with pytest.raises(ValueError, match=f"holds revision {revision}, planned was abc"):
        frozen(params(**{**given, "revision": "abc"}), context)


def test_what_does_not_fit_is_refused(tmp_path, monkeypatch):
    context = context_of("RTE", tmp_path, monkeypatch)
    with pytest.raises(ValueError, match="holds tokens of RTE, not MRPC"):
        frozen(params("MRPC"), context)
    with pytest.raises(ValueError, match="plan a tokens job"):
        frozen(params(), Context())
    with pytest.raises(ValueError, match="the limit is 10"):
        frozen(params(train_limit=10), context)
    small = scratch_config(32, heads=4, vocab_size=20, max_position=4)
    short = scratch_config(32, heads=4, vocab_size=50, max_position=4)
    paths = {"model": str(tmp_path / "small")}
    for config, message in ((small, "the tokens need 50 ids"), (short, "4 positions")):
        random_albert(config, "hf_default", seed=0).save_pretrained(tmp_path / "small")
        revision = directory_revision(tmp_path / "small")
        with pytest.raises(ValueError, match=message):
            frozen(
                params(model="small", revision=revision, width=None, heads=None),
                Context(needs=context.needs, paths=paths),
            )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"depths": (2, 1)}, "depths"),
        ({"depths": ()}, "depths"),
        ({"seeds": (1, 1)}, "seeds"),
        ({"batch_size": 0}, "batch_size"),
        ({"dropout": 1.0}, "dropout"),
        ({"clip": -1.0}, "clip"),
        ({"encoder_seed": None}, "encoder_seed"),
        ({"init_style": None}, "init_style"),
        ({"encoder": "pretrained", "encoder_seed": None}, "encoder"),
        ({"width": None}, "width"),
        ({"model": "mine"}, "width"),
        ({"warmup": 3}, "warmup"),
    ],
)
def test_bad_parameters_are_named(change, field):
    with pytest.raises(ValueError, match=f"^{field.replace('_', '-')} (is|has) "):
        params(**change)


def test_the_init_style_is_no_part_of_a_pretrained_encoder():
    given = {"model": "mine", "width": None, "heads": None, "encoder": "pretrained", "encoder_seed": None}
    assert params(**given, init_style="glue_legacy") == params(**given, init_style=None)
