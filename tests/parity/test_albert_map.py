"""The iterated map against states of the published TensorFlow code, float64, 30 layers (B 4, T 8, H 32)."""

import numpy as np
import pytest
import torch

from models.albert import embed, iterate, padding_mask, pool, random_albert, scratch_config, shared_layer
from tests.parity.tiny_albert import HERE, tiny_albert

STATES = np.load(HERE / "trajectory_A_cut.npz")
INIT = np.load(HERE / "random_init_stats.npz")


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("mask", ["mask", "nomask"])
def test_states_match_the_published_code(attention, mask):
    model = tiny_albert(attention)
    given = torch.tensor(STATES["attention_mask"]) if mask == "mask" else None
    seen = {}
    with torch.no_grad():
        h = embed(model, torch.tensor(STATES["input_ids"]), torch.tensor(STATES["token_type_ids"]))
        iterate(shared_layer(model), h, 30, padding_mask(model, given, h), (seen.__setitem__,))
    assert sorted(seen) == list(range(31))
    found = torch.stack([seen[int(t)] for t in STATES["layers"]])
    assert (found - torch.tensor(STATES[f"states_{mask}"])).abs().max() < 1e-12


def test_prefix_states_are_exactly_those_of_separate_passes():
    model = tiny_albert()
    ids, types, mask = (torch.tensor(STATES[k]) for k in ("input_ids", "token_type_ids", "attention_mask"))
    seen = {}
    with torch.no_grad():
        h = embed(model, ids, types)
        iterate(shared_layer(model), h, 13, padding_mask(model, mask, h), (seen.__setitem__,))
        for depth in (1, 2, 3, 5, 8, 13):
            model.config.num_hidden_layers = depth
            alone = model(input_ids=ids, token_type_ids=types, attention_mask=mask)
            assert torch.equal(seen[depth], alone.last_hidden_state)
            assert torch.equal(pool(model, seen[depth]), alone.pooler_output)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("style", "prefix"),
    [("hf_default", "hf_default_init"), ("glue_legacy", "glue_init"), ("mlm_legacy", "mlm_init")],
)
def test_random_weights_have_the_published_statistics(style, prefix):
    model = random_albert(scratch_config(1024, vocab_size=3000), style, seed=5)
    names = [name for name, _ in model.named_parameters()]
    assert {f"{prefix}__{name}" for name in names} == {k for k in INIT.files if k.startswith(prefix)}
    for name, parameter in model.state_dict().items():
        mean, std, low, high = INIT[f"{prefix}__{name}"]
        n = parameter.numel()
        # Two independent draws of n: the mean's error is sd/sqrt(n), the sd's at most sd/sqrt(2n), each counted twice.
        assert abs(float(parameter.mean()) - mean) <= 5 * std * (2 / n) ** 0.5, name
        assert abs(float(parameter.std(correction=0)) - std) <= 5 * std * (1 / n) ** 0.5, name
        if style == "mlm_legacy":  # uniform, to its ends
            assert float(parameter.abs().max()) <= parameter.shape[-1] ** -0.5, name
        if std == 0:
            assert float(parameter.min()) == low, name
            assert float(parameter.max()) == high, name
        if style == "glue_legacy":
            assert float(parameter.abs().max()) <= 0.04


KERAS_NAMES = {
    "word_embeddings.weight": "word_embeddings.embeddings",
    "token_type_embeddings.weight": "token_type_embeddings.embeddings",
    "position_embeddings.weight": "position_embeddings.embeddings",
    "embedding_hidden_mapping_in.weight": "word_embeddings_projector.projector",
    "embedding_hidden_mapping_in.bias": "word_embeddings_projector.bias",
    "embeddings.LayerNorm.weight": "embeddings.LayerNorm.gamma",
    "embeddings.LayerNorm.bias": "embeddings.LayerNorm.beta",
    "attention.query.weight": "attention.self.query.kernel",
    "attention.query.bias": "attention.self.query.bias",
    "attention.key.weight": "attention.self.key.kernel",
    "attention.key.bias": "attention.self.key.bias",
    "attention.value.weight": "attention.self.value.kernel",
    "attention.value.bias": "attention.self.value.bias",
    "attention.dense.weight": "attention.output.dense.kernel",
    "attention.dense.bias": "attention.output.dense.bias",
    "attention.LayerNorm.weight": "attention.output.LayerNorm.gamma",
    "attention.LayerNorm.bias": "attention.output.LayerNorm.beta",
    "ffn.weight": "layer_shared.intermediate.kernel",
    "ffn.bias": "layer_shared.intermediate.bias",
    "ffn_output.weight": "layer_shared.output.dense.kernel",
    "ffn_output.bias": "layer_shared.output.dense.bias",
    "full_layer_layer_norm.weight": "layer_shared.output.LayerNorm.gamma",
    "full_layer_layer_norm.bias": "layer_shared.output.LayerNorm.beta",
}


@pytest.mark.slow
def test_keras_weights_have_the_published_statistics():
    """All 23 tensors of the dynamics scripts' random network; their library names them otherwise."""
    model = random_albert(scratch_config(1024, vocab_size=3000), "keras", seed=5)
    parameters, compared = dict(model.named_parameters()), set()
    for ours, theirs in KERAS_NAMES.items():
        (key,) = (key for key in INIT.files if key.startswith("keras_init__") and key.endswith(theirs))
        (name,) = (name for name in parameters if name.endswith(ours))
        compared.add(key)
        parameter = parameters[name].detach()
        mean, std, low, high = (float(value) for value in INIT[key])
        n = parameter.numel()
        assert abs(float(parameter.mean()) - mean) <= 5 * std * (2 / n) ** 0.5, name
        assert abs(float(parameter.std(correction=0)) - std) <= 5 * std * (1 / n) ** 0.5, name
        # The ends of a uniform or cut distribution are found to a few n-ths of the range.
        assert float(parameter.min()) == pytest.approx(low, abs=20 * std / n**0.5), name
        assert float(parameter.max()) == pytest.approx(high, abs=20 * std / n**0.5), name
    assert len(compared) == len([key for key in INIT.files if key.startswith("keras_init__")]) == 23
