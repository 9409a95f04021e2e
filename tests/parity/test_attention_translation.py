"""The translator against the published one: states, attention, gradients, beta, Delta, beams."""

from typing import Any

import numpy as np
import pytest
import torch

from metrics.bleu import corpus_bleu
from models.attention_translator import PAD
from models.beam_search import beam_search
from models.translator_delta import deltas
from models.translator_scores import context_contributions, contributions, read_batch, teacher_forced
from tests.parity.translators import HERE, own_name, translator

MT = np.load(HERE / "mt_forward_f64.npz")
SOURCE, TARGET = torch.from_numpy(MT["src"]), torch.from_numpy(MT["trg"])
both = pytest.mark.parametrize("kind", ["normal", "uniform"])


def near(value, kind, name, where: Any = ...):
    np.testing.assert_allclose(np.asarray(value)[where], MT[f"{kind}__{name}"][where], atol=1e-9, rtol=1e-9)


@both
def test_loss_and_gradients(kind):
    model = translator(MT, uniform=kind == "uniform")
    loss = model.loss(SOURCE, TARGET)
    loss.backward()
    near(loss.detach(), kind, "loss_mean_nonpad")
    own = dict(model.named_parameters())
    names = [name for name in MT if name.startswith(f"{kind}__pgrad__")]
    assert len(names) == len(own)
    for name in names:
        weight = own[own_name(name.removeprefix(f"{kind}__pgrad__"))]
        gradient = torch.zeros_like(weight) if weight.grad is None else weight.grad
        # The published uniform attention multiplies by zero, so that its query gets a gradient of zeros.
        near(gradient.detach(), kind, name.removeprefix(f"{kind}__"))


@both
def test_states_attention_and_predictions(kind):
    model = translator(MT, uniform=kind == "uniform")
    with torch.no_grad():
        encoded = model.encode(SOURCE)
        near(encoded.states_BSE, kind, "enc_out")
        near(torch.stack([h for h, _ in encoded.start]), kind, "dec_init_h")
        near(torch.stack([c for _, c in encoded.start]), kind, "dec_init_c")
        near(model(SOURCE, TARGET), kind, "logprob")
        read = read_batch(model, SOURCE, TARGET)
        near(read.alpha_BTS, kind, "attn_full_padded")
        pairs = read.pairs
        near(read.alpha_BTS, kind, "alpha", pairs)
        log_p, right = teacher_forced(model, read)
        words = read.words_BT
        near(torch.exp(-log_p.sum() / words.sum()), kind, "perplexity")
        near(100 * right.sum().double() / words.sum(), kind, "accuracy_pct")


@both
def test_beta_with_and_without_the_decoders_state(kind):
    model = translator(MT, uniform=kind == "uniform")
    read = read_batch(model, SOURCE, TARGET)
    pairs = read.pairs
    assert np.isfinite(MT[f"{kind}__beta"]).sum() == len(pairs[0])
    np.testing.assert_allclose(contributions(model, read), MT[f"{kind}__beta"][pairs], atol=1e-9)
    near(context_contributions(model, read), kind, "beta_context_only", pairs)


@both
def test_delta_by_both_published_routes(kind):
    model = translator(MT, uniform=kind == "uniform")
    delta = deltas(model, SOURCE, TARGET)
    pairs = read_batch(model, SOURCE, TARGET).pairs
    near(delta, kind, "delta", pairs)
    near(delta, kind, "delta_via_embedding_dot_grad", pairs)
    real = torch.zeros_like(delta, dtype=torch.bool)
    real[pairs] = True
    assert not delta[~real].any()


@both
def test_beams_token_by_token(kind):
    model = translator(MT, uniform=kind == "uniform")
    tokens, scores = beam_search(model, SOURCE, beams=5, max_length=14)
    assert np.array_equal(tokens, MT[f"{kind}__beam_ids"])
    assert bool((scores[:, :-1] >= scores[:, 1:]).all())


def test_bleu_of_a_perfect_a_partial_and_a_foreign_translation():
    said = ["a man in a red shirt rides a bicycle", "two dogs play in the snow"]
    assert corpus_bleu(said, said) == pytest.approx(100)
    # Three of four words, two of three pairs, one of two triples, no quadruple (smoothed to 1/2), and no brevity.
    one = corpus_bleu(["the cat sat here"], ["the cat sat down"])
    assert one == pytest.approx(100 * (3 / 4 * 2 / 3 * 1 / 2 * 1 / 2) ** 0.25)
    assert corpus_bleu(["x y z"], ["a b c d"]) < 15
    with pytest.raises(ValueError, match="1 hypotheses and 2 references"):
        corpus_bleu(["a"], ["a", "b"])


def test_padding_is_the_published_id():
    assert (SOURCE == PAD).sum() == SOURCE.numel() - MT["src_len"].sum()
