"""Masks, readout and accuracy of masked-LM runs against those of the published code."""

import numpy as np
import pytest
import torch

from metrics.masked_lm import masked_accuracy
from models.albert import embed, iterate, padding_mask, shared_layer
from models.mlm_head import LEGACY_EPS, MlmHead, mlm_logits, word_table
from tasks.data.masking import LegacyMasker, Masking, mask_batch
from tests.parity.tiny_albert import HERE, tiny_albert

MLM = np.load(HERE / "mlm.npz")


def masking(ratio: float) -> Masking:
    return Masking(vocab_size=50, mask_id=4, special_ids=(0, 2, 3), pad_id=0, ratio=ratio)


@pytest.mark.parametrize(("name", "ratio"), [("p15", 0.15), ("p10", 0.10)])
def test_the_published_masks_are_replayed_from_their_seeds(name, ratio):
    masker = LegacyMasker(masking=masking(ratio), seed=0)
    inputs, labels = masker(MLM[f"mlm_{name}_input"])
    assert np.array_equal(inputs, MLM[f"mlm_{name}_masked_input"])
    assert np.array_equal(labels, MLM[f"mlm_{name}_labels"])


def test_the_own_stream_hides_as_many_tokens_at_the_same_positions():
    published = MLM["mlm_stats_masked_count_per_seq_720draws_budget19"]
    ids = np.random.default_rng(0).integers(5, 50, size=(720 * 8, 128))
    ids[:, 0], ids[:, -1] = 2, 3
    _, labels = mask_batch(ids, masking(0.15), 0, "statistics")
    count = (labels >= 0).sum(axis=1)
    error = np.sqrt(count.var() / len(count) + published.var() / len(published))
    assert abs(count.mean() - published.mean()) < 4 * error
    assert count.max() == 19
    frequency, wanted = (labels >= 0).mean(axis=0), MLM["mlm_stats_position_frequency"]
    # The published frequencies are of 720 draws: sd 0.013 at 0.14; 4.5 of them for 128 positions.
    assert np.abs(frequency - wanted).max() < 4.5 * np.sqrt(0.14 * 0.86 * (1 / 720 + 1 / len(ids)))
    assert frequency[0] == frequency[-1] == 0


def test_accuracy_over_sequences_and_over_tokens():
    found = masked_accuracy(MLM["mlmacc_predictions"].argmax(axis=-1), MLM["mlmacc_labels"])
    assert found.macro == pytest.approx(float(MLM["mlmacc_macro"]), abs=1e-15)
    assert found.micro == pytest.approx(float(MLM["mlmacc_micro"]), abs=1e-15)


@pytest.mark.parametrize(("eps", "name"), [(LEGACY_EPS, "lneps1e5"), (1e-12, "lneps1e12")])
def test_readout_logits(eps, name):
    model = tiny_albert()
    head = MlmHead(
        dense=torch.tensor(MLM["mlmhead_dense.weight"]),
        dense_bias=torch.tensor(MLM["mlmhead_dense.bias"]),
        gain=torch.tensor(MLM["mlmhead_LayerNorm.weight"]),
        shift=torch.tensor(MLM["mlmhead_LayerNorm.bias"]),
        bias=torch.tensor(MLM["mlmhead_bias"]),
    )
    ids, types, mask = (torch.tensor(MLM[f"head_{k}"]) for k in ("input_ids", "token_type_ids", "attention_mask"))
    with torch.no_grad():
        h = embed(model, ids, types)
        h = iterate(shared_layer(model), h, 3, padding_mask(model, mask, h))
        logits = mlm_logits(head, h.flatten(0, 1), word_table(model), eps).view(*ids.shape, -1)
    assert (logits - torch.tensor(MLM[f"mlmhead_logits_3layers_{name}"])).abs().max() < 1e-12
