"""Tangents and frames of the map: against `torch.func.jvp`, and what must hold of any linearisation."""

import weakref
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import BertConfig, BertModel

from models.albert import (
    Attention,
    embed,
    iterate,
    layers_of,
    padding_mask,
    random_albert,
    scratch_config,
    shared_layer,
)
from models.differences import finite_differences
from models.layer import albert_layer
from models.recording import finite_rows
from models.tangents import frame_numbers, frame_step, orthonormalise, random_frame, real_tokens, tangent

CONFIG = scratch_config(32, heads=4, embedding_size=16, vocab_size=50, max_position=64)


def streams(n, seed=0):
    return [torch.Generator().manual_seed(100 * seed + i) for i in range(n)]


def chaotic(attention: Attention = "eager", seed=0, activation="gelu_new", dtype=torch.float64):
    """A model whose weights are large enough for attention and activation to be far from linear."""
    config = scratch_config(32, heads=4, embedding_size=16, vocab_size=50, max_position=64, attention=attention)
    config.initializer_range, config.hidden_act = 0.3, activation
    return random_albert(config, "hf_default", seed=seed, dtype=dtype)


def inputs(model, lengths=(7, 5, 6)):
    """(h_0, attention mask [B, T], the layer's mask)."""
    ids = torch.randint(5, 50, (len(lengths), max(lengths)), generator=torch.Generator().manual_seed(1))
    attention_mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    with torch.no_grad():
        h = embed(model, ids * attention_mask)
        return h, attention_mask, padding_mask(model, attention_mask, h)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("activation", ["gelu_new", "gelu"])
def test_written_out_equals_forward_mode_differentiation(attention, masked, activation):
    model = chaotic(attention, activation=activation)
    layer = shared_layer(model)
    h, attention_mask, mask = inputs(model)
    mask = mask if masked else None
    V = random_frame(streams(3), 5, 7, 32, attention_mask.bool() if masked else None, torch.float64)
    with torch.no_grad():
        h = iterate(layer, h, 3, mask)
        after, changed = frame_step(layer, h, V, mask)
        general = frame_step(lambda state, m: layer(state, m), h, V, mask)
        assert (after - layer(h, mask)).abs().max() < 1e-13
        assert attention == "sdpa" or torch.equal(after, layer(h, mask))
    assert (after - general[0]).abs().max() < 1e-13
    assert (changed - general[1]).abs().max() < 1e-12
    for k in range(5):
        alone = tangent(layer, h, V[:, k], mask)
        assert (alone[0] - after).abs().max() < 1e-13
        assert (alone[1] - changed[:, k]).abs().max() < 1e-12


def test_float32_tangents_need_no_care():
    """They agree with float64 to its rounding, where finite differences of that size would be nothing but rounding."""
    model, exact = chaotic(dtype=torch.float32), chaotic()
    h, _, _ = inputs(exact)
    V = random_frame(streams(3), 2, 7, 32, dtype=torch.float64)
    _, single = frame_step(shared_layer(model), h.float(), 1e-20 * V.float())
    _, double = frame_step(shared_layer(exact), h, V)
    assert (single.double() * 1e20 - double).norm() < 1e-5 * double.norm()


def test_bert_goes_the_general_way():
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, vocab_size=50
    )  # fmt: skip
    config._attn_implementation = "eager"
    model = BertModel(config).double().eval()
    layers = layers_of(model)
    assert isinstance(layers, list)
    h, _, mask = inputs(model)
    V = random_frame(streams(3), 2, 7, 16, real_tokens(mask), torch.float64)
    for layer in layers:
        after, changed = frame_step(layer, h, V, mask)
        with torch.no_grad():
            assert torch.equal(after, layer(h, mask))
        for k in range(2):
            assert (tangent(layer, h, V[:, k], mask)[1] - changed[:, k]).abs().max() < 1e-13
        h, V = after, changed


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_with_a_mask_the_exponents_are_those_of_the_sentence_alone(attention):
    """Neither the padding nor the other sentences of the batch change them."""
    model = chaotic(attention)
    layer = shared_layer(model)
    h, attention_mask, mask = inputs(model, (7, 4))
    assert torch.equal(real_tokens(mask), attention_mask.bool())  # pyright: ignore[reportArgumentType]
    V = random_frame(streams(2), 3, 7, 32, attention_mask.bool(), torch.float64)
    short, lone = h[1:, :4], random_frame(streams(2)[1:], 3, 4, 32, dtype=torch.float64)
    assert torch.equal(V[1:, :, :4], lone)
    assert (V[1, :, 4:] == 0).all()
    for _ in range(10):
        h, V = frame_step(layer, h, V, mask)
        short, lone = frame_step(layer, short, lone)
        (V, growth), (lone, alone) = orthonormalise(V), orthonormalise(lone)
        assert (growth[1] - alone[0]).abs().max() < 1e-10
        assert (V[1, :, 4:] == 0).all()


