"""Random micro-batches: their laws, their form, and that they are the same each time."""

from typing import Any

import numpy as np
import pytest
import torch

from tasks.deepscale.pretraining_text.random_tokens import FIRST, RandomTokens


@pytest.mark.parametrize("law", ["zipf", "uniform"])
def test_ids_follow_the_law(law):
    source = RandomTokens(vocab_size=54, length=203, micro_batch=300, law=law)
    batch = source.batch(0)
    ids = batch.input_ids.clone()
    ids.view(-1)[batch.positions] = batch.labels
    text = ids[ids >= FIRST].numpy()
    assert len(text) == 300 * 200
    expected = source.probabilities[FIRST:]
    counts = np.bincount(text - FIRST, minlength=50)
    chi_square = float(((counts - 60_000 * expected) ** 2 / (60_000 * expected)).sum())
    assert chi_square < 49 + 5 * (2 * 49) ** 0.5
    first, second = text.reshape(300, 200)[:, ::2].ravel(), text.reshape(300, 200)[:, 1::2].ravel()
    assert abs((first == second).mean() - source.same_token) < 5 * (source.same_token / 30_000) ** 0.5
    assert source.same_token == pytest.approx(
        0.02 if law == "uniform" else sum(k**-2 for k in range(1, 51)) / sum(1 / k for k in range(1, 51)) ** 2
    )


def test_form_cut_and_masks():
    batch = RandomTokens(vocab_size=100, length=128, micro_batch=200).batch(1)
    assert (batch.mask, batch.index, batch.n_tokens) == (None, 1, 200 * 128)
    n_b = batch.token_type_ids.sum(dim=1).numpy() - 1
    assert (n_b.min() >= 1, n_b.max() <= 124) == (True, True)
    assert abs(n_b.mean() - 62.5) < 5 * 36 / 200**0.5
    assert torch.equal(batch.token_type_ids, torch.sort(batch.token_type_ids, dim=1).values)
    assert np.bincount(batch.positions // 128).tolist() == [18] * 200
    assert abs(float(batch.order.double().mean()) - 0.5) < 2.5 / 200**0.5


def test_the_same_each_time_and_others_by_number_and_seed():
    source = RandomTokens(vocab_size=100, length=16, micro_batch=3)
    assert torch.equal(
        source.batch(2).input_ids, RandomTokens(vocab_size=100, length=16, micro_batch=3).batch(2).input_ids
    )
    assert not torch.equal(source.batch(2).input_ids, source.batch(3).input_ids)
    other = RandomTokens(vocab_size=100, length=16, micro_batch=3, seed=1)
    assert not torch.equal(source.batch(2).input_ids, other.batch(2).input_ids)


def test_bad_numbers():
    for changed, match in (
        ({"length": 5}, "length is 5: give at least 8"),
        ({"vocab_size": 4}, "vocab-size is 4: give more than 4"),
        ({"micro_batch": 0}, "micro-batch is 0: give at least 1"),
    ):
        options: dict[str, Any] = {"vocab_size": 100, "length": 16, "micro_batch": 3} | changed
        with pytest.raises(ValueError, match=match):
            RandomTokens(**options)
