"""Gradients of a tiny BERT and how alike they are, against the published code and its float64 references."""

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from metrics.gradient_similarity import Grams, cosines, distances, dots, grams
from models.gradients import add_gradient, gradient_layout
from tests.parity.tiny_albert import HERE

FIXTURE = np.load(HERE / "gradient_confusion_cut.npz")
TASKS = {"MNLI": 3, "STS-B": 1}


def network(task: str, dtype: torch.dtype) -> BertForSequenceClassification:
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=128, type_vocab_size=2, layer_norm_eps=1e-12,
    )  # fmt: skip
    config.num_labels = TASKS[task]
    model = BertForSequenceClassification(config)
    start = f"{task}/pretrain/weights/"
    weights = {k.removeprefix(start): torch.from_numpy(FIXTURE[k]) for k in FIXTURE.files if k.startswith(start)}
    report = model.load_state_dict(weights, strict=False)
    assert not report.missing_keys
    assert not [key for key in report.unexpected_keys if not key.endswith("position_ids")]
    model.eval()
    return model.to(dtype=dtype)  # pyright: ignore[reportCallIssue]  # the decorated method loses its `self`


def gradients(task: str, accumulation: int, dtype: torch.dtype, trim: bool = True) -> tuple[torch.Tensor, list[float]]:
    """The gradients [n, S], and the losses of the micro-batches."""
    model, start = network(task, dtype), f"{task}/pretrain/a{accumulation}/"
    ids, types, mask = (
        torch.from_numpy(FIXTURE[start + name].astype(np.int64))
        for name in ("input_ids", "token_type_ids", "attention_mask")
    )
    labels = torch.from_numpy(FIXTURE[start + "labels"])
    n = len(ids) // accumulation  # a micro-batch that is left over is not used
    layout = gradient_layout(model, ids)
    kept, losses = torch.zeros(n, layout.kept, dtype=dtype), []
    for micro in range(n * accumulation):
        longest = int(mask[micro].sum(1).max()) if trim else ids.shape[-1]
        inputs = (ids[micro, :, :longest], types[micro, :, :longest], mask[micro, :, :longest])
        row = kept[micro // accumulation]
        losses.append(add_gradient(model, layout, inputs, labels[micro], 1 / accumulation, row))
    return kept, losses


def similar(task: str, accumulation: int, dtype: torch.dtype, **how) -> tuple[Grams, list[float]]:
    kept, losses = gradients(task, accumulation, dtype, **how)
    return grams(kept.split(1000, dim=1)), losses


@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize("task", TASKS)
def test_float64_is_the_reference(task, accumulation):
    found, losses = similar(task, accumulation, torch.float64)
    expected = {
        name: FIXTURE[f"{task}/pretrain/a{accumulation}/ref_{name}_f64"]
        for name in ("losses", "gram", "cosine", "dot", "l2")
    }
    assert losses == pytest.approx(expected["losses"][: len(losses)].tolist(), rel=1e-12)
    assert found.plain == pytest.approx(expected["gram"], rel=1e-10, abs=1e-13)
    assert cosines(found.plain) == pytest.approx(expected["cosine"], abs=1e-11)
    assert dots(found.plain) == pytest.approx(expected["dot"], rel=1e-10, abs=1e-13)
    for gram in (found.plain, found.centred):
        assert distances(gram) == pytest.approx(expected["l2"], rel=1e-10)


@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize("task", TASKS)
def test_float32_is_the_published_code(task, accumulation):
    found, _ = similar(task, accumulation, torch.float32)
    orig = {
        name: FIXTURE[f"{task}/pretrain/a{accumulation}/orig_{name}"].ravel().astype(float)
        for name in ("cosine", "dot", "l2")
    }
    assert cosines(found.plain) == pytest.approx(orig["cosine"], abs=1e-6)
    exact = FIXTURE[f"{task}/pretrain/a{accumulation}/ref_dot_f64"]
    assert dots(found.plain) == pytest.approx(exact, rel=1e-5)
    # The published product of two nearly orthogonal gradients is itself 1.4e-5 away from the exact one.
    assert dots(found.plain) == pytest.approx(orig["dot"], rel=2e-5)
    assert distances(found.centred) == pytest.approx(orig["l2"], rel=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_the_parameters_are_as_many_as_published(task):
    model = network(task, torch.float32)
    layout = gradient_layout(model, [torch.arange(50)])
    assert layout.total == layout.kept == {"MNLI": 9907, "STS-B": 9873}[task]


@pytest.mark.parametrize("task", TASKS)
def test_accumulation_and_padding_change_nothing(task):
    whole, _ = similar(task, 1, torch.float64)
    halves, _ = similar(task, 2, torch.float64)
    assert halves.plain[0, 1] == pytest.approx(whole.plain[0, 1], rel=1e-12)
    padded, _ = gradients(task, 1, torch.float64, trim=False)
    trimmed, _ = gradients(task, 1, torch.float64)
    assert float((padded - trimmed).abs().max()) < 1e-12
