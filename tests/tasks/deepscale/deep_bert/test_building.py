"""Networks from their parameters: residual factors, the head's factor, moments of size one, bad parameters."""

import pytest
import torch

from tasks.deepscale.deep_bert.building import build, config_of, correlation_of, spreads_of
from tasks.deepscale.deep_bert.params import DeepBertParams


def params(**changed):
    return DeepBertParams(**({"norm": "pre", "scheme": "dslm", "layers": 8, "width": 64, "heads": 4} | changed))


def test_the_residual_is_scaled_for_dslm_alone():
    config = config_of(params(), 100, 32)
    assert config.skip**2 + config.branch**2 == pytest.approx(1.0)
    assert config.branch**2 == pytest.approx(2 / 8)
    plain = config_of(params(scheme="xavier"), 100, 32)
    assert (plain.skip, plain.branch, plain.logit_scale) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("dropout", [0.0, 0.1, 0.3])
def test_logits_of_dslm_have_variance_one_and_the_published_factor_only_at_dropout_one_tenth(dropout):
    model = build(params(dropout=dropout, width=256, layers=3), 2000, 32, 0, same_token=0.01).eval()
    states = torch.randn(64, 256, generator=torch.Generator().manual_seed(0))
    assert float(model.mlm_logits(states).var()) == pytest.approx(1.0, rel=0.05)
    published = config_of(params(dropout=dropout, legacy_logit_scale=True), 100, 32).logit_scale
    corrected = config_of(params(dropout=dropout), 100, 32).logit_scale
    assert (published == pytest.approx(corrected)) == (dropout == 0.1)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_the_stream_of_dslm_stays_at_variance_one(norm, activation):
    model = build(params(norm=norm, activation=activation, layers=24, width=128), 1000, 64, 0, same_token=0.0154)
    seen = []
    for layer in model.layers:
        layer.register_forward_hook(lambda *given: seen.append(float(given[2].var())))
    generator = torch.Generator().manual_seed(0)
    # Words as rare as the statistics say: equal ones correlate the tokens.
    ids = torch.multinomial(1 / torch.arange(1, 1001.0), 8 * 64, replacement=True, generator=generator).view(8, 64)
    types = (torch.arange(64) >= 30).long().expand(8, 64)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model.encode(ids, types)
    assert all(0.75 < variance < 1.3 for variance in seen), seen


def test_the_same_seed_gives_the_same_network():
    one, two, other = (build(params(), 100, 32, seed, 0.01) for seed in (0, 0, 1))
    assert torch.equal(one.layer_list[3].down.weight, two.layer_list[3].down.weight)
    assert not torch.equal(one.layer_list[3].down.weight, other.layer_list[3].down.weight)
    assert one.training


def test_the_correlation_comes_from_the_data_unless_it_is_given():
    assert correlation_of(params(), 0.03) == pytest.approx((0.03 + 2 / 3) / 3)
    assert correlation_of(params(correlation=0.221), 0.03) == 0.221
    with pytest.raises(ValueError, match="dslm needs"):
        spreads_of(params(), config_of(params(), 100, 32))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"layers": 2}, "branch-k is 2.0: give less, or more layers"),
        ({"heads": 5}, "heads is 5: give a number that divides the width 64"),
        ({"intermediate": -1}, "intermediate is -1"),
        ({"attention_dropout": -0.1}, "attention-dropout is -0.1"),
        ({"correlation": 0.0}, "correlation is 0.0"),
        ({"width": 0}, "width is 0"),
    ],
)
def test_networks_that_cannot_be_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        params(**changed)
