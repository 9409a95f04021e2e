"""The translator's properties: padding, beta, Delta against plain ways, beams against other decodings, dropout."""

import pytest
import torch
from torch.nn import functional

from models.attention_translator import BOS, EOS, PAD, AttentionTranslator, TranslatorConfig, draw_dropout
from models.beam_search import beam_search
from models.translator_delta import deltas
from models.translator_scores import contributions, read_batch, teacher_forced

V = 13


def make(hidden=5, layers=2, uniform=False, dropout=0.0, seed=0):
    torch.manual_seed(seed)
    config = TranslatorConfig(vocab_size=V, hidden=hidden, layers=layers, dropout=dropout, uniform=uniform)
    model = AttentionTranslator(config).double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name != "embedding.weight":
                parameter.mul_(3)  # so that attention is not flat
    return model


def sentences(lengths, seed=1):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    for row, length in zip(rows, lengths, strict=True):
        row[:length] = torch.randint(3, V, (length,), generator=generator)
        row[0], row[length - 1] = BOS, EOS
    return rows


SOURCE, TARGET = sentences([5, 3, 7]), sentences([4, 6, 3], seed=2)


def slow_delta(model, source, target):
    """T backward passes a sentence, each sentence alone."""
    B, T, S = len(source), target.shape[1] - 1, source.shape[1]
    out = torch.zeros(B, T, S, dtype=torch.float64)
    for b in range(B):
        own, wanted = source[b][source[b] != PAD][None], target[b][target[b] != PAD][None]
        scale = torch.ones(own.shape[1], dtype=torch.float64, requires_grad=True)
        table = model.embedding

        class Scaled(torch.nn.Module):
            def forward(self, ids, table=table, own=own, scale=scale):
                x = table(ids)
                return x * scale[:, None] if ids is own else x

        model.embedding = Scaled()
        log_p = model(own, wanted)
        model.embedding = table
        for t in range(wanted.shape[1] - 1):
            (gradient,) = torch.autograd.grad(log_p[0, t, wanted[0, t + 1]], scale, retain_graph=True)
            out[b, t, : own.shape[1]] = gradient
    return out


