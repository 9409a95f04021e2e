"""Stacks of copy networks on CUDA against the CPU: the same numbers, and the benchmark's equal losses there."""

import pytest
import torch

from benchmarks.attention_copying import measure
from models.recurrences import gru, lstm
from tests.models.test_stacked_copying import KINDS, batch, some, stacked, train

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("together", [None, 3])
def test_training_on_cuda_agrees_with_the_cpu(kind, together):
    found = {}
    for device in ("cpu", "cuda"):
        models = stacked(kind, [model.to(device) for model in some(kind)], together=together)
        losses, optimiser = train(models, 3, data=lambda step, to=device: tuple(x.to(to) for x in batch(step)))
        models.keep([2, 0], optimiser)
        source, target = (x[:2].to(device) for x in batch(9))
        tokens, attended = models.predict(source, target[..., :-1])
        found[device] = (
            torch.stack(losses).cpu(),
            tokens.cpu(),
            attended.cpu(),
            [p.cpu() for p in models.parameters()],
        )
    assert torch.allclose(found["cuda"][0], found["cpu"][0], rtol=0, atol=1e-10)
    assert torch.equal(found["cuda"][1], found["cpu"][1])
    assert torch.equal(found["cuda"][2], found["cpu"][2])
    for ours, theirs in zip(found["cuda"][3], found["cpu"][3], strict=True):
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("recurrence", ["lstm", "gru"])
def test_recurrences_on_cuda_agree_with_the_cpu(recurrence, masked):
    T, G, B, H, gates = 6, 3, 4, 5, 4 if recurrence == "lstm" else 3
    torch.manual_seed(0)
    given = [torch.randn(T, G, B, gates * H), torch.randn(G, gates * H, H), torch.randn(G, gates * H)]
    mask = torch.arange(T)[:, None, None] < torch.tensor([6, 1, 3, 5]) if masked else None
    found = {}
    for device in ("cpu", "cuda"):
        x, weight, bias = (each.double().to(device).requires_grad_() for each in given)
        inside = None if mask is None else mask.to(device)
        if recurrence == "lstm":
            outputs, (last, _) = lstm(x + bias[:, None], weight, mask_TGB=inside)
        else:
            outputs, last = gru(x, weight, bias, mask_TGB=inside)
        gradients = torch.autograd.grad((outputs.square().sum() + last.sum()), [x, weight, bias])
        found[device] = [each.cpu() for each in (outputs, last, *gradients)]
    for ours, theirs in zip(found["cuda"], found["cpu"], strict=True):
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-11)


def test_the_benchmark_runs_and_its_losses_agree():
    for what, plain, ours, apart in measure("cuda"):
        assert min(plain, ours) > 0, what
        assert apart < 1e-3, what
