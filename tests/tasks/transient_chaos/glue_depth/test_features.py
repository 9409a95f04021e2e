"""The prefix pass: exact against separate passes, whatever the blocks and (to rounding) the batches."""

import numpy as np
import pytest
import torch

from models.albert import shared_layer
from tasks.transient_chaos.glue_depth.features import (
    CountedLayer,
    feature_blocks,
    length_batches,
    plan_depth_blocks,
    pooled_prefix,
    state_bytes,
)
from tests.parity.tiny_albert import tiny_albert
from tests.tasks.transient_chaos.glue_depth.glue_fakes import fake_split

DEPTHS = (1, 2, 3, 5, 8, 13)
H, FLOAT64 = 32, 8


def test_prefix_is_exactly_the_separate_passes():
    model, split = tiny_albert(), fake_split(21, seed=0, n_outputs=2)
    z = pooled_prefix(model, split, DEPTHS, size=4)
    assert z.shape == (6, 21, H)
    for d, depth in enumerate(DEPTHS):
        model.config.num_hidden_layers = depth
        for rows in length_batches(split, 4):
            ids, types, mask = split.batch(rows)
            with torch.no_grad():
                alone = model(input_ids=ids, token_type_ids=types, attention_mask=mask).pooler_output
            assert torch.equal(z[d, rows], alone)


def test_padding_changes_only_the_rounding():
    model, split = tiny_albert(), fake_split(30, seed=3, n_outputs=2)
    bucketed = pooled_prefix(model, split, DEPTHS, size=7)
    whole = pooled_prefix(model, split, DEPTHS, size=30)  # all padded to the longest
    single = pooled_prefix(model, split, DEPTHS, size=1)  # no padding at all
    assert (bucketed - whole).abs().max() < 1e-12
    assert (bucketed - single).abs().max() < 1e-12


def test_features_keep_the_order_of_the_examples():
    model, split = tiny_albert(), fake_split(12, seed=3, n_outputs=2)
    order = np.array([5, 0, 11, 3, 7, 1, 2, 4, 6, 8, 9, 10])
    moved = type(split)([split.ids[i] for i in order], [split.types[i] for i in order], split.labels[order])
    z, moved_z = (pooled_prefix(model, s, (2,), size=5) for s in (split, moved))
    assert (moved_z - z[:, order]).abs().max() < 1e-12


def test_batches_are_sorted_by_length_and_complete():
    split = fake_split(23, seed=1, n_outputs=2)
    batches = length_batches(split, 5)
    assert [len(b) for b in batches] == [5, 5, 5, 5, 3]
    assert sorted(np.concatenate(batches).tolist()) == list(range(23))
    assert (np.diff(split.lengths[np.concatenate(batches)]) >= 0).all()


@pytest.mark.parametrize("room", [6, 4, 3, 2, 1])
@pytest.mark.parametrize("carry", [True, False])
def test_blocks_give_the_same_features_and_count_their_passes(room, carry):
    model = tiny_albert()
    splits = {
        "train": fake_split(17, seed=0, n_outputs=2, longest=30),
        "dev": fake_split(6, seed=1, n_outputs=2, longest=30),
    }
    whole = {name: pooled_prefix(model, split, DEPTHS, size=4) for name, split in splits.items()}
    each, states = 23 * H * FLOAT64, state_bytes(splits, H, FLOAT64, 4)
    assert states > 6 * each  # else the test would not reach both ways
    if carry:
        model_budget, expected_room = states + room * each, None
    else:
        model_budget, expected_room = room * each, room
    layer = CountedLayer(layer=shared_layer(model))
    seen, features = [], {}
    for block, z in feature_blocks(model, splits, DEPTHS, model_budget, layer=layer, size=4):
        seen.append(block)
        assert expected_room is None or len(block) <= expected_room
        for name in splits:
            features.setdefault(name, []).append(z[name].clone())
    assert z == {}  # dropped
    assert sum(seen, ()) == DEPTHS
    for name in splits:
        assert torch.equal(torch.cat(features[name]), whole[name])
    assert layer.passes == 23 * (13 if carry else sum(block[-1] for block in seen))


@pytest.mark.parametrize("depths", [(1, 2, 3, 4, 5, 6, 7), (0, 4)])
def test_carried_states_are_used_when_features_do_not_fit(depths):
    """Long features against small states: several blocks, and still one pass."""
    model = tiny_albert()
    splits = {"train": fake_split(9, seed=0, n_outputs=2, longest=3)}
    whole = pooled_prefix(model, splits["train"], depths, size=4)
    states = state_bytes(splits, H, FLOAT64, 4)
    assert states == 9 * 3 * H * FLOAT64
    budget = states + (1 if len(depths) == 7 else 0) * 9 * H * FLOAT64 + 9 * H * FLOAT64
    budget = min(budget, len(depths) * 9 * H * FLOAT64 - 1)
    layer = CountedLayer(layer=shared_layer(model))
    blocks = list(feature_blocks_cloned(model, splits, depths, budget, layer))
    assert len(blocks) > 1
    assert torch.equal(torch.cat([z for _, z in blocks]), whole)
    if len(depths) == 7:
        assert layer.passes == 9 * depths[-1]


def feature_blocks_cloned(model, splits, depths, budget, layer):
    for block, z in feature_blocks(model, splits, depths, budget, layer=layer, size=4):
        yield block, z["train"].clone()


def test_plans_keep_to_their_budget():
    depths = tuple(range(1, 101))
    assert plan_depth_blocks(depths, 10, 4, 4, 100 * 160, 10**9).blocks == (depths,)
    rerun = plan_depth_blocks(depths, 10, 4, 4, 30 * 160, 10**9)
    assert (rerun.carry, [len(b) for b in rerun.blocks]) == (False, [25, 25, 25, 25])
    assert rerun.layers == 25 + 50 + 75 + 100
    kept = plan_depth_blocks(depths, 10, 4, 4, 30 * 160, 10 * 160)
    assert (kept.carry, [len(b) for b in kept.blocks], kept.layers) == (True, [20] * 5, 100)
    with pytest.raises(ValueError, match="one depth take 160 bytes of 100"):
        plan_depth_blocks(depths, 10, 4, 4, 100, 0)
    for bad in ((), (2, 1), (1, 1), (-1, 2)):
        with pytest.raises(ValueError, match="ascending"):
            plan_depth_blocks(bad, 10, 4, 4, 100, 0)
