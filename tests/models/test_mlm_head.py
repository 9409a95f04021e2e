"""The masked-LM readout: what is loaded, what is drawn, and that the encoder's word table stays as it was."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AlbertForMaskedLM

from models.albert import random_albert, scratch_config
from models.mlm_head import fresh_mlm_head, legacy_mlm_head, load_mlm_head, mlm_logits, word_table

CONFIG = scratch_config(16, heads=2, embedding_size=8, vocab_size=100)


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    model = AlbertForMaskedLM(CONFIG)
    with torch.no_grad():
        for parameter in model.predictions.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(tmp_path / "mlm")
    return tmp_path / "mlm", model.eval()


def test_the_loaded_readout_gives_the_library_s_logits(checkpoint):
    place, model = checkpoint
    head = load_mlm_head(place)
    ids = torch.arange(5, 15)[None]
    with torch.no_grad():
        wanted = model(input_ids=ids).logits
        states = model.albert(input_ids=ids).last_hidden_state
        found = mlm_logits(head, states[0], word_table(model.albert), CONFIG.layer_norm_eps)
    assert torch.allclose(found, wanted[0], atol=1e-6)
    assert load_mlm_head(place, dtype=torch.float64).bias.dtype == torch.float64


def test_a_checkpoint_without_readout_names_what_it_lacks(tmp_path, checkpoint):
    random_albert(CONFIG, "hf_default", 0).save_pretrained(tmp_path / "bare")
    with pytest.raises(ValueError, match=r"lacks predictions.*predictions\.dense\.weight"):
        load_mlm_head(tmp_path / "bare")
    place, _ = checkpoint
    weights = load_file(place / "model.safetensors")
    save_file({k: v for k, v in weights.items() if k != "predictions.LayerNorm.bias"}, place / "model.safetensors")
    with pytest.raises(ValueError, match=r"it lacks predictions\.LayerNorm\.bias; give"):
        load_mlm_head(place)
    with pytest.raises(ValueError, match="cannot read the configuration"):
        load_mlm_head(tmp_path)


def test_an_untied_decoder_is_refused(checkpoint):
    place, _ = checkpoint
    text = (place / "config.json").read_text()
    assert '"tie_word_embeddings": true' in text
    (place / "config.json").write_text(text.replace('"tie_word_embeddings": true', '"tie_word_embeddings": false'))
    with pytest.raises(ValueError, match="decoder of its own"):
        load_mlm_head(place)


def test_a_new_readout_leaves_the_word_embeddings_alone():
    model = random_albert(CONFIG, "hf_default", 0)
    before = word_table(model).detach().clone()
    head = fresh_mlm_head(CONFIG, torch.Generator().manual_seed(1))
    assert torch.equal(word_table(model), before)
    assert head.dense.std() == pytest.approx(0.02, rel=0.2)
    assert torch.equal(head.gain, torch.ones(8))
    assert not head.shift.any()
    assert not head.bias.any()
    assert not head.dense_bias.any()
    wide = fresh_mlm_head(CONFIG, torch.Generator().manual_seed(1), torch.float64)
    assert torch.equal(wide.dense, head.dense.double())


def test_the_published_one_overwrites_them(checkpoint):
    place, _ = checkpoint
    model = load_albert_without_pooler(place)
    before = word_table(model).detach().clone()
    head = legacy_mlm_head(model, torch.Generator().manual_seed(1))
    after = word_table(model).detach()
    assert not torch.isclose(after, before).any()
    assert after.abs().max() <= 8**-0.5
    assert after.std() == pytest.approx(8**-0.5 / 3**0.5, rel=0.05)
    assert head.dense.abs().max() <= 16**-0.5
    assert head.gain.abs().max() <= 8**-0.5
    assert head.bias.abs().max() <= 100**-0.5


def load_albert_without_pooler(place):
    model = AlbertForMaskedLM.from_pretrained(place, trust_remote_code=False, use_safetensors=True)
    return model.albert