@pytest.mark.parametrize("uniform", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_delta_equals_a_backward_pass_for_each_word(layers, uniform):
    model = make(layers=layers, uniform=uniform)
    torch.testing.assert_close(deltas(model, SOURCE, TARGET), slow_delta(model, SOURCE, TARGET), atol=1e-12, rtol=1e-10)


def test_delta_of_a_few_words_at_a_time_is_delta_of_all():
    model = make()
    for together in (1, 2, 3):
        torch.testing.assert_close(deltas(model, SOURCE, TARGET, together), deltas(model, SOURCE, TARGET))


def test_delta_is_the_slope_of_log_p_when_one_word_grows():
    model = make()
    ids = SOURCE[:1, :5]
    wanted = TARGET[:1, :4]
    delta = deltas(model, ids, wanted)
    for s in (0, 2):
        values = []
        for change in (1e-5, -1e-5):
            grown = make()
            # A new row of the table that only this position uses.
            row = grown.embedding.weight[ids[0, s]] * (1 + change)
            grown.embedding = torch.nn.Embedding.from_pretrained(
                torch.cat([grown.embedding.weight, row[None]]).detach()
            )
            grown_ids = ids.clone()
            grown_ids[0, s] = V
            values.append(grown(grown_ids, wanted)[0].gather(1, wanted[0, 1:, None])[:, 0])
        torch.testing.assert_close((values[0] - values[1]) / 2e-5, delta[0, :, s], atol=1e-8, rtol=1e-6)


def test_padding_changes_nothing():
    model = make()
    wider_source, wider_target = functional.pad(SOURCE, (0, 3)), functional.pad(TARGET, (0, 2))
    T, S = TARGET.shape[1] - 1, SOURCE.shape[1]
    torch.testing.assert_close(model.loss(wider_source, wider_target), model.loss(SOURCE, TARGET))
    torch.testing.assert_close(deltas(model, wider_source, wider_target)[:, :T, :S], deltas(model, SOURCE, TARGET))
    wide, narrow = read_batch(model, wider_source, wider_target), read_batch(model, SOURCE, TARGET)
    torch.testing.assert_close(contributions(model, wide), contributions(model, narrow))
    torch.testing.assert_close(wide.alpha_BTS[:, :T, :S], narrow.alpha_BTS)
    assert not wide.alpha_BTS[:, :, S:].any()


def test_beta_is_log_p_with_all_attention_on_one_word(monkeypatch):
    model = make()
    read = read_batch(model, SOURCE, TARGET)
    b, t, s = read.pairs
    beta = contributions(model, read)
    for position in range(SOURCE.shape[1]):
        one_hot = functional.one_hot(torch.tensor(position), SOURCE.shape[1]).double().expand_as(read.alpha_BTS)
        monkeypatch.setattr(model, "attention", lambda d, encoded, one_hot=one_hot: one_hot)
        log_p = model(SOURCE, TARGET).gather(2, TARGET[:, 1:, None])[..., 0]
        here = s == position
        torch.testing.assert_close(beta[here], log_p[b[here], t[here]])


def test_beta_of_chunks_is_beta_of_all(monkeypatch):
    model = make()
    read = read_batch(model, SOURCE, TARGET)
    whole, (log_p, right) = contributions(model, read), teacher_forced(model, read)
    monkeypatch.setattr("models.translator_scores.LOGIT_BYTES", 3 * V * 8)
    torch.testing.assert_close(contributions(model, read), whole, atol=1e-13, rtol=0)
    chunked = teacher_forced(model, read)
    torch.testing.assert_close(chunked[0], log_p, atol=1e-13, rtol=0)
    assert bool((chunked[1] == right).all())
    assert bool((whole < 0).all())


def test_uniform_attention_is_one_over_the_words_and_its_query_never_moves():
    model = make(uniform=True)
    alpha = read_batch(model, SOURCE, TARGET).alpha_BTS
    torch.testing.assert_close(alpha[1, 0], torch.tensor([1 / 3] * 3 + [0.0] * 4, dtype=torch.float64))
    model.loss(SOURCE, TARGET).backward()
    assert model.query.weight.grad is None
    assert model.project.weight.grad is not None


def test_one_beam_is_greedy_decoding():
    model = make(seed=3)
    tokens, _ = beam_search(model, SOURCE, beams=1, max_length=9)
    for row, source in zip(tokens[:, 0], SOURCE, strict=True):
        said = torch.tensor([[BOS]])
        source = source[source != PAD][None]
        while said.shape[1] < 9 and said[0, -1] != EOS:
            padded = torch.cat([said, torch.tensor([[EOS]])], dim=1)  # the last is no input
            said = torch.cat([said, model(source, padded)[:, -1:].argmax(-1)], dim=1)
        assert row[: said.shape[1]].tolist() == said[0].tolist()
        assert not row[said.shape[1] :].any()


def test_the_scores_of_beams_are_those_of_their_words():
    model = make(seed=4)
    tokens, scores = beam_search(model, SOURCE, beams=4, max_length=8)
    for b, source in enumerate(SOURCE):
        source = source[source != PAD][None]
        for k in range(4):
            said = tokens[b, k]
            length = int((said != PAD).sum())
            log_p = model(source, said[None, :length])[0].gather(1, said[1:length, None])
            torch.testing.assert_close(log_p.sum(), scores[b, k])
        assert len({tuple(row.tolist()) for row in tokens[b]}) == 4
    with pytest.raises(ValueError, match="14 beams"):
        beam_search(model, SOURCE, beams=V + 1)


def test_dropout_is_of_its_stream_and_lies_between_layers_alone():
    model = make(dropout=0.5, layers=3)
    stream = torch.Generator()

    def drawn(seed):
        return draw_dropout(model.config, 3, 7, 5, stream.manual_seed(seed))

    masks = drawn(0)
    assert masks is not None
    assert [tuple(m.shape) for m in masks.encoder] == [(3, 7, 10)] * 2
    assert [tuple(m.shape) for m in masks.decoder] == [(3, 5, 5)] * 2
    assert set(torch.cat([m.flatten() for m in masks.encoder]).tolist()) == {0.0, 2.0}
    first = model.loss(SOURCE, TARGET, masks).detach()
    assert float(first) == float(model.loss(SOURCE, TARGET, drawn(0)).detach())
    assert float(first) != float(model.loss(SOURCE, TARGET, drawn(1)).detach())
    model.eval()
    assert float(first) == float(model.loss(SOURCE, TARGET, masks).detach())
    assert draw_dropout(make(dropout=0.5, layers=1).config, 3, 7, 5, stream) is None


def test_the_published_size():
    model = AttentionTranslator(TranslatorConfig(vocab_size=8000))
    assert sum(p.numel() for p in model.parameters()) == 8_180_544


@pytest.mark.parametrize("wrong", [{"vocab_size": 3}, {"hidden": 0}, {"layers": 0}, {"dropout": 1.0}])
def test_a_wrong_size_is_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TranslatorConfig(**({"vocab_size": 9} | wrong))
