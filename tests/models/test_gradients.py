"""Gradients as vectors, against the library's own loss and `backward`."""

import pytest
import torch
from transformers import ElectraConfig

from models.any_encoder import random_classifier
from models.gradients import add_gradient, classifier_loss, gradient_layout
from models.transformer import scratch_transformer_config

VOCAB = 40
SIZES = {"layers": 2, "width": 16, "heads": 2, "vocab_size": VOCAB, "positions": 12}
KINDS = ("albert", "bert", "distilbert", "roberta", "electra")


def network(kind: str, outputs: int = 3, dtype: torch.dtype = torch.float64):
    if kind == "electra":
        config = ElectraConfig(
            vocab_size=VOCAB, embedding_size=8, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=32, max_position_embeddings=12,
        )  # fmt: skip
    else:
        config = scratch_transformer_config(kind, **SIZES)  # pyright: ignore[reportArgumentType]
    return random_classifier(config, outputs, 0, dtype)


def batch(outputs: int = 3, rows: int = 4, padding: int = 0):
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(5, 20, (rows, 9), generator=generator)
    mask = (torch.arange(9) < torch.tensor([[9], [7], [3], [5]])[:rows]).long()
    labels = torch.arange(rows) % outputs if outputs > 1 else torch.linspace(0, 5, rows, dtype=torch.float64)
    ids = torch.where(mask > 0, ids, 1)
    pad = torch.nn.functional.pad
    return (pad(ids, (0, padding), value=1), pad(torch.zeros_like(ids), (0, padding)), pad(mask, (0, padding))), labels


def gradient(model, inputs, labels, layout=None):
    layout = layout or gradient_layout(model, [inputs[0]])
    into = torch.zeros(layout.kept, dtype=model.dtype)
    return add_gradient(model, layout, inputs, labels, 1.0, into), into, layout


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_the_vector_holds_all_that_backward_finds(kind, outputs):
    model = network(kind, outputs)
    inputs, labels = batch(outputs)
    loss, found, layout = gradient(model, inputs, labels)
    given = {"input_ids": inputs[0], "attention_mask": inputs[2], "labels": labels}
    expected = model(**given).loss
    expected.backward()
    assert loss == pytest.approx(float(expected.detach()), rel=1e-13)
    assert layout.names == tuple(name for name, _ in model.named_parameters())
    assert layout.total == sum(p.numel() for p in model.parameters())
    table = model.get_input_embeddings().weight
    assert isinstance(table, torch.nn.Parameter)
    assert layout.kept == layout.total - (VOCAB - len(layout.word_rows)) * table.shape[1]
    for (name, p), part in zip(model.named_parameters(), found.split(layout.sizes), strict=True):
        whole = torch.zeros_like(p) if p.grad is None else p.grad
        if p is table:
            assert name == layout.word_table
            part = torch.zeros_like(p).index_copy_(0, layout.word_rows, part.view(-1, p.shape[1]))
        assert torch.allclose(part.view_as(whole), whole, atol=1e-14), name
    assert float(found.square().sum()) == pytest.approx(
        sum(float(p.grad.square().sum()) for p in model.parameters() if p.grad is not None), rel=1e-12
    )


@pytest.mark.parametrize("kind", KINDS)
def test_padding_and_micro_batches_change_nothing(kind):
    model = network(kind)
    inputs, labels = batch()
    layout = gradient_layout(model, [inputs[0]])
    _, whole, _ = gradient(model, inputs, labels, layout)
    padded, _ = batch(padding=3)
    # RoBERTa counts its positions in what is no padding; with its id on the right they stay the same.
    assert torch.allclose(gradient(model, padded, labels, layout)[1], whole, atol=1e-13)
    parts = torch.zeros_like(whole)
    for rows in (slice(0, 2), slice(2, 4)):
        ids, types, mask = (x[rows] for x in inputs)
        add_gradient(model, layout, (ids, types, mask), labels[rows], 0.5, parts)
    assert torch.allclose(parts, whole, atol=1e-13)


def test_a_word_table_with_another_use_is_kept_whole():
    model = network("bert")
    model.again = torch.nn.Linear(16, VOCAB, bias=False)
    table = model.get_input_embeddings().weight
    assert isinstance(table, torch.nn.Parameter)
    model.again.weight = table
    layout = gradient_layout(model, [batch()[0][0]])
    assert layout.word_table is None
    assert layout.kept == layout.total


def test_the_weights_stay_and_none_has_a_gradient_of_its_own():
    model = network("bert")
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    gradient(model, *batch())
    assert all(torch.equal(before[name], p) and p.grad is None for name, p in model.named_parameters())


def test_scores_need_one_output():
    with pytest.raises(ValueError, match="scores go with one output, the model has 3"):
        classifier_loss(network("bert"), batch()[0], torch.zeros(4, dtype=torch.float64))
