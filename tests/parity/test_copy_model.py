"""The copy model, alone and stacked, against the published one: losses, gradients, log-probabilities and attention.

Dimensions: G stacked models, B batch, S source positions, T target positions.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.copying import CopyModel, CopyModelConfig, StackedCopyModels

COPY = np.load(Path(__file__).parent / "copy_model.npz")
SOURCE, TARGET = torch.from_numpy(COPY["X"]), torch.from_numpy(COPY["Y"])
OURS = {
    "embedding": "embedding",
    "encoder_lstm": "encoder",
    "decoder_lstm": "decoder",
    "attn_lin": "query",
    "project_enc": "context",
    "after_decoder_hidden": "mixer",
    "hidden2vocab": "output",
}
CASES = [(tag, attention) for tag in ("uni", "bi") for attention in ("learned", "uniform")]


def named(prefix: str) -> dict[str, Tensor]:
    """The arrays of a prefix under our names."""
    found = {}
    for key in COPY.files:
        if key.startswith(prefix):
            module, name = key.removeprefix(prefix).split("__")
            found[f"{OURS[module]}.{name}"] = torch.from_numpy(COPY[key])
    return found


def published(tag: str, attention: str) -> CopyModel:
    config = CopyModelConfig(symbols=12, hidden=7, bidirectional=tag == "bi")
    model = CopyModel(dataclasses.replace(config, attention=attention)).double()  # type: ignore[arg-type]
    model.load_state_dict(named(f"{tag}__w__"))
    return model


def of(tag: str, attention: str) -> str:
    return f"{tag}__unif_" if attention == "uniform" else f"{tag}__"


@pytest.mark.parametrize(("tag", "attention"), CASES)
def test_one_model_gives_the_published_numbers(tag, attention):
    model, prefix = published(tag, attention), of(tag, attention)
    log_probs, alpha = model(SOURCE, TARGET[:, :-1])
    loss = F.nll_loss(log_probs.flatten(0, 1), TARGET[:, 1:].flatten())
    loss.backward()
    assert np.abs(log_probs.detach().numpy() - COPY[f"{prefix}logprob"]).max() < 1e-9
    assert np.abs(alpha.detach().numpy() - COPY[f"{prefix}alpha"]).max() < 1e-9
    assert abs(loss.item() - COPY[f"{prefix}loss"]) < 1e-9
    for name, wanted in named(f"{prefix}pgrad__").items():
        torch.testing.assert_close(model.get_parameter(name).grad, wanted, rtol=0, atol=1e-9, msg=name)


@pytest.mark.parametrize(("tag", "attention"), CASES)
def test_every_member_of_a_stack_gives_the_published_numbers(tag, attention):
    model, prefix = published(tag, attention), of(tag, attention)
    stacked = StackedCopyModels.of([model, CopyModel(model.config).double(), model], together=2)
    losses = stacked.backward(SOURCE[None], TARGET[None])
    tokens, attended = stacked.predict(SOURCE[None], TARGET[None, :, :-1])
    for g in (0, 2):
        assert abs(losses[g].item() - COPY[f"{prefix}loss"]) < 1e-9
        for name, wanted in named(f"{prefix}pgrad__").items():
            grad = stacked.stack[name].grad
            assert grad is not None
            torch.testing.assert_close(grad[g], wanted, rtol=0, atol=1e-9, msg=name)
        assert np.array_equal(tokens[g], COPY[f"{prefix}logprob"].argmax(-1))
        assert np.array_equal(attended[g], COPY[f"{prefix}alpha"].argmax(-1))


@pytest.mark.parametrize("tag", ["uni", "bi"])
def test_accuracies_are_the_published_ones(tag):
    tokens, attended = StackedCopyModels.of([published(tag, "learned")]).predict(SOURCE[None], TARGET[None, :, :-1])
    late = attended[0] - torch.arange(attended.shape[-1])
    found = {
        "acc": tokens[0] == TARGET[:, 1:],
        "attn_acc": late == 0,
        "attn_acc_m1": late == 1,
        "attn_acc_p1": late == -1,
    }
    for name, hits in found.items():
        assert hits.double().mean().item() == pytest.approx(float(COPY[f"{tag}__{name}"]), abs=1e-12), name


def test_without_context_the_published_log_probabilities_come_out():
    log_probs, _ = published("uni", "none")(SOURCE, TARGET[:, :-1])
    assert np.abs(log_probs.detach().numpy() - COPY["nocontext__logprob"]).max() < 1e-9
    stacked = StackedCopyModels.of([published("uni", "none")])
    wanted = -np.take_along_axis(COPY["nocontext__logprob"], COPY["Y"][:, 1:, None], -1).mean()
    assert abs(stacked.losses(SOURCE[None], TARGET[None]).item() - wanted) < 1e-9
