"""Sentences of a diagnostic: order, shift, batches; the network that reads them; inputs that cannot be."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.any_encoder import hidden_states, random_any
from models.checkpoints import directory_revision
from models.transformer import scratch_transformer_config
from orchestrator.experiment import Context
from tasks.transfer.diagnostics.inputs import open_network, open_sentences, shift_ids
from tasks.transfer.diagnostics.options import DiagnosticParams
from tests.tasks.transfer.diagnostics.made_tokens import LENGTHS, NETWORK, VOCAB, write_tokens


@pytest.fixture(scope="module")
def tokens(tmp_path_factory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("tokens")
    return {task: write_tokens(place / task, task) for task in ("acceptability", "similarity")}


PARAMS = DiagnosticParams(
    **NETWORK,
    seed=3,
)


def opened(tokens, least=1, **change):
    params = dataclasses.replace(PARAMS, **change)
    return open_sentences(params, Context(needs={"tokens": tokens[params.task]}), least)


@given(st.lists(st.integers(0, VOCAB - 1), min_size=1), st.integers(0, 10 * VOCAB))
def test_a_shift_is_a_permutation_of_the_vocabulary(ids, shift):
    given_ids = torch.tensor(ids)
    found = shift_ids(given_ids, shift, VOCAB)
    assert found.tolist() == [(i + shift) % VOCAB for i in ids]
    assert torch.equal(shift_ids(found, VOCAB - shift % VOCAB, VOCAB), given_ids)


@given(st.integers(0, VOCAB - 1), st.sampled_from([-1, -7, VOCAB, VOCAB + 5]))
def test_ids_outside_the_vocabulary_are_refused(good, bad):
    with pytest.raises(ValueError, match=f"token ids from {min(good, bad)} to {max(good, bad)}; the vocabulary has 40"):
        shift_ids(torch.tensor([good, bad]), 3, VOCAB)
    assert shift_ids(torch.tensor([], dtype=torch.int64), 3, VOCAB).numel() == 0


def test_batches_are_trimmed_to_their_longest_sentence_and_all_of_it_is_shifted(tokens):
    sentences = opened(tokens, shift=1000)
    seen = []
    for batch in sentences.batches(10, 3):
        lengths = np.array(LENGTHS)[batch.sentences]
        assert batch.input_ids.shape == (len(lengths), lengths.max())
        assert batch.attention_mask.sum(1).tolist() == lengths.tolist()
        plain = sentences.split.batch(batch.sentences)[0]
        assert torch.equal(batch.input_ids, (plain + 1000) % VOCAB)
        assert (batch.input_ids[batch.attention_mask == 0] == 1001 % VOCAB).all()  # padding is shifted too
        assert batch.inputs == (batch.input_ids, batch.token_type_ids, batch.attention_mask)
        seen += batch.sentences.tolist()
    assert sorted(seen) == list(range(7))  # each once
    assert sentences.longest == 12
    assert next(sentences.batches(1, 2, pad_to=16)).input_ids.shape == (2, 16)


def test_whole_batches_leave_out_what_is_left(tokens):
    sentences = opened(tokens)
    for count, size, whole, sizes in [
        (10, 3, False, [3, 3, 1]),
        (10, 3, True, [3, 3]),
        (2, 3, False, [3, 3]),
        (1, 8, False, [7]),
        (1, 8, True, []),
        (3, 2, True, [2, 2, 2]),
    ]:
        assert [len(batch.sentences) for batch in sentences.batches(count, size, whole=whole)] == sizes
        assert sentences.n_batches(count, size, whole=whole) == len(sizes)


def test_the_order_is_the_seeds_alone(tokens):
    orders = [opened(tokens, seed=seed, encoder_seed=seed).order_N.tolist() for seed in (3, 3, 4)]
    assert orders[0] == orders[1] != orders[2]
    assert opened(tokens, shift=7).order_N.tolist() == orders[0]  # shifted and plain text are the same sentences
    assert opened(tokens, task="similarity").order_N.tolist() != orders[0]


def test_labels_are_classes_or_scores_in_the_networks_precision(tokens):
    classes = opened(tokens).batch(np.array([0, 3]))
    assert classes.labels.dtype == torch.int64
    assert classes.labels.tolist() == [0, 1]
    for dtype in ("float32", "float64"):
        scores = opened(tokens, task="similarity", dtype=dtype).batch(np.array([0, 1, 2]))
        assert scores.labels.dtype == getattr(torch, dtype)
        assert scores.labels.tolist() == [0.0, 0.5, 1.0]


def test_the_network_is_bare_or_has_an_output_for_each_class(tokens):
    for task, outputs in (("acceptability", 2), ("similarity", 1)):
        sentences = opened(tokens, task=task)
        params, context = dataclasses.replace(PARAMS, task=task), Context()
        bare = open_network(params, context, sentences)
        batch = sentences.batch(np.arange(3))
        with torch.no_grad():
            states = hidden_states(bare, *batch.inputs)
            classifier = open_network(params, context, sentences, classifier=True)
            logits = classifier(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
        assert len(states) == 3
        assert logits.shape == (3, outputs)
        assert not bare.training
        assert not classifier.training


def test_tasks_that_cannot_be_read_are_refused(tokens):
    with pytest.raises(ValueError, match=r'no "tokens"; plan a tokens job'):
        open_sentences(PARAMS, Context(), 1)
    mixed = {"acceptability": tokens["similarity"]}
    with pytest.raises(ValueError, match="holds tokens of similarity, not acceptability"):
        opened(mixed)
    assert len(opened(tokens, least=7)) == 7
    with pytest.raises(
        ValueError, match=r"acceptability has 7 sentences to train on, at least 8 are needed; .*--train"
    ):
        opened(tokens, least=8)


def test_checkpoints_that_do_not_fit_the_sentences_are_refused(tokens, tmp_path):
    def refused(message, **sizes):
        place = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        config = scratch_transformer_config(
            "bert",
            **{"layers": 2, "width": 16, "heads": 2, "vocab_size": VOCAB, "positions": 12, "pad_token_id": 1} | sizes,
        )
        random_any(config, 0).save_pretrained(place)
        checkpoint = {"model": "mine", "revision": directory_revision(place), "encoder": "pretrained"}
        none = dict.fromkeys(("architecture", "layers", "width", "heads", "intermediate", "encoder_seed"))
        params = dataclasses.replace(PARAMS, **checkpoint, **none)
        context = Context(needs={"tokens": tokens["acceptability"]}, paths={"model": str(place)})
        sentences = open_sentences(params, context, 1)
        if message is None:
            assert (
                len(hidden_states(open_network(params, context, sentences), *sentences.batch(np.arange(2)).inputs)) == 3
            )
            return
        with pytest.raises(ValueError, match=message):
            open_network(params, context, sentences)

    refused(None)
    refused("the longest example has 12 tokens, mine has 11 positions; give a smaller length", positions=11)
    refused("the tokens need 40 ids, mine has 39; give its tokenizer", vocab_size=39)
