"""The map after synchronisation, along the synchronised manifold and across it."""

import psutil
import pytest
import torch

from models.albert import iterate, random_albert, scratch_config, shared_layer
from models.one_vector import one_vector_frames, one_vector_layer
from models.tangents import frame_step, orthonormalise


def tiny(seed=0, spread=0.3):
    config = scratch_config(32, heads=4, embedding_size=16, vocab_size=50, attention="eager")
    config.initializer_range = spread
    return shared_layer(random_albert(config, "hf_default", seed=seed, dtype=torch.float64))


def gaussian(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_it_is_the_layer_on_equal_tokens():
    layer, x = tiny(), gaussian(3, 32)
    step = one_vector_layer(layer)
    with torch.no_grad():
        for tokens in (1, 6):
            whole = layer(x[:, None].expand(3, tokens, 32), None)
            assert (whole - step(x, None)[:, None]).abs().max() < 1e-13
        assert torch.equal(one_vector_frames(layer, x)[0], step(x, None))
        assert one_vector_frames(layer, x)[1:] == (None, None)


def test_the_jacobian_splits_into_the_mean_and_the_deviations():
    """Shared changes go along the manifold, changes of zero mean across it, and neither into the other."""
    layer, x = tiny(), gaussian(3, 32)
    states = x[:, None].expand(3, 6, 32)
    shared, deviation = gaussian(3, 2, 32, seed=1), gaussian(3, 2, 6, 32, seed=2)
    deviation -= deviation.mean(2, keepdim=True)
    _, along, _ = one_vector_frames(layer, x, shared)
    _, moved = frame_step(layer, states, shared[:, :, None].expand(3, 2, 6, 32))
    assert (moved - along[:, :, None]).abs().max() < 1e-13  # pyright: ignore[reportOptionalSubscript]
    _, moved = frame_step(layer, states, deviation)
    _, jvp = frame_step(lambda h, mask: layer(h, mask), states, deviation)
    tokenwise = torch.stack([one_vector_frames(layer, x, None, deviation[:, :, t])[2] for t in range(6)], dim=2)  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert (moved - tokenwise).abs().max() < 1e-13
    assert (jvp - tokenwise).abs().max() < 1e-13
    assert moved.mean(2).abs().max() < 1e-13


def test_the_transverse_exponent_says_whether_a_small_spread_decays():
    """The rate at which a spread of 1e-8 falls over 10 layers is the largest transverse exponent of that stretch."""
    layer = tiny(spread=0.15)
    with torch.no_grad():
        x = iterate(one_vector_layer(layer), gaussian(1, 32), 200)
        deviation = gaussian(1, 4, 32, seed=3)
        deviation -= deviation.mean(1, keepdim=True)
        deviation /= deviation.norm()
        spread = iterate(layer, x[:, None] + 1e-8 * deviation, 10)
        tokens = deviation.transpose(0, 1)[None, :, 0]  # every token's change as one of K directions
        for _ in range(10):
            x, _, tokens = one_vector_frames(layer, x, None, tokens)
    rate = ((spread - spread.mean(1, keepdim=True)).norm() / 1e-8).log() / 10
    assert float(tokens.norm().log() / 10) == pytest.approx(float(rate), abs=1e-5)  # pyright: ignore[reportOptionalMemberAccess]
    assert rate < 0


def test_frames_along_the_manifold_need_no_sequence_axis():
    layer, x = tiny(), gaussian(2, 32)
    V, growth = orthonormalise(gaussian(2, 3, 32, seed=1))
    for _ in range(5):
        x, along, _ = one_vector_frames(layer, x, V)
        assert along is not None
        V, growth = orthonormalise(along)
    assert growth.shape == (2, 3)
    assert torch.isfinite(growth).all()
    # The arguments are not overwritten, though the work is done in place.
    before = V.clone()
    one_vector_frames(layer, x, V, V)
    assert torch.equal(V, before)


@pytest.mark.slow
def test_a_hundred_thousand_layers_take_no_memory():
    config = scratch_config(16, heads=2, embedding_size=8, vocab_size=50)
    layer = one_vector_layer(shared_layer(random_albert(config, "hf_default", seed=0)))
    process, seen = psutil.Process(), []

    def observe(t, x):
        if t % 1000 == 0:
            seen.append((t, process.memory_info().rss))

    with torch.no_grad():
        x = iterate(layer, torch.randn(64, 16, generator=torch.Generator().manual_seed(0)), 100_000, None, (observe,))
    assert torch.isfinite(x).all()
    assert seen[-1][0] == 100_000
    # All states together would be 400 MB, a graph of them some GB.
    assert seen[-1][1] - seen[1][1] < 50e6


def test_only_albert():
    with pytest.raises(ValueError, match="is no ALBERT layer"):
        one_vector_layer(lambda h, mask: h)
    with pytest.raises(ValueError, match="is no ALBERT layer"):
        one_vector_frames(lambda h, mask: h, gaussian(1, 4))
