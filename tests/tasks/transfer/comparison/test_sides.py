"""The two encoders of a pair: rows are the same positions, each side has its own ids, and padding changes nothing."""

import dataclasses

import numpy as np
import pytest
import torch

from models.plus import PlusConfig, random_plus, save_plus
from orchestrator.experiment import Context, Stage
from tasks.data.tokenizers import load_tokenizer, locate_tokenizer
from tasks.transfer.comparison.options import QUICK_PROTEIN, PairParams, ProteinOptions
from tasks.transfer.comparison.plan import pair_jobs, plus_revision
from tasks.transfer.comparison.sides import open_pair, protein_batches, word_pieces
from tasks.transfer.proteins.artifact import open_proteins
from tasks.transfer.proteins.tokens import token_table
from tests.tasks.transfer.comparison.protein_fakes import protein_context, tiny_pair

NO_SIZES = dict.fromkeys(("plus_layers", "plus_width", "plus_heads", "plus_intermediate", "plus_seed"))


def test_both_sides_have_a_row_for_every_residue_and_the_two_special_tokens(tmp_path):
    params = tiny_pair()
    context = protein_context(tmp_path, params)
    first, second = open_pair(params, context)
    lengths = open_proteins(context.needs["proteins"]).lengths
    seen = []
    for batch in protein_batches(params, context, 4):
        with torch.no_grad():
            x, y = first.states(batch), second.states(batch)
        assert [len(x), len(y)] == [3, 3]
        assert x[0].shape == (*batch.tokens.shape, 16)
        assert y[-1].shape == (*batch.tokens.shape, 24)
        assert np.array_equal(batch.mask.sum(dim=1).numpy(), batch.lengths)
        seen.extend(batch.lengths - 2)
    assert seen == lengths.tolist()
    assert (first.role, second.role, first.heads, second.heads) == ("random", "plus", 2, 4)


def test_company_in_a_batch_changes_no_state(tmp_path):
    params = tiny_pair()
    context = protein_context(tmp_path, params)
    for side in open_pair(params, context):
        with torch.no_grad():
            alone = [side.states(batch)[-1][0] for batch in protein_batches(params, context, 1)]
            together = [
                h[:n]
                for batch in protein_batches(params, context, 4)
                for h, n in zip(side.states(batch)[-1], batch.lengths, strict=True)
            ]
        for a, b in zip(alone, together, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_maps_are_probabilities_over_the_tokens_alone(tmp_path):
    params = tiny_pair()
    context = protein_context(tmp_path, params)
    for side in open_pair(params, context, "eager"):
        for batch in protein_batches(params, context, 4):
            with torch.no_grad():
                maps = side.maps(batch)
            assert len(maps) == side.layers
            assert maps[0].shape == (len(batch.lengths), side.heads, *[batch.tokens.shape[1]] * 2)
            for p, n in zip(maps[-1], batch.lengths, strict=True):
                torch.testing.assert_close(p[:, :n, :n].sum(-1), torch.ones(side.heads, int(n), dtype=p.dtype))


def test_the_text_encoder_reads_its_own_special_tokens_through_the_table():
    tokenizer = load_tokenizer(locate_tokenizer("builtin"))
    special = [tokenizer.pad_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id]
    raw = word_pieces(tiny_pair(table_seed=None), Context())
    assert raw[1:22].tolist() == list(range(1, 22))
    assert [int(raw[i]) for i in (0, 23, 24)] == special
    mapped = word_pieces(tiny_pair(table_seed=7), Context())
    assert mapped.tolist() == token_table(len(tokenizer), 7)[raw.numpy()].tolist()


def test_a_table_from_a_file_is_used_and_another_one_is_refused(tmp_path):
    tokenizer = load_tokenizer(locate_tokenizer("builtin"))
    table = np.roll(np.arange(len(tokenizer)), 5)
    np.save(tmp_path / "table.npy", table)
    options = ProteinOptions(**{**QUICK_PROTEIN, "table": str(tmp_path / "table.npy"), "plus": "random"})
    stage = Stage(name="made", function="made:made", params=PairParams)
    job = next(job for job in pair_jobs(options, stage) if job.stage is stage)
    assert job.params.table_seed is None
    params = tiny_pair(table_seed=None, table_revision=job.params.table_revision)
    context = Context(paths={"table": job.paths["table"]})
    raw = word_pieces(tiny_pair(table_seed=None), Context())
    assert word_pieces(params, context).tolist() == table[raw.numpy()].tolist()
    np.save(tmp_path / "table.npy", np.roll(table, 1))
    with pytest.raises(ValueError, match="holds the table"):
        word_pieces(params, context)
    with pytest.raises(ValueError, match="None with a table from a file"):
        tiny_pair(table_revision="0000")


def test_random_sides_depend_on_their_seeds_alone(tmp_path):
    params = tiny_pair()
    context = protein_context(tmp_path, params)
    batch = next(protein_batches(params, context, 2))

    def last(change):
        with torch.no_grad():
            return [side.states(batch)[-1] for side in open_pair(dataclasses.replace(params, **change), context)]

    (a, b), (a2, b2), (c, d) = last({}), last({"encoder_seed": 9}), last({"plus_seed": 9})
    assert not torch.allclose(a, a2)
    assert torch.equal(b, b2)
    assert torch.equal(a, c)
    assert not torch.allclose(b, d)


def test_dropout_is_on_only_as_published(tmp_path):
    params = tiny_pair()
    context = protein_context(tmp_path, params)
    assert not any(side.model.training for side in open_pair(params, context))
    assert all(side.model.training for side in open_pair(dataclasses.replace(params, legacy_dropout=True), context))


def test_a_checkpoint_of_plus_is_read_and_another_one_is_refused(tmp_path):
    place = tmp_path / "plus"
    place.mkdir()
    save_plus(random_plus(PlusConfig(layers=1, width=24, heads=4, intermediate=48, max_length=24), 1), place)
    params = tiny_pair(plus="plus", plus_revision=plus_revision(place, pickled=False), **NO_SIZES)
    context = dataclasses.replace(protein_context(tmp_path, params), paths={"plus": str(place)})
    assert open_pair(params, context)[1].layers == 1
    with pytest.raises(ValueError, match=r"holds revision .*, planned was 0000"):
        open_pair(dataclasses.replace(params, plus_revision="0000"), context)


def test_proteins_longer_than_plus_are_refused(tmp_path):
    place = tmp_path / "plus"
    place.mkdir()
    save_plus(random_plus(PlusConfig(layers=1, width=24, heads=4, intermediate=48, max_length=20), 1), place)
    params = tiny_pair(plus="plus", plus_revision=plus_revision(place, pickled=False), **NO_SIZES)
    context = dataclasses.replace(protein_context(tmp_path, params), paths={"plus": str(place)})
    with pytest.raises(ValueError, match="longest example has 24 tokens, PLUS plus has 20 positions"):
        open_pair(params, context)
