"""Classifier and translator on CUDA against the CPU: attention, contributions, Delta, beams."""

import pytest
import torch

from models.attention_classifier import delta
from models.beam_search import beam_search
from models.translator_delta import deltas
from models.translator_scores import contributions, read_batch, teacher_forced
from tests.models.test_attention_classifier import LENGTHS, documents, made
from tests.models.test_attention_translator import SOURCE, TARGET, make

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

DEVICE = "cuda"


def agree(ours, theirs):
    torch.testing.assert_close(ours.cpu(), theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize("uniform", [False, True])
def test_a_classifier_on_cuda_agrees_with_the_cpu(uniform):
    model, tokens, labels = made(uniform), documents(), torch.tensor([0.0, 1.0, 1.0, 0.0], dtype=torch.float64)
    here = model(tokens, LENGTHS)
    wanted = (*here, delta(model, tokens, LENGTHS, labels))
    model = model.to(DEVICE).eval()
    there = model(tokens.to(DEVICE), LENGTHS)
    found = (*there, delta(model, tokens.to(DEVICE), LENGTHS, labels.to(DEVICE)))
    for ours, theirs in zip(found, wanted, strict=True):
        agree(ours.detach(), theirs.detach())


@pytest.mark.parametrize("uniform", [False, True])
def test_a_translator_on_cuda_agrees_with_the_cpu(uniform):
    model = make(uniform=uniform)

    def numbers(device):
        source, target = SOURCE.to(device), TARGET.to(device)
        read = read_batch(model.to(device), source, target)
        words = read.words_BT.cpu()
        log_p, right = (x.cpu()[words] for x in teacher_forced(model, read))
        tokens, scores = beam_search(model, source, beams=3, max_length=9)
        effect = deltas(model, source, target).cpu()[words]
        return log_p, contributions(model, read).cpu(), effect, scores.cpu(), right, tokens.cpu()

    wanted, found = numbers("cpu"), numbers(DEVICE)
    for ours, theirs in zip(found[:4], wanted[:4], strict=True):
        agree(ours, theirs)
    for ours, theirs in zip(found[4:], wanted[4:], strict=True):
        assert torch.equal(ours, theirs)
