"""The attention classifier against the published one in float64 (clf_forward_f64)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from models.attention_classifier import AttentionClassifier, ClassifierConfig, delta

PUBLISHED = np.load(Path(__file__).parent / "clf_forward_f64.npz", allow_pickle=False)
OURS = {
    "hidden2attn_intermediate": "attention_hidden",
    "attn_intermediate2logit": "attention_logit",
    "hidden2beta": "value",
}


def our_name(published):
    """Our parameter's name of a published one, from which `w__` and the like is gone."""
    module, _, rest = published.partition("__")
    return f"{OURS.get(module, module)}.{rest}"


def weights_of(arrays, prefix):
    """Published weights as our state dict; all keys that begin with `prefix`."""
    names = [name for name in arrays if name.startswith(prefix)]
    return {our_name(name.removeprefix(prefix)): torch.from_numpy(arrays[name]) for name in names}


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_scores_attention_values_delta_and_gradients_are_the_published_ones(kind):
    config = ClassifierConfig(vocab_size=37, embedding=7, hidden=5, intermediate=6, uniform=kind == "uniform")
    model = AttentionClassifier(config).double()
    model.load_state_dict(weights_of(PUBLISHED, "w__"))
    tokens, lengths, labels = (torch.from_numpy(PUBLISHED[name]) for name in ("tokens", "lengths", "labels"))
    found = model(tokens, lengths)
    loss = functional.binary_cross_entropy_with_logits(found.score_B, labels.double())
    loss.backward()
    inside = (torch.arange(tokens.shape[1]) < lengths[:, None]).numpy()
    for name, ours in (
        ("scores", found.score_B),
        ("alpha", found.alpha_BS),
        ("beta", found.beta_BS),
        ("train_loss", loss),
        ("delta_correct", delta(model, tokens, lengths, labels)),
    ):
        theirs, ours = PUBLISHED[f"{kind}__{name}"], ours.detach().numpy()
        if theirs.ndim == 2:
            theirs, ours = theirs[inside], ours[inside]
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    gradients = weights_of(PUBLISHED, f"{kind}__pgrad__")
    assert gradients.keys() == dict(model.named_parameters()).keys()
    for name, parameter in model.named_parameters():
        ours = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        np.testing.assert_allclose(ours, gradients[name], rtol=0, atol=1e-9, err_msg=name)


def test_the_published_size_has_the_published_number_of_parameters():
    model = AttentionClassifier(ClassifierConfig(vocab_size=3))
    counted = sum(p.numel() for name, p in model.named_parameters() if not name.startswith("embedding"))
    assert counted == 1_274_882
