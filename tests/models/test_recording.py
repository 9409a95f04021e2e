"""Inner states of one layer application, and which states are finite."""

import pytest
import torch

from models.albert import embed, padding_mask, random_albert, scratch_config, shared_layer
from models.recording import finite_rows, record_layer


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_it_records_what_the_layer_does(attention):
    config = scratch_config(32, heads=4, embedding_size=16, vocab_size=50, attention=attention)
    config.initializer_range = 0.3
    model = random_albert(config, "hf_default", seed=0, dtype=torch.float64)
    layer = shared_layer(model)
    ids = torch.tensor([[2, 7, 8, 3], [2, 9, 3, 0], [2, 3, 0, 0]])
    with torch.no_grad():
        h = embed(model, ids)
        mask = padding_mask(model, (ids != 0).long(), h)
        after = layer(h, mask)
    record = record_layer(layer, h, mask, [2, 0])
    assert (record.output - after[[2, 0]]).abs().max() < 1e-13
    assert record.attention.shape == (2, 4, 4, 4)
    assert (record.attention.sum(-1) - 1).abs().max() < 1e-14
    assert (record.attention[0, :, :, 2:] == 0).all()
    assert (record.attention[1] > 0).all()
    assert record.activation.shape == (2, 4, 128)
    whole = record_layer(layer, h, mask)
    assert torch.equal(whole.block[[2, 0]], record.block)
    assert torch.equal(whole.context[[2, 0]], record.context)


def test_bad_requests_are_refused():
    layer = shared_layer(random_albert(scratch_config(16, heads=2, vocab_size=50), "hf_default", seed=0))
    with pytest.raises(ValueError, match="sentence 3 is not in a batch of 3; give 0 to 2"):
        record_layer(layer, torch.zeros(3, 2, 16), sentences=[0, 3])
    with pytest.raises(ValueError, match="is no ALBERT layer"):
        record_layer(lambda h, mask: h, torch.zeros(3, 2, 16))


def test_sentences_that_are_not_finite_are_found():
    h = torch.full((5, 3, 4), 3e38)  # their sum would be infinite
    h[1, 2, 3], h[2, 0, 0], h[3, 1, 1] = torch.nan, torch.inf, -torch.inf
    assert finite_rows(h).tolist() == [True, False, False, False, True]
    assert finite_rows(h.double()[:, 0]).tolist() == [True, True, False, True, True]