def test_frames_are_drawn_sentence_by_sentence():
    frame = random_frame(streams(3), 4, 6, 8, dtype=torch.float64)
    flat = frame.flatten(2)
    assert (flat @ flat.transpose(1, 2) - torch.eye(4, dtype=torch.float64)).abs().max() < 1e-14
    assert torch.equal(random_frame(streams(3)[2:], 4, 6, 8, dtype=torch.float64)[0], frame[2])
    assert torch.equal(random_frame(streams(3), 4, 6, 8), frame.float())
    fewer = random_frame(streams(3), 2, 6, 8, dtype=torch.float64)
    assert (fewer - frame[:, :2]).abs().max() < 1e-14


def test_more_exponents_than_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"25 exponents are more than the 3 x 8 = 24 dimensions of sentence 0"):
        random_frame(streams(1), 25, 3, 8)
    real = torch.tensor([[True, True, True], [True, False, False]])
    with pytest.raises(ValueError, match=r"9 exponents are more than the 1 x 8 = 8 dimensions of sentence 1"):
        random_frame(streams(2), 9, 3, 8, real)
    with pytest.raises(ValueError, match="0 exponents"):
        random_frame(streams(1), 0, 3, 8)
    with pytest.raises(ValueError, match="more than the 4 dimensions"):
        orthonormalise(torch.randn(1, 5, 2, 2))
    with pytest.raises(ValueError, match="does not fit states"):
        frame_step(shared_layer(chaotic()), torch.zeros(2, 3, 32), torch.zeros(1, 4, 3, 32))


