"""Properties of the attention classifier: attention, padding, Delta, large scores, the frozen variant."""

import pytest
import torch
from torch.nn import functional

from models.attention_classifier import AttentionClassifier, ClassifierConfig, delta, training_bytes

LENGTHS = torch.tensor([5, 2, 9, 7])


def made(uniform=False, dtype=torch.float64):
    config = ClassifierConfig(vocab_size=30, embedding=6, hidden=4, intermediate=5, uniform=uniform)
    return AttentionClassifier(config).initialise(torch.Generator().manual_seed(3)).to(dtype)


def documents(padding=0):
    tokens = torch.randint(1, 30, (4, 9), generator=torch.Generator().manual_seed(1))
    return tokens.masked_fill(torch.arange(9) >= LENGTHS[:, None], padding)


@pytest.mark.parametrize("uniform", [False, True])
def test_attention_sums_to_one_and_padding_and_company_change_nothing(uniform):
    model, tokens = made(uniform), documents()
    together = model(tokens, LENGTHS)
    torch.testing.assert_close(together.alpha_BS.sum(1), torch.ones(4, dtype=torch.float64))
    torch.testing.assert_close(model(documents(padding=7), LENGTHS).score_B, together.score_B)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = model(tokens[row : row + 1, :length], LENGTHS[row : row + 1])
        torch.testing.assert_close(alone.score_B[0], together.score_B[row])
        torch.testing.assert_close(alone.alpha_BS[0], together.alpha_BS[row, :length])
        torch.testing.assert_close(alone.beta_BS[0], together.beta_BS[row, :length])
        assert not together.beta_BS[row, length:].any()
        assert not together.alpha_BS[row, length:].any()
        if uniform:
            torch.testing.assert_close(alone.alpha_BS[0], torch.full((length,), 1 / length, dtype=torch.float64))


@pytest.mark.parametrize("uniform", [False, True])
def test_delta_is_what_the_loss_loses_when_a_token_is_strengthened(uniform):
    model, tokens, labels = made(uniform), documents(), torch.tensor([1, 0, 0, 1])
    found, step = delta(model, tokens, LENGTHS, labels), 1e-5

    def losses(scale):
        return functional.binary_cross_entropy_with_logits(
            model(tokens, LENGTHS, scale).score_B, labels.double(), reduction="none"
        )

    with torch.no_grad():
        for position in range(9):
            bump = torch.zeros(4, 9, dtype=torch.float64)
            bump[:, position] = step
            slope = (losses(1 + bump) - losses(1 - bump)) / (2 * step)
            torch.testing.assert_close(found[:, position], -slope, rtol=1e-5, atol=1e-9)
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert found[LENGTHS.argmax()].all(), "each token of the longest document should matter"


@pytest.mark.parametrize("scale", [17.0, 200.0, -200.0])
def test_large_scores_give_finite_numbers_in_float32(scale):
    model, tokens = made(dtype=torch.float32), documents()
    with torch.no_grad():
        model.value.weight.zero_()
        model.value.weight[0, 0] = 1e-3
        model.value.bias.fill_(scale)
    found = model(tokens, LENGTHS)
    assert (found.score_B.abs() > 16).all()
    for label in (0, 1):
        labels = torch.full((4,), label)
        assert delta(model, tokens, LENGTHS, labels).isfinite().all()
        assert functional.binary_cross_entropy_with_logits(found.score_B, labels.float()).isfinite()


def test_attention_of_the_uniform_variant_never_moves():
    model, tokens, labels = made(uniform=True), documents(), torch.tensor([1.0, 0, 0, 1]).double()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(3):
        optimiser.zero_grad()
        functional.binary_cross_entropy_with_logits(model(tokens, LENGTHS).score_B, labels).backward()
        optimiser.step()
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    still = {name for name in before if name.startswith("attention_")}
    assert moved == before.keys() - still


def test_word_vectors_take_the_place_of_drawn_embeddings_where_there_are_any():
    vectors = (torch.tensor([4]), torch.arange(6.0)[None])
    model = AttentionClassifier(made().config).initialise(torch.Generator().manual_seed(3), vectors)
    drawn = made(dtype=torch.float32).embedding.weight
    assert torch.equal(model.embedding.weight[4], torch.arange(6.0))
    assert torch.equal(model.embedding.weight[5:], drawn[5:])
    assert not torch.equal(drawn[4], torch.arange(6.0))
    with pytest.raises(ValueError, match="give --embedding 3"):
        made().initialise(torch.Generator(), (torch.tensor([4]), torch.zeros(1, 3)))


def test_drawn_weights_have_the_published_spread():
    config = ClassifierConfig(vocab_size=2000, embedding=50, hidden=64, intermediate=100)
    state = AttentionClassifier(config).initialise(torch.Generator().manual_seed(0)).state_dict()
    assert state["embedding.weight"].std() == pytest.approx(1, abs=0.02)
    for name, bound in (
        ("encoder.weight_ih_l0", 64**-0.5),
        ("encoder.bias_hh_l0_reverse", 64**-0.5),
        ("attention_hidden.weight", 128**-0.5),
        ("attention_logit.weight", 100**-0.5),
        ("value.weight", 128**-0.5),
    ):
        assert float(state[name].abs().max()) <= bound
        assert float(state[name].std()) == pytest.approx(bound / 3**0.5, rel=0.15)


def test_the_estimate_of_memory_is_not_below_what_autograd_keeps():
    model, kept = made(dtype=torch.float32), 0

    def count(tensor):
        nonlocal kept
        kept += tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        model(documents(), LENGTHS)
    weights = 4 * sum(p.numel() for p in model.parameters())
    assert 0 < kept - weights <= training_bytes(model.config, documents().numel()) + 4096
