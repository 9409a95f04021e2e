"""Stacked translators: losses, gradients, predictions and a training equal to those of each alone."""

import pytest
import torch

from models.attention_translator import PAD, AttentionTranslator, TranslatorConfig, draw_dropout
from models.stacked_translators import StackedTranslators
from tests.models.test_attention_translator import SOURCE, TARGET, make, sentences


def members(dropout=0.0):
    return [make(seed=seed, uniform=seed == 1, dropout=dropout) for seed in range(3)]


def batches():
    """Each member's own sentences, of its own lengths, and all of them padded to one size."""
    own = [(SOURCE, TARGET), (sentences([3, 4, 2], 5), sentences([6, 5, 7], 6)), (TARGET, SOURCE)]
    together = []
    for side in range(2):
        width = max(pair[side].shape[1] for pair in own)
        rows = [torch.nn.functional.pad(pair[side], (0, width - pair[side].shape[1])) for pair in own]
        together.append(torch.stack(rows))
    return own, together


def test_losses_and_gradients_with_dropout_are_those_of_each_alone():
    models = members(dropout=0.4)
    own, (source, target) = batches()
    masks = [
        draw_dropout(m.config, len(s), s.shape[1], t.shape[1] - 1, torch.Generator().manual_seed(g))
        for g, (m, (s, t)) in enumerate(zip(models, own, strict=True))
    ]
    stack = StackedTranslators.of(models)
    losses = stack.losses(source, target, masks)
    losses.sum().backward()
    alone = torch.stack([m.loss(s, t, mask) for m, (s, t), mask in zip(models, own, masks, strict=True)])
    alone.sum().backward()
    torch.testing.assert_close(losses, alone, atol=1e-12, rtol=0)
    for (name, _), stacked in zip(models[0].named_parameters(), stack.parameters(), strict=True):
        for g, model in enumerate(models):
            gradient = model.get_parameter(name).grad
            wanted = torch.zeros_like(stacked[g]) if gradient is None else gradient
            assert stacked.grad is not None
            torch.testing.assert_close(stacked.grad[g], wanted, atol=1e-12, rtol=0, msg=name)


def test_a_training_is_that_of_each_alone():
    models = members()
    own, (source, target) = batches()
    stack = StackedTranslators.of(models)
    together = torch.optim.Adam(stack.parameters(), lr=1e-2)
    alone = [torch.optim.Adam(model.parameters(), lr=1e-2) for model in models]
    for _ in range(5):
        together.zero_grad()
        stack.losses(source, target).sum().backward()
        together.step()
        for model, optimiser, (s, t) in zip(models, alone, own, strict=True):
            optimiser.zero_grad()
            model.loss(s, t).backward()
            optimiser.step()
    for one, model in zip(stack.unstack(), models, strict=True):
        assert one.config == model.config
        for (name, wanted), value in zip(model.state_dict().items(), one.state_dict().values(), strict=True):
            torch.testing.assert_close(value, wanted, atol=1e-9, rtol=0, msg=name)


def test_predictions_of_members_that_are_kept_and_of_shared_data():
    models = members()
    stack = StackedTranslators.of(models).keep([2, 0])
    said, attended = stack.predict(SOURCE[None], TARGET[None, :, :-1])
    words = TARGET[:, 1:] != PAD
    for g, model in enumerate([models[2], models[0]]):
        encoded = model.encode(SOURCE)
        d, _ = model.decode(TARGET[:, :-1], encoded.start)
        assert torch.equal(said[g][words], model(SOURCE, TARGET).argmax(-1)[words])
        assert torch.equal(attended[g][words], model.attention(d, encoded).argmax(-1)[words])


def test_a_stack_has_one_size():
    other = AttentionTranslator(TranslatorConfig(vocab_size=13, hidden=4)).double()
    with pytest.raises(ValueError, match="2 different sizes"):
        StackedTranslators.of([make(), other])
