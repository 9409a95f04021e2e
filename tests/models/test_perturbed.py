"""Encoders at weights with noise, against the plain way: weights edited in place."""

import copy

import pytest
import torch
from transformers import ModernBertConfig

from models.any_encoder import random_any
from models.perturbed import first_states, perturbation_distances, perturbed_states, root_mean_square, unit_noise
from models.transformer import scratch_transformer_config

VOCAB = 40
KINDS = ("albert", "bert", "distilbert", "roberta", "modernbert")


def network(kind: str, dtype: torch.dtype = torch.float32):
    if kind == "modernbert":
        config = ModernBertConfig(
            vocab_size=VOCAB, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
            max_position_embeddings=16, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2,
        )  # fmt: skip
    else:
        sizes = {"layers": 2, "width": 16, "heads": 2, "vocab_size": VOCAB, "positions": 12}
        config = scratch_transformer_config(kind, **sizes)  # pyright: ignore[reportArgumentType]
    return random_any(config, 0, dtype)


def batch(padding: int = 0):
    ids = torch.randint(5, VOCAB, (4, 9), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(9) < torch.tensor([[9], [7], [3], [5]])).long()
    ids = torch.where(mask > 0, ids, 1)
    pad = torch.nn.functional.pad
    return pad(ids, (0, padding), value=1), pad(torch.zeros_like(ids), (0, padding)), pad(mask, (0, padding))


def noise_of(model):
    return unit_noise(model, torch.Generator().manual_seed(5))


@torch.no_grad()
def plain_distances(model, inputs, noise, std, relative):
    """A copy with its weights edited, in the model's own precision."""
    other = copy.deepcopy(model)
    for name, p in other.named_parameters():
        size = std * (float(p.double().square().mean()) ** 0.5 if relative else 1)
        p += size * noise[name].to(p)
    given = {"input_ids": inputs[0], "attention_mask": inputs[2]}
    y = [m(**given).last_hidden_state[:, 0] for m in (model, other)]
    return (y[0] - y[1]).norm(dim=-1)


@pytest.mark.parametrize("kind", KINDS)
def test_distances_are_those_of_edited_weights_and_the_weights_stay(kind):
    model, inputs = network(kind), batch()
    before = {name: p.detach().clone() for name, p in model.state_dict().items()}
    noise = noise_of(model)
    for relative in (False, True):
        found = perturbation_distances(model, inputs, noise, 1e-2, kind="relative" if relative else "absolute")
        assert found.dtype == torch.float32
        assert found.numpy() == pytest.approx(
            plain_distances(model, inputs, noise, 1e-2, relative).numpy(), rel=1e-4, abs=1e-6
        )
    double = perturbation_distances(model, inputs, noise, 1e-6, dtype=torch.float64)
    assert double.dtype == torch.float64
    expected = plain_distances(copy.deepcopy(model).double(), inputs, noise, 1e-6, False)
    assert double.numpy() == pytest.approx(expected.numpy(), rel=1e-7)
    after = model.state_dict()
    assert set(after) == set(before)
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("kind", KINDS)
def test_small_noise_moves_the_state_in_proportion_and_none_not_at_all(kind):
    model, inputs = network(kind), batch()
    noise = noise_of(model)
    at = {std: perturbation_distances(model, inputs, noise, std, dtype=torch.float64) for std in (1e-4, 1e-6, 1e-8)}
    assert (at[1e-4] / at[1e-6]).numpy() == pytest.approx(100, rel=0.01)
    assert (at[1e-6] / at[1e-8]).numpy() == pytest.approx(100, rel=1e-3)
    assert bool((at[1e-8] > 0).all())
    assert torch.equal(perturbation_distances(model, inputs, noise, 0.0), torch.zeros(4))


def test_padding_changes_nothing():
    model = network("bert", torch.float64)
    noise = noise_of(model)
    found, padded = (perturbation_distances(model, batch(extra), noise, 1e-2) for extra in (0, 3))
    assert found.numpy() == pytest.approx(padded.numpy(), abs=1e-12)


def test_the_noise_is_one_draw_a_parameter_whatever_the_precision():
    model = network("albert")
    noise = noise_of(model)
    assert [*noise] == [name for name, _ in model.named_parameters()]
    again = noise_of(network("albert", torch.float64))
    assert all(torch.equal(noise[name], again[name]) for name in noise)
    values = torch.cat([x.flatten() for x in noise.values()])
    assert float(values.mean()) == pytest.approx(0, abs=0.05)
    assert float(values.std()) == pytest.approx(1, abs=0.05)


def test_relative_noise_leaves_tensors_of_zeros_alone():
    model = network("bert")
    biases = {name for name, p in model.named_parameters() if root_mean_square(p) == 0}
    assert biases  # a random encoder's are zero
    noise = noise_of(model)
    other = {name: torch.full_like(x, 7.0) if name in biases else x for name, x in noise.items()}
    found = [perturbed_states(model, batch(), x, 1e-2, kind="relative") for x in (noise, other)]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], first_states(model, batch()))


def test_noise_that_does_not_fit_is_named():
    model = network("bert")
    noise = noise_of(model)
    name = "embeddings.LayerNorm.weight"
    perturbation_distances(model, batch(), {**noise, "pooler.dense.bias": torch.zeros(16)}, 1.0)
    with pytest.raises(ValueError, match=rf"there is no noise for {name}"):
        perturbation_distances(model, batch(), {k: v for k, v in noise.items() if k != name}, 1.0)
    with pytest.raises(ValueError, match="noise for nobody, which the model does not have"):
        perturbation_distances(model, batch(), {**noise, "nobody": torch.zeros(1)}, 1.0)
    with pytest.raises(ValueError, match=rf"the noise for {name} has another shape"):
        perturbation_distances(model, batch(), {**noise, name: torch.zeros(3)}, 1.0)
