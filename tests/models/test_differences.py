"""Two copies of the map: what the published way does beyond its numbers."""

import pytest
import torch

from models.albert import iterate, random_albert, scratch_config, shared_layer
from models.differences import finite_differences


def start():
    config = scratch_config(32, heads=4, embedding_size=16, vocab_size=50)
    config.initializer_range = 0.3
    layer = shared_layer(random_albert(config, "hf_default", seed=0, dtype=torch.float64))
    generator = torch.Generator().manual_seed(0)
    h, d = (torch.randn(3, 5, 32, dtype=torch.float64, generator=generator) for _ in range(2))
    return layer, h, d


def test_the_base_is_the_trajectory_itself():
    layer, h, d = start()
    seen, base = {}, {}
    with torch.no_grad():
        iterate(layer, h, 8, None, (base.__setitem__,))
    found = finite_differences(layer, h, d, eps=0.1, tau=4, steps=11, observers=(seen.__setitem__,))
    assert found.growth_WB.shape == (2, 3)
    assert found.distances_tB.shape == (8, 3)
    assert sorted(seen) == list(range(9))
    assert all(torch.equal(seen[t], base[t]) for t in seen)
    assert torch.equal(found.growth_WB, (found.distances_tB[3::4] / 0.1).log() / 4)
    longer = finite_differences(layer, h, 7.0 * d, eps=0.1, tau=4, steps=8)
    assert (longer.growth_WB - found.growth_WB).abs().max() < 1e-12


def test_sentences_do_not_see_each_other():
    layer, h, d = start()
    found = finite_differences(layer, h, d, eps=0.01, tau=2, steps=6).growth_WB
    order = [2, 0, 1]
    moved = finite_differences(layer, h[order], d[order], eps=0.01, tau=2, steps=6).growth_WB
    assert (moved - found[:, order]).abs().max() < 1e-11


def test_copies_that_merge_are_said():
    _, h, d = start()
    found = finite_differences(lambda state, mask: 0 * state, h, d, eps=0.01, tau=1, steps=3).growth_WB
    assert (found[0] == -torch.inf).all()
    assert torch.isnan(found[1:]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"eps": 0.0}, "eps is 0.0"), ({"tau": 0}, "tau is 0 for 6 layers"), ({"tau": 7}, "tau is 7 for 6 layers")],
)
def test_bad_windows_are_refused(change, message):
    layer, h, d = start()
    with pytest.raises(ValueError, match=message):
        finite_differences(layer, h, d, **({"eps": 0.1, "tau": 2, "steps": 6} | change))