@given(st.integers(0, 10**6), st.integers(1, 5), st.floats(-8, 8))
@settings(max_examples=30, deadline=None)
def test_qr_gives_volumes(seed, K, size):
    """Q is orthonormal and spans V; the sum of ln|R_ii| is the log volume; the first vector keeps its direction."""
    V = 10.0**size * torch.randn(2, K, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    Q, growth = orthonormalise(V)
    q, v = Q.flatten(2), V.flatten(2)
    assert (q @ q.transpose(1, 2) - torch.eye(K, dtype=torch.float64)).abs().max() < 1e-13
    assert (v - v @ q.transpose(1, 2) @ q).abs().max() < 1e-12 * v.abs().max()
    # cond(V) enters: Gaussian 5 x 12 stays far below 1e4.
    assert (2 * growth.sum(1) - torch.linalg.slogdet(v @ v.transpose(1, 2)).logabsdet).abs().max() < 1e-6
    assert (Q[:, 0] - V[:, 0] / V[:, 0].norm(dim=(1, 2), keepdim=True)).abs().max() < 1e-14


def test_collapsed_directions_are_said_and_filled():
    V = torch.randn(3, 4, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    V[0, 2] = V[0, 0] - 2 * V[0, 1]  # dependent
    V[0, 3] = 0  # gone
    V[1, 1, 0, 0] = torch.nan
    whole = V[2].clone()
    Q, growth = orthonormalise(V)
    assert growth[0, 2:].tolist() == [-torch.inf, -torch.inf]
    assert torch.isfinite(growth[0, :2]).all()
    assert torch.isfinite(growth[2]).all()
    q = Q[0].flatten(1)
    assert (q @ q.T - torch.eye(4, dtype=torch.float64)).abs().max() < 1e-13
    assert torch.isnan(growth[1]).all()
    assert torch.isnan(Q[1]).all()
    alone = orthonormalise(whole[None])
    assert torch.equal(Q[2], alone[0][0])
    assert torch.equal(growth[2], alone[1][0])
    V[1, 1, 0, 0] = torch.inf
    assert torch.isnan(orthonormalise(V)[1][1]).all()
    # In float32 a part of 1e-9 is rounding too; the length of the vector itself is no matter.
    close = torch.randn(1, 2, 3, 4, generator=torch.Generator().manual_seed(1))
    close[0, 1] = close[0, 0] * (1 + 1e-7)
    assert orthonormalise(close)[1][0, 1] == -torch.inf
    assert torch.isfinite(orthonormalise(1e-30 * torch.eye(2).view(1, 2, 1, 2))[1]).all()


def test_identical_tokens_and_permuted_sentences():
    model = chaotic()
    layer = shared_layer(model)
    h, _, _ = inputs(model)
    V = random_frame(streams(3), 2, 7, 32, dtype=torch.float64)
    _, changed = frame_step(layer, h, V)
    order = [2, 0, 1]
    _, permuted = frame_step(layer, h[order], V[order])
    assert (permuted - changed[order]).abs().max() < 1e-14
    same = h[:, :1].expand(3, 7, 32)
    _, moved = frame_step(layer, same, V[:, :, :1].expand(3, 2, 7, 32))
    assert (moved - moved[:, :, :1]).abs().max() < 1e-13


def test_a_state_that_is_not_finite_leaves_the_other_sentences_alone():
    model = chaotic()
    layer = shared_layer(model)
    h, _, _ = inputs(model)
    V = random_frame(streams(3), 2, 7, 32, dtype=torch.float64)
    broken = h.clone()
    broken[1, 3, 5] = torch.inf
    whole, moved = frame_step(layer, h, V)
    after, changed = frame_step(layer, broken, V)
    Q, growth = orthonormalise(changed)
    for row in (0, 2):
        assert torch.equal(after[row], whole[row])
        assert torch.equal(changed[row], moved[row])
        assert torch.isfinite(growth[row]).all()
        assert torch.isfinite(Q[row]).all()
    assert finite_rows(after).tolist() == [True, False, True]
    assert torch.isnan(growth[1]).all()


def test_finite_differences_approach_the_tangent_linearly():
    model = chaotic()
    layer = shared_layer(model)
    h, _, _ = inputs(model)
    V = random_frame(streams(3), 1, 7, 32, dtype=torch.float64)
    state, u, exact = h, V, torch.zeros(3, dtype=torch.float64)
    for _ in range(5):
        state, u = frame_step(layer, state, u)
        u, growth = orthonormalise(u)
        exact += growth[:, 0] / 5
    errors = [
        (finite_differences(layer, h, V[:, 0], eps=eps, tau=5, steps=5).growth_WB[0] - exact).abs()
        for eps in (1e-2, 1e-3, 1e-4, 1e-5)
    ]
    for larger, smaller in pairwise(errors):
        assert (smaller < 0.15 * larger).all()
        assert (smaller > 0.05 * larger).all()


@pytest.mark.parametrize("every", [2, 4, 8])
def test_the_interval_between_qrs_does_not_matter(every):
    model = chaotic()
    layer = shared_layer(model)

    def summed(interval):
        h, _, _ = inputs(model)
        V, total = random_frame(streams(3), 3, 7, 32, dtype=torch.float64), torch.zeros(3, 3, dtype=torch.float64)
        for t in range(1, 17):
            h, V = frame_step(layer, h, V)
            if t % interval == 0:
                V, growth = orthonormalise(V)
                total += growth
        return total

    assert (summed(every) - summed(1)).abs().max() < 1e-10


def test_a_full_frame_gives_the_determinant():
    """For a map without LayerNorm, whose Jacobian is of full rank: the sum of all exponents is ln|det J|."""
    A = torch.randn(6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def layer(h, mask):
        return torch.sin(h.flatten(1) @ A).view_as(h) + 0.3 * h**2

    h = torch.randn(2, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    _, V = frame_step(layer, h, random_frame(streams(2), 6, 2, 3, dtype=torch.float64))
    growth = orthonormalise(V)[1].sum(1)
    jacobians = [torch.func.jacfwd(lambda x: layer(x[None], None)[0].flatten())(one).view(6, 6) for one in h]
    assert (growth - torch.stack([torch.linalg.slogdet(J).logabsdet for J in jacobians])).abs().max() < 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_directions_that_layer_norm_takes_away_have_no_growth(dtype):
    """Every token keeps a fixed mean and variance, so of T H dimensions at most T (H - 2) survive a layer."""
    config = scratch_config(8, heads=2, embedding_size=4, vocab_size=50)
    config.initializer_range = 0.3
    layer = shared_layer(random_albert(config, "hf_default", seed=0, dtype=dtype))
    h = torch.randn(1, 2, 8, dtype=dtype, generator=torch.Generator().manual_seed(0))
    V = random_frame(streams(1), 16, 2, 8, dtype=dtype)
    for _ in range(4):  # with the directions that were filled in, too
        h, V = frame_step(layer, h, V)
        V, growth = orthonormalise(V)
        assert torch.isfinite(growth[0, :12]).all()
        assert (growth[0, 12:] == -torch.inf).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "exponents"), [(24, 3), (4096, 8), (32768, 8)])
def test_rounding_never_passes_for_growth(dtype, n, exponents):
    """A vector that depends on the others leaves only rounding, more of it the longer the vectors are."""
    generator = torch.Generator().manual_seed(n)
    V = torch.randn(2, exponents, 1, n, generator=generator, dtype=torch.float64)
    V *= torch.logspace(0, -2, exponents, dtype=torch.float64)[:, None, None]
    V[:, -1] = (V[:, :-1] * torch.randn(2, exponents - 1, 1, 1, generator=generator, dtype=torch.float64)).sum(1)
    V[1, -1] *= 1e-3
    Q, growth = orthonormalise(V.to(dtype))
    assert (growth[:, -1] == -torch.inf).all()
    assert torch.isfinite(growth[:, :-1]).all()
    q = Q.flatten(2)
    assert (q @ q.transpose(1, 2) - torch.eye(exponents, dtype=dtype)).abs().max() < 1e3 * torch.finfo(dtype).eps


class LiveNumbers(TorchDispatchMode):
    """The most numbers that tensors made inside held at one time."""

    def __init__(self):
        super().__init__()
        self.made, self.peak = [], 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # pyright: ignore[reportIncompatibleMethodOverride]
        out = func(*args, **(kwargs or {}))
        self.made += [weakref.ref(x) for x in (out if isinstance(out, tuple) else (out,)) if torch.is_tensor(x)]
        alive = [x for x in (made() for made in self.made) if x is not None]
        self.peak = max(
            self.peak, sum({x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in alive}.values()) // 8
        )
        return out


@pytest.mark.parametrize(("tokens", "exponents"), [(7, 1), (7, 8), (40, 4)])
def test_what_a_frame_holds_is_what_the_estimate_says(tokens, exponents):
    model = chaotic()
    h, _, _ = inputs(model, (tokens,) * 3)
    V = random_frame(streams(3), exponents, tokens, 32, dtype=torch.float64)
    with LiveNumbers() as live:
        _, changed = frame_step(shared_layer(model), h, V)
        orthonormalise(changed)
    estimate = 3 * frame_numbers(model.config, tokens, exponents)
    assert estimate / 2 < live.peak <= estimate


def test_a_layer_that_drops_at_random_is_refused():
    model = chaotic()
    layer = shared_layer(model.train())
    h, _, _ = inputs(model)
    frame_step(layer, h, random_frame(streams(3), 1, 7, 32, dtype=torch.float64))  # dropout 0: no matter
    albert_layer(layer).dropout.p = 0.1
    with pytest.raises(ValueError, match=r"call model\.eval"):
        frame_step(layer, h, random_frame(streams(3), 1, 7, 32, dtype=torch.float64))
    with pytest.raises(ValueError, match="function is no ALBERT layer"):
        albert_layer(lambda h, mask: h)
