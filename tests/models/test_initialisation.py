"""What each style of random weights draws, at a small width (their published statistics: `tests/parity`)."""

import pytest
import torch
from torch import nn

from models.albert import iterate, random_albert, scratch_config, shared_layer
from models.initialisation import INIT_STYLES

CONFIG = scratch_config(64, heads=4, embedding_size=16, vocab_size=50, max_position=32)


def parameters(style, seed=0):
    return {name: p.detach() for name, p in random_albert(CONFIG, style, seed=seed).named_parameters()}


def gains(style):
    model = random_albert(CONFIG, style, seed=0)
    return [module.weight.detach() for module in model.modules() if isinstance(module, nn.LayerNorm)]


@pytest.mark.parametrize("style", INIT_STYLES)
def test_only_the_styles_of_legacy_touch_the_gains(style):
    assert all((gain == 1).all() for gain in gains(style)) == (not style.endswith("_legacy"))


@pytest.mark.parametrize("style", INIT_STYLES)
def test_every_style_depends_on_the_seed_alone(style):
    first, again, other = parameters(style), parameters(style), parameters(style, seed=1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["pooler.weight"], other["pooler.weight"])
    assert all(torch.isfinite(p).all() for p in first.values())


@pytest.mark.parametrize("style", ["hf_default", "glue_legacy"])
def test_styles_that_jobs_have_drawn_before_are_drawn_alike(style):
    """Results that are stored under these names were made with these very weights: another order is another network."""
    found, generator = parameters(style), torch.Generator().manual_seed(0)
    for name, p in found.items():
        expected = torch.zeros_like(p)
        if (name.endswith("LayerNorm.weight") and style == "hf_default") or "layer_layer_norm.weight" in name:
            expected.fill_(1.0)
        if style == "glue_legacy" and name.endswith("weight"):
            nn.init.trunc_normal_(expected, std=0.02, a=-0.04, b=0.04, generator=generator)
        elif name.endswith("weight") and (expected == 0).all():
            expected.normal_(std=0.02, generator=generator)
        if name == "embeddings.word_embeddings.weight" and style == "hf_default":
            expected[0] = 0
        assert torch.equal(p, expected), name


def test_keras():
    found = parameters("keras")
    assert found["embeddings.word_embeddings.weight"].abs().max() <= 0.05
    assert found["embeddings.word_embeddings.weight"].std() == pytest.approx(0.05 / 3**0.5, rel=0.1)
    assert found["embeddings.position_embeddings.weight"].abs().max() <= 0.04
    projection, bias = (found[f"encoder.embedding_hidden_mapping_in.{part}"] for part in ("weight", "bias"))
    assert projection.abs().max() <= (6 / 80) ** 0.5
    assert projection.std() == pytest.approx((2 / 80) ** 0.5, rel=0.1)
    assert bias.abs().max() <= (3 / 64) ** 0.5
    assert bias.abs().max() > 0.9 * (3 / 64) ** 0.5
    others = [p for name, p in found.items() if name.endswith("bias") and "mapping_in" not in name]
    assert all((p == 0).all() for p in others)
    assert found["pooler.weight"].std() == pytest.approx(0.0176, rel=0.1)


def test_dump_legacy_is_orthogonal():
    for name, p in parameters("dump_legacy").items():
        if p.ndim == 1:
            assert p.abs().max() <= len(p) ** -0.5, name
            assert p.abs().max() > 0.8 * len(p) ** -0.5, name
        else:
            gram = p @ p.T if p.shape[0] <= p.shape[1] else p.T @ p
            assert (gram - torch.eye(len(gram))).abs().max() < 1e-5, name


def test_mlm_legacy_loses_the_input():
    """The published defect: with gains near zero all sentences end in one point."""
    h = torch.randn(4, 6, 64, generator=torch.Generator().manual_seed(0))
    spread = {}
    for style in ("mlm_legacy", "keras"):
        with torch.no_grad():
            after = iterate(shared_layer(random_albert(CONFIG, style, seed=0)), h, 24)[:, 0]
        spread[style] = float((after - after.mean(0)).norm() / after.norm())
    assert spread["mlm_legacy"] < 1e-4
    assert spread["keras"] > 1e-2
