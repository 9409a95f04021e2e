"""What does not fit together is refused with what to do; a state that turns NaN costs its own depths alone."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import torch

from orchestrator.experiment import Context
from tasks.data.errors import DataError
from tasks.transient_chaos.mlm_depth import states as states_file
from tasks.transient_chaos.mlm_depth.config import Config
from tasks.transient_chaos.mlm_depth.frozen import frozen
from tasks.transient_chaos.mlm_depth.stages import FrozenParams
from tests.tasks.transient_chaos.mlm_depth.conftest import write_blocks


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depths": (0, 1)}, "depths is 0: give at least 1"),
        ({"depths": (2, 2)}, "depths has 2 twice"),
        ({"depths": ()}, "depths"),
        ({"seeds": (1, 1)}, "seeds"),
        ({"readouts": ()}, "readouts"),
        ({"mask_ratio": 1.0}, "mask-ratio is 1.0: give more than 0 and less than 1"),
        ({"learning_rate": 0.0}, "learning-rate is 0.0: give more than 0"),
        ({"legacy_readout_init": True}, "the readout new alone"),
        (
            {"encoder": "random", "init_style": "hf_default", "encoder_seed": 0},
            "new or zero_shot with a random encoder",
        ),
    ],
)
def test_bad_parameters(params, change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(params, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depths": (0, 1)}, "depths is 0: give at least 1"),
        ({"random_readouts": ("trained",)}, "no readout to train further"),
        ({"mask_ratio": 1.5}, "mask-ratio is 1.5"),
        ({"epochs": 0}, "epochs is 0"),
        ({"model": "small", "tokenizer": "builtin", "width": 64, "length": 128}, "length is 128: give at most 32"),
    ],
)
def test_bad_options(change, message):
    with pytest.raises(ValueError, match=message):
        Config(**change)


def test_blocks_that_do_not_fit(params, context, tmp_path):
    def with_blocks(directory):
        return dataclasses.replace(context, needs={"blocks": directory})

    with pytest.raises(ValueError, match="plan a blocks job"):
        frozen(params, dataclasses.replace(context, needs={}))
    with pytest.raises(DataError):
        frozen(params, with_blocks(tmp_path))
    long = write_blocks(tmp_path / "long", 4, 4, length=40)
    with pytest.raises(ValueError, match="blocks of 40 tokens of made, planned were 16"):
        frozen(params, with_blocks(long))
    with pytest.raises(ValueError, match="40 tokens, tiny-mlm has 32 positions"):
        frozen(dataclasses.replace(params, length=40), with_blocks(long))
    wide = write_blocks(tmp_path / "wide", 4, 4, vocab=91)
    with pytest.raises(ValueError, match="need 91 ids, tiny-mlm has 90; give its tokenizer"):
        frozen(params, with_blocks(wide))
    empty = write_blocks(tmp_path / "empty", 0, 4)
    with pytest.raises(ValueError, match="empty part"):
        frozen(params, with_blocks(empty))
    with pytest.raises(ValueError, match="44 blocks, the limit is 10"):
        frozen(dataclasses.replace(params, train_limit=10), context)


def test_readouts_that_do_not_fit_into_memory_are_counted_first(params, context):
    with pytest.raises(ValueError, match=r"4 depths and 2 seeds of readouts take about [\d,]+ bytes of 50,000"):
        frozen(params, dataclasses.replace(context, memory_bytes=100_000))


def test_a_checkpoint_without_readout_is_refused_before_any_pass(params, blocks, tmp_path, checkpoint):
    from transformers import AlbertModel

    from models.checkpoints import directory_revision

    bare = tmp_path / "bare"
    AlbertModel.from_pretrained(checkpoint, trust_remote_code=False, use_safetensors=True).save_pretrained(bare)
    given = dataclasses.replace(params, model="bare", revision=directory_revision(bare))
    with pytest.raises(ValueError, match=r"no masked-LM readout: it lacks predictions"):
        frozen(given, Context(needs={"blocks": blocks}, paths={"model": str(bare)}))


@pytest.mark.parametrize(("part", "block"), [("train", 11), ("test", 66)])
def test_a_state_that_turns_nan_costs_its_own_depths_alone(params, context, monkeypatch, part, block):
    """From layer 3 on the states of one block of one part are NaN: depths 1 and 2 keep every number."""
    real = states_file.masked_states
    rows: list[np.ndarray] = []
    states = states_file.Work.states

    def remembering(self, name, rows_B, inputs, labels):
        rows[:] = [rows_B if name == part else np.array([])]
        return states(self, name, rows_B, inputs, labels)

    def spoiled(model, inputs, labels, depths):
        x_DPH, labels_P, block_P = real(model, inputs, labels, depths)
        hit = torch.from_numpy(
            np.isin(rows[0][block_P.numpy()], [block]) if len(rows[0]) else np.zeros(len(block_P), bool)
        )
        for d, depth in enumerate(depths):
            if depth >= 3:
                x_DPH[d, hit] = torch.nan
        return x_DPH, labels_P, block_P

    good = pd.DataFrame(frozen(params, context)["scores"])
    monkeypatch.setattr(states_file.Work, "states", remembering)
    monkeypatch.setattr(states_file, "masked_states", spoiled)
    found = frozen(params, context)
    assert found["nonfinite"] == [{"part": part, "depth": 4, "block": block}]
    scores = pd.DataFrame(found["scores"])
    deep = scores["depth"] >= 3
    assert np.array_equal(scores.loc[~deep, "value"], good.loc[~deep, "value"])
    # A readout that is not trained sees the test part alone.
    touched = deep & ((scores["readout"] != "zero_shot") | (part == "test"))
    assert scores.loc[touched, "value"].isna().all()
    assert np.array_equal(scores.loc[~touched, "value"], good.loc[~touched, "value"])


def test_blocks_too_short_to_hide_anything_have_no_score(params, context, tmp_path):
    tiny = write_blocks(tmp_path / "tiny", 5, 5, length=3)
    short = dataclasses.replace(params, length=3, mask_ratio=0.2)
    found = frozen(short, dataclasses.replace(context, needs={"blocks": tiny}))
    assert found["costs"][0]["n_masked"] == 0
    assert found["costs"][0]["n_empty"] == 5
    assert all(np.isnan(row["value"]) for row in found["scores"])


def test_parameters_are_what_the_store_can_write(params):
    assert isinstance(params, FrozenParams)
    json.dumps(dataclasses.asdict(params))
