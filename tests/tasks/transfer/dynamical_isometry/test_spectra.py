"""The stage `jacobian_spectra` on a tiny encoder: what its rows are about, and what they depend on."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file

from metrics.singular_values import singular_values
from models.jacobian import jacobian_blocks
from orchestrator.experiment import Context
from tasks.transfer.diagnostics.inputs import open_network, open_sentences
from tasks.transfer.dynamical_isometry.spectra import ShardWriter, output_positions, spectra
from tasks.transfer.dynamical_isometry.stages import TABLES, SpectraParams
from tests.tasks.transfer.diagnostics.made_tokens import NETWORK, write_tokens

WIDTH = NETWORK["width"]
PARAMS = SpectraParams(**NETWORK, dtype="float64", seed=1, sentences=4)


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    return Context(needs={"tokens": write_tokens(tmp_path_factory.mktemp("t") / "made", "acceptability")})


def frames(params, context):
    tables = spectra(params, context)
    for name, rows in tables.items():
        assert all(set(row) == set(TABLES[name].schema.names) for row in rows)
    return {name: pd.DataFrame(rows) for name, rows in tables.items()}


def test_rows_hold_the_values_of_their_blocks(context, tmp_path):
    found = frames(PARAMS, dataclasses.replace(context, artifact=tmp_path))
    rows = found["spectra"]
    assert not rows.duplicated(list(TABLES["spectra"].key)).any()
    assert set(rows["kind"]) == {"diagonal", "off_diagonal", "pooled", "published"}
    assert set(rows["output_level"]) == {2}
    sentences = open_sentences(PARAMS, context, 1)
    model = open_network(PARAMS, context, sentences, attention="eager")
    batch = next(sentences.batches(1, 1))
    n, own = batch.input_ids.shape[1], rows[rows["sentence"] == batch.sentences[0]].set_index("kind")
    t = int(own.loc["diagonal", "position"])
    (blocks,) = jacobian_blocks(model, batch.inputs, positions=[t], budget_bytes=1 << 28)
    values = singular_values(blocks.values, 1 << 28).numpy()
    assert own.loc["diagonal", "mean_log"] == pytest.approx(np.log(values[t, :-2]).mean(), abs=1e-12)
    others = np.delete(values, t, axis=0)[:, :-2]
    assert own.loc["off_diagonal", "sigma_max"] == pytest.approx(others.max(), abs=1e-13)
    assert own.loc["pooled", "isometry"] == pytest.approx(np.square(values[:, :-2] - 1).mean(), abs=1e-12)
    assert own.loc["published", "min"] < 1e-8 < own.loc["pooled", "min"]
    assert own["n_blocks"].to_dict() == {"diagonal": 1, "off_diagonal": n - 1, "pooled": n, "published": n}
    # All values are on disk, with what tells the blocks apart.
    stored = load_file(tmp_path / "singular_values-00000.safetensors")
    mine = stored["sentence"] == batch.sentences[0]
    np.testing.assert_allclose(stored["values"][mine], values, rtol=1e-6, atol=1e-12)
    assert stored["word"][mine].tolist() == list(range(n))
    assert set(stored["position"][mine]) == {t}
    assert len(stored["values"]) == found["costs"]["n_blocks"].sum() == found["costs"]["n_tokens"].sum()
    # The histogram counts every value once; two of each block are null.
    counts = found["histogram"].groupby("kind")["count"].sum()
    assert counts["published"] == stored["values"].size
    assert counts["pooled"] == counts["diagonal"] + counts["off_diagonal"] == len(stored["values"]) * (WIDTH - 2)
    assert found["costs"]["layer_passes"].tolist() == [2 * 4]
    assert found["costs"]["products"].tolist() == [WIDTH * 4]


def test_positions_depend_on_seed_and_sentence_alone():
    assert output_positions(PARAMS, 3, 9) == output_positions(dataclasses.replace(PARAMS, sentences=7), 3, 9)
    drawn = {output_positions(dataclasses.replace(PARAMS, seed=s), 3, 9)[0] for s in range(12)}
    assert len(drawn) > 3
    assert output_positions(dataclasses.replace(PARAMS, positions=20), 3, 5) == [0, 1, 2, 3, 4]
    assert len(output_positions(dataclasses.replace(PARAMS, position_share=0.5), 3, 9)) == 4
    assert len(output_positions(dataclasses.replace(PARAMS, position_share=0.01), 3, 9)) == 1


def test_several_levels_and_the_whole(context):
    params = dataclasses.replace(PARAMS, input_levels=(0, 1), output_levels=(1, 2), whole=True, sentences=2)
    rows = frames(params, context)["spectra"]
    pairs = rows[["input_level", "output_level"]].drop_duplicates().to_numpy().tolist()
    assert sorted(pairs) == [[0, 1], [0, 2], [1, 2]]
    whole = rows[rows["kind"] == "whole"]
    assert len(whole) == 2 * 3
    assert set(whole["position"]) == {0}
    # All words together move the state by no less than the strongest of them, which is one of the columns.
    ones = dataclasses.replace(params, positions=99)
    alone = frames(ones, context)["spectra"].query("position == 0 and kind == 'pooled'")
    keys = ["sentence", "input_level", "output_level"]
    both = whole.merge(alone, on=keys, suffixes=("_whole", "_word"))
    assert len(both) == 6
    assert (both["sigma_max_whole"] >= both["sigma_max_word"] - 1e-12).all()


def test_the_shift_is_applied(context):
    plain, shifted = (frames(dataclasses.replace(PARAMS, shift=s, sentences=2), context)["spectra"] for s in (0, 17))
    assert plain["position"].tolist() == shifted["position"].tolist()
    assert (plain["sigma_max"] - shifted["sigma_max"]).abs().min() > 1e-6


def test_published_dropout_is_repeatable_and_of_random_encoders_alone(context):
    legacy = dataclasses.replace(PARAMS, legacy_dropout=True, sentences=2)
    torch.manual_seed(0)
    first = frames(legacy, context)["spectra"]
    torch.manual_seed(1)
    pd.testing.assert_frame_equal(first, frames(legacy, context)["spectra"])
    plain = frames(dataclasses.replace(PARAMS, sentences=2), context)["spectra"]
    assert (first["mean_log"] - plain["mean_log"]).abs().min() > 1e-6


def test_less_memory_changes_no_number(context):
    plenty, little = (
        # The published logarithms are those of rounding too.
        frames(PARAMS, dataclasses.replace(context, memory_bytes=given))["spectra"].query("kind != 'published'")
        for given in (4 << 30, 600_000)
    )
    pd.testing.assert_frame_equal(plenty, little, rtol=1e-9, atol=1e-13)


def test_what_cannot_be_done(context):
    with pytest.raises(ValueError, match="acceptability has 7 sentences to train on, at least 8 are needed"):
        spectra(dataclasses.replace(PARAMS, sentences=8), context)
    with pytest.raises(ValueError, match="level 5 is asked for; this encoder has the levels 0 to 2"):
        spectra(dataclasses.replace(PARAMS, output_levels=(5,)), context)
    with pytest.raises(ValueError, match="may be used"):
        spectra(PARAMS, dataclasses.replace(context, memory_bytes=1000))
    with pytest.raises(ValueError, match="position-share is"):
        dataclasses.replace(PARAMS, position_share=0.0)


def test_files_of_bounded_size(context, tmp_path):
    sentences = open_sentences(PARAMS, context, 1)
    model = open_network(PARAMS, context, sentences, attention="eager")
    writer, rows = ShardWriter(tmp_path, shard_bytes=8 * WIDTH * 4), []
    for batch in sentences.batches(4, 1):
        for blocks in jacobian_blocks(model, batch.inputs, positions=[0], budget_bytes=1 << 28):
            rows.append(singular_values(blocks.values, 1 << 28).numpy())
            writer.add(int(batch.sentences[0]), blocks, rows[-1])
    writer.close()
    files = sorted(tmp_path.iterdir())
    assert len(files) > 1
    together = np.concatenate([load_file(file)["values"] for file in files])
    np.testing.assert_array_equal(together, np.concatenate(rows).astype(np.float32))
