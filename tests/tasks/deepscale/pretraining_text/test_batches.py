"""The micro-batches of a step: the same for all workers and after any pause, each sample once an epoch."""

from typing import Any

import pytest
import torch

from tasks.data.errors import DataError
from tasks.deepscale.pretraining_text.batches import Batches, MicroBatch
from tasks.deepscale.pretraining_text.plan import check_batches, check_vocabulary
from tests.slow_pretraining import draws_of, plain_sample
from tests.tasks.deepscale.pretraining_text.made import V, made, padding_share, random_documents

OPTIONS: dict[str, Any] = {"length": 48, "global_batch": 8, "micro_batch": 2, "seed": 5}


@pytest.fixture(scope="module")
def documents():
    return random_documents(12)


def numbers(batch: MicroBatch):
    values = (batch.input_ids, batch.token_type_ids, batch.positions, batch.labels, batch.order)
    mask = None if batch.mask is None else batch.mask.tolist()
    return [value.tolist() for value in values], mask, batch.index, batch.n_tokens


def step_of(batches, step, rank=0, workers=1):
    return [numbers(batch) for batch in batches.micro_batches(step, rank, workers)]


@pytest.mark.parametrize("buckets", [True, False])
def test_all_numbers_of_workers_share_the_same_micro_batches(documents, buckets):
    batches = Batches(documents, **OPTIONS, buckets=buckets)
    for step in (0, 7, 60):  # in the first epoch and in later ones
        alone = step_of(batches, step)
        assert [index for *_, index, _ in alone] == [0, 1, 2, 3]
        for workers in (2, 4):
            shared = [step_of(Batches(documents, **OPTIONS, buckets=buckets), step, w, workers) for w in range(workers)]
            assert [shared[m % workers][m // workers] for m in range(4)] == alone


def test_a_run_that_goes_on_sees_what_one_without_a_pause_sees(documents):
    whole = Batches(documents, **OPTIONS)
    seen = [step_of(whole, step) for step in range(70)]
    for begin in (69, 33, 1):
        again = Batches(documents, **OPTIONS)
        assert [step_of(again, step) for step in range(begin, 70)] == seen[begin:]


@pytest.mark.parametrize("buckets", [True, False])
def test_each_sample_once_an_epoch(buckets):
    documents = made([[1] * 30, [2] * 30, [1] * 40])  # token i is its number + 4
    batches = Batches(documents, length=16, global_batch=2, micro_batch=1, seed=1, buckets=buckets)
    size = batches.samples.epoch_size
    seen: set[int] = set()
    for step in range(size // 2):
        for batch in batches.micro_batches(step):
            ids = batch.input_ids.clone()
            ids.view(-1)[batch.positions] = batch.labels
            text = ids[ids >= 4].tolist()
            assert not seen & set(text)
            seen |= set(text)
    assert len(seen) > 0.8 * len(documents.tokens)  # the rest was cut off, or is of the last sample of an odd number


@pytest.mark.parametrize("length", [9, 48, 130])
def test_batches_are_what_the_published_loop_makes_token_by_token(documents, length):
    batches = Batches(documents, length=length, global_batch=40, micro_batch=20, seed=2, buckets=False)
    chosen = batches.samples.take(0, 40)
    for batch in batches.micro_batches(0):
        for row in range(20):
            index = batch.index * 20 + row
            seen, labels, swapped, n_a = plain_sample(documents, chosen, index, draws_of(chosen, index, V))
            ids, types = batch.input_ids[row].tolist(), batch.token_type_ids[row].tolist()
            assert ids == seen + [0] * (length - len(seen))
            assert types == [0] * (n_a + 2) + [1] * (len(seen) - n_a - 2) + [0] * (length - len(seen))
            here = batch.positions // length == row
            assert (batch.positions[here] % length).tolist() == list(labels)
            assert batch.labels[here].tolist() == list(labels.values())
            assert int(batch.order[row]) == swapped


def test_what_a_micro_batch_holds(documents):
    batches = Batches(documents, **OPTIONS)
    for step in range(40):
        for batch in batches.micro_batches(step):
            B, T = batch.input_ids.shape
            assert (B, batch.token_type_ids.shape, batch.order.shape) == (2, (2, T), (2,))
            assert T % 8 == 0
            assert T <= 48
            for tensor in (batch.input_ids, batch.token_type_ids, batch.positions, batch.labels, batch.order):
                assert tensor.dtype == torch.int64
            mask = torch.ones(2, T, dtype=torch.bool) if batch.mask is None else batch.mask
            lengths = mask.sum(dim=1)
            assert batch.n_tokens == int(lengths.sum())
            assert T - int(lengths.max()) < 8
            assert (batch.mask is None) == bool((lengths == T).all())
            assert not batch.input_ids[~mask].any()
            assert mask.view(-1)[batch.positions].all()
            assert len(batch.labels) == len(batch.positions) >= 2
            assert batch.input_ids[:, 0].tolist() == [1, 1]
            assert [int(row[n - 1]) for row, n in zip(batch.input_ids, lengths, strict=True)] == [2, 2]


def test_buckets_save_padding_and_mix_lengths_over_the_steps():
    documents = random_documents(80, seed=1)
    options: dict[str, Any] = OPTIONS | {"length": 128, "global_batch": 16, "micro_batch": 4}
    batches, plain = Batches(documents, **options), Batches(documents, **options, buckets=False)
    assert padding_share(batches) < 0.5 * padding_share(plain)
    assert {b.input_ids.shape for step in range(plain.window) for b in plain.micro_batches(step)} == {(4, 128)}
    widths = [[batch.input_ids.shape[1] for batch in batches.micro_batches(step)] for step in range(batches.window)]
    assert all(row == sorted(row, reverse=True) for row in widths)
    steps_with_short = sum(min(row) < 128 for row in widths)
    assert steps_with_short > batches.window / 4


def test_short_samples_as_published():
    documents = random_documents(60, seed=3)
    options: dict[str, Any] = {"length": 16, "global_batch": 64, "micro_batch": 64, "seed": 0, "buckets": False}
    legacy, correct = Batches(documents, **options, legacy_short=True), Batches(documents, **options)
    assert set(legacy.samples.take(0, 2000).target.tolist()) == {2, 4, 6, 8, 10, 12, 13}
    assert set(correct.samples.take(0, 2000).target.tolist()) == set(range(2, 14))
    said = [torch.bincount(next(b.micro_batches(0)).positions // 16, minlength=64) for b in (legacy, correct)]
    assert [int(s.min()) for s in said] == [0, 1]  # the published way leaves some sequences with nothing to say


def test_to_another_device(documents):
    batch = next(Batches(documents, **OPTIONS).micro_batches(0))
    moved = batch.to("meta")
    assert moved.input_ids.device.type == moved.labels.device.type == "meta"
    assert (moved.index, moved.n_tokens) == (batch.index, batch.n_tokens)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"micro_batch": 3}, "micro-batch is 3: give a number that divides the global batch of 8: 1, 2, 4, 8"),
        (
            {"workers": 3},
            "workers is 3: give a number that divides the 4 micro-batches of 2 in a global batch of 8: 1, 2, 4",
        ),
        ({"length": 7}, "length is 7: give at least 8"),
    ],
)
def test_numbers_that_do_not_go_together(changed, match):
    numbers = {name: value for name, value in OPTIONS.items() if name != "seed"}
    check_batches(**numbers, workers=4)
    with pytest.raises(ValueError, match=match):
        check_batches(**(numbers | changed))


def test_refused_before_the_start(documents):
    with pytest.raises(
        DataError, match=r"corpus made: 40 tokens are 2 sequences of up to 48, fewer than one batch of 8"
    ):
        Batches(made([[10, 10], [10, 10]]), **OPTIONS)
    with pytest.raises(ValueError, match="workers is 3"):
        Batches(documents, **OPTIONS).micro_batches(0, 0, 3)
    with pytest.raises(ValueError, match="rank 2 of 2 workers"):
        Batches(documents, **OPTIONS).micro_batches(0, 2, 2)
    check_vocabulary(documents.meta, V)
    with pytest.raises(
        ValueError, match="tokenizer made of the documents has 1000 ids and the model a vocabulary of 999"
    ):
        check_vocabulary(documents.meta, V - 1)
