"""DeepBert with a head of classes or choices against the library's two models on the same weights."""

import pytest
import torch
from torch.nn import functional
from transformers import BertConfig, BertForMultipleChoice, BertForPreTraining, BertForSequenceClassification

from models.deep_bert_classifier import DeepBertClassifier
from models.deep_bert_files import from_hugging_face


@pytest.fixture(scope="module")
def config():
    return BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=12,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.2,
        num_labels=3,  # pyright: ignore[reportCallIssue]  # of the base class, which takes it by name alone
    )


def pair(config, kind, choices):
    """The library's model, and ours with its weights, float64."""
    torch.manual_seed(0)
    theirs = kind(config).double().train()
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            if name.endswith("bias") or "LayerNorm" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    whole = BertForPreTraining(config).double()
    whole.bert.load_state_dict(theirs.bert.state_dict())
    ours = DeepBertClassifier(from_hugging_face(whole), len(theirs.classifier.bias), 0.0, choices).double().train()
    ours.head.load_state_dict(theirs.classifier.state_dict())
    return theirs, ours


def batch(rows):
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, 50, (rows, 9), generator=generator)  # the library keeps row 0, its padding, as it is
    mask = torch.arange(9) < torch.randint(4, 10, (rows, 1), generator=generator)
    types = (torch.arange(9) >= 3).long().expand(rows, 9) * mask
    return ids, types, mask


@pytest.mark.parametrize(
    ("kind", "choices", "rows"), [(BertForSequenceClassification, 1, 5), (BertForMultipleChoice, 4, 12)]
)
def test_scores_loss_and_gradients_are_the_librarys(config, kind, choices, rows):
    theirs, ours = pair(config, kind, choices)
    ids, types, mask = batch(rows)
    labels = torch.tensor([2, 0, 1, 1, 2] if choices == 1 else [3, 0, 2])
    shape = (rows, 9) if choices == 1 else (rows // choices, choices, 9)
    found = theirs(
        input_ids=ids.view(shape),
        token_type_ids=types.view(shape),
        attention_mask=mask.long().view(shape),
        labels=labels,
    )
    scores = ours(ids, types, mask)
    loss = functional.cross_entropy(scores, labels)
    torch.testing.assert_close(scores, found.logits, rtol=0, atol=1e-10)
    torch.testing.assert_close(loss, found.loss, rtol=0, atol=1e-10)
    loss.backward()
    found.loss.backward()
    bert, layer = theirs.bert, theirs.bert.encoder.layer[0]
    attention = [getattr(layer.attention.self, name).weight.grad for name in ("query", "key", "value")]
    for mine, other in (
        (ours.head.weight.grad, theirs.classifier.weight.grad),
        (ours.bert.pooler.weight.grad, bert.pooler.dense.weight.grad),
        (ours.bert.embeddings.word.weight.grad, bert.embeddings.word_embeddings.weight.grad),
        (ours.bert.layer_list[0].qkv.weight.grad, torch.cat(attention)),
        (ours.bert.layer_list[1].down.weight.grad, bert.encoder.layer[1].output.dense.weight.grad),
    ):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-10)


def test_heads_of_pretraining_get_no_gradient_and_the_new_head_depends_on_its_seed_alone(config):
    _, ours = pair(config, BertForSequenceClassification, 1)
    fixed = {name for name, parameter in ours.named_parameters() if not parameter.requires_grad}
    assert {name.split(".")[1] for name in fixed} == {"mlm_dense", "mlm_norm", "mlm_bias", "order"}
    ours.draw_head(3)
    first = ours.head.weight.clone()
    torch.rand(5)
    ours.draw_head(3)
    assert torch.equal(ours.head.weight, first)
    ours.draw_head(4)
    assert not torch.equal(ours.head.weight, first)
    assert not ours.head.bias.any()


def test_choices_take_one_score_each(config):
    with pytest.raises(ValueError, match="4 choices take one score each, not 3"):
        DeepBertClassifier(from_hugging_face(BertForPreTraining(config)), 3, 0.0, choices=4)
