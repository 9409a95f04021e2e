"""A stack of attention classifiers is what each of them would be alone."""

import pytest
import torch
from torch.nn import functional

from models.attention_classifier import AttentionClassifier, ClassifierConfig
from models.stacked_classifiers import StackedClassifiers

KINDS = (False, True, False)


def models():
    made = []
    for seed, uniform in enumerate(KINDS):
        config = ClassifierConfig(vocab_size=20, embedding=5, hidden=4, intermediate=3, uniform=uniform)
        made.append(AttentionClassifier(config).initialise(torch.Generator().manual_seed(seed)).double())
    return made


def batch(step):
    generator = torch.Generator().manual_seed(100 + step)
    tokens = torch.randint(1, 20, (len(KINDS), 4, 7), generator=generator)
    lengths = torch.randint(2, 8, (len(KINDS), 4), generator=generator)
    labels = torch.randint(0, 2, (len(KINDS), 4), generator=generator).double()
    return tokens, lengths, labels


def test_scores_attention_and_values_are_those_of_each_model():
    alone, (tokens, lengths, _) = models(), batch(0)
    stacked = StackedClassifiers.of(alone).forward(tokens, lengths)
    for member, model in enumerate(alone):
        for ours, theirs in zip(stacked, model(tokens[member], lengths[member]), strict=True):
            torch.testing.assert_close(ours[member], theirs, rtol=0, atol=1e-12)


def test_training_together_is_training_one_by_one():
    alone = models()
    stack = StackedClassifiers.of(alone)
    optimiser = torch.optim.Adam(stack.parameters(), lr=1e-2)
    others = [torch.optim.Adam(model.parameters(), lr=1e-2) for model in alone]
    for step in range(12):
        tokens, lengths, labels = batch(step)
        optimiser.zero_grad()
        losses = stack.losses(tokens, lengths, labels)
        losses.sum().backward()
        optimiser.step()
        for member, (model, other) in enumerate(zip(alone, others, strict=True)):
            other.zero_grad()
            score = model(tokens[member], lengths[member]).score_B
            loss = functional.binary_cross_entropy_with_logits(score, labels[member])
            loss.backward()
            other.step()
            assert losses[member].item() == pytest.approx(loss.item(), abs=1e-9)
    for model, ours in zip(alone, stack.unstack(), strict=True):
        assert ours.config == model.config
        for name, parameter in ours.named_parameters():
            torch.testing.assert_close(parameter, model.state_dict()[name], rtol=0, atol=1e-9)


def test_models_of_different_sizes_are_refused():
    other = AttentionClassifier(ClassifierConfig(vocab_size=20, embedding=6, hidden=4, intermediate=3))
    with pytest.raises(ValueError, match="different sizes"):
        StackedClassifiers.of([models()[0], other])
    with pytest.raises(ValueError, match="at least one"):
        StackedClassifiers.of([])
