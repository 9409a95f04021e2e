"""1/sigma of what enters each LayerNorm, against the published code on a tiny BERT."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from metrics.streaming import Stream, inverse_spreads
from models.any_encoder import hidden_states
from models.layer_norms import layer_norm_sites, watched_layer_norms
from tests.parity.tiny_albert import HERE

PUBLISHED = np.load(HERE / "layernorm_std_cut.npz")
KINDS = {"attention": "Attn", "ffn": "FFN"}


def tiny_bert(mode: str) -> BertModel:
    config = BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=128,
        layer_norm_eps=1e-12,
    )
    model = BertModel(config)
    prefix = f"{mode}/weights/"
    weights = {name.removeprefix(prefix): PUBLISHED[name] for name in PUBLISHED.files if name.startswith(prefix)}
    missing, unexpected = model.load_state_dict({n: torch.tensor(x) for n, x in weights.items()}, strict=False)
    assert not unexpected
    assert not [name for name in missing if "position_ids" not in name]
    return model.eval()


def batches(mode: str) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    names = ("input_ids", "token_type_ids", "attention_mask")
    for batch in zip(*(PUBLISHED[f"SST-2/{mode}/{name}"] for name in names), strict=True):
        ids, types, mask = (torch.tensor(x, dtype=torch.long) for x in batch)
        yield ids, types, mask


@pytest.mark.parametrize("mode", ["scratch", "pretrain"])
def test_spread_at_every_position_and_its_means(mode):
    model, first = tiny_bert(mode), next(batches(mode))
    sites = {n: site for n, site in layer_norm_sites(model, *first).items() if site.layer > 0}
    streams = {(n, where): Stream() for n in sites for where in ("valid", "all")}
    for number, inputs in enumerate(batches(mode)):
        found = {}
        with torch.no_grad(), watched_layer_norms(model, sites, lambda n, site, v, at=found: at.update({n: v})):
            hidden_states(model, *inputs)
        for n, site in sites.items():
            inverse = inverse_spreads(found[n], site.eps)[1]
            if number == 0:
                published = PUBLISHED[f"SST-2/{mode}/orig_std/{KINDS[site.kind]}/{site.layer - 1}"]
                np.testing.assert_allclose(1 / inverse[:8], published, rtol=0, atol=1e-6)
            streams[n, "all"].add(inverse)
            streams[n, "valid"].add(inverse[inputs[2].bool()])
    assert len(sites) == 6
    for (n, where), stream in streams.items():
        mean, sd = PUBLISHED[f"SST-2/{mode}/ref_recip_{where}/{KINDS[sites[n].kind]}/{sites[n].layer - 1}"]
        assert stream.mean == pytest.approx(mean, abs=1e-6)
        assert stream.sd == pytest.approx(sd, abs=1e-6)


def test_trimming_padding_changes_nothing_valid():
    model = tiny_bert("pretrain").double()
    ids, types, mask = next(batches("pretrain"))
    longest = int(mask.sum(1).max())
    assert longest < ids.shape[1]
    sites = layer_norm_sites(model, ids, types, mask)
    found = []
    for width in (ids.shape[1], longest):
        at = {}
        with torch.no_grad(), watched_layer_norms(model, sites, lambda n, site, v, at=at: at.update({n: v})):
            hidden_states(model, ids[:, :width], types[:, :width], mask[:, :width])
        found.append(at)
    real = mask.bool()
    for n in sites:
        torch.testing.assert_close(found[0][n][real], found[1][n][real[:, :longest]], rtol=0, atol=1e-12)
