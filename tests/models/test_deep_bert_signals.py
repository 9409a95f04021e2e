"""Moments that hooks sum up against the plain way: keep every state, build T x T products, take gradients by hand.

Dimensions: B sequences, T tokens, H width.
"""

import pytest
import torch
from torch import Tensor

from models.deep_bert import DeepBert, DeepBertConfig
from models.deep_bert_signals import MATRICES, Signals, measure_signals, pass_bytes

CONFIG = {"layers": 2, "width": 8, "heads": 2, "intermediate": 12, "vocab_size": 20, "max_length": 10}


def network(norm: str = "pre", dropout: float = 0.0, **changed: object) -> DeepBert:
    torch.manual_seed(0)
    given = CONFIG | {"norm": norm, "dropout": dropout, "attention_dropout": dropout} | changed
    return DeepBert(DeepBertConfig(**given)).double().train()  # pyright: ignore[reportArgumentType]


def batch(B: int = 3, T: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, 20, (B, T), generator=generator)
    mask = torch.ones(B, T, dtype=torch.bool)
    mask[1, 4:] = False
    mask[2, 3:] = False
    return ids, torch.randint(0, 2, (B, T), generator=generator), mask


def loss_of(model: DeepBert, positions: Tensor):
    def loss(h_BTH: Tensor) -> Tensor:
        logits = model.mlm_logits(h_BTH.flatten(0, 1)[positions])
        return logits.logsumexp(-1).mean() + model.order_logits(h_BTH).square().sum()

    return loss


def plain(model: DeepBert, ids: Tensor, types: Tensor, mask: Tensor, positions: Tensor) -> dict[str, Tensor]:
    """All states and their gradients kept; moments token by token."""
    keys = mask[:, None, None, :]
    stream = [model.embeddings(ids, types)]
    for layer in model.layer_list:
        stream.append(layer(stream[-1], keys))
    for x in stream:
        x.retain_grad()
    loss = loss_of(model, positions)(model.final_norm(stream[-1]))
    loss.backward()
    found: dict[str, list[Tensor]] = {name: [] for name in ("var", "cov", "g", "g_cov")}
    for x in stream:
        assert x.grad is not None
        for values, second, cross in ((x.detach(), "var", "cov"), (x.grad, "g", "g_cov")):
            pairs, real = [], values[mask]
            for sequence, keep in zip(values, mask, strict=True):
                tokens = sequence[keep]
                products = torch.einsum("sh,th->sth", tokens, tokens)
                pairs.append(products[~torch.eye(len(tokens), dtype=torch.bool)].flatten())
            found[second].append(real.var() if second == "var" else real.square().mean())
            found[cross].append(torch.cat(pairs).mean())
    return {name: torch.stack(values) for name, values in found.items()} | {"loss": loss.detach()}


def assert_equal(one: Signals, other: Signals, rtol: float = 0.0) -> None:
    for part in ("forward", "gradient"):
        for name in ("second", "var", "cov"):
            torch.testing.assert_close(
                getattr(getattr(one, part), name), getattr(getattr(other, part), name), rtol=rtol, atol=0
            )
    for name in MATRICES:
        torch.testing.assert_close(one.weight_norms[name], other.weight_norms[name], rtol=rtol, atol=0)
    assert one.loss == pytest.approx(other.loss, rel=rtol)
    assert one.total_norm == pytest.approx(other.total_norm, rel=rtol)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_moments_and_norms_are_those_of_autograd_by_hand(norm):
    model, (ids, types, mask), positions = network(norm), batch(), torch.tensor([1, 3, 7])
    want = plain(model, ids, types, mask, positions)
    H = model.config.width
    norms, grads = {}, [p.grad for p in model.parameters() if p.grad is not None]
    for layer in model.layer_list:
        qkv = layer.qkv.weight.grad
        assert qkv is not None
        parts = [qkv[: 2 * H], qkv[2 * H :], *(getattr(layer, name).weight.grad for name in MATRICES[2:])]
        for name, part in zip(MATRICES, parts, strict=True):
            norms.setdefault(name, []).append(part.norm())
    total = torch.stack([g.norm() for g in grads]).norm()
    model.zero_grad(set_to_none=True)
    got = measure_signals(model, ids, types, mask, loss_of(model, positions))
    torch.testing.assert_close(got.forward.var, want["var"], rtol=1e-12, atol=0)
    torch.testing.assert_close(got.forward.cov, want["cov"], rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(got.gradient.second, want["g"], rtol=1e-12, atol=0)
    torch.testing.assert_close(got.gradient.cov, want["g_cov"], rtol=1e-10, atol=1e-16)
    for name in MATRICES:
        torch.testing.assert_close(got.weight_norms[name], torch.stack(norms[name]), rtol=1e-12, atol=0)
    layers = torch.stack([torch.stack(norms[name]) for name in MATRICES]).norm(dim=0)
    torch.testing.assert_close(got.layer_norms, layers, rtol=1e-12, atol=0)
    assert got.total_norm == pytest.approx(float(total), rel=1e-12)
    assert got.loss == pytest.approx(float(want["loss"]), rel=1e-12)
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_recomputed_layers_give_the_same_numbers_with_dropout_on(norm):
    ids, types, mask = batch()
    found = []
    for again in (False, True):
        model = network(norm, dropout=0.2)
        model.recompute(again)
        torch.manual_seed(5)
        found.append(measure_signals(model, ids, types, mask, loss_of(model, torch.tensor([0, 8]))))
    assert_equal(*found)


def test_padding_changes_nothing():
    model, (ids, types, _) = network(), batch()
    whole = measure_signals(model, ids, types, None, loss_of(model, torch.tensor([0, 7])))
    wide_ids, wide_types = (torch.nn.functional.pad(x, (0, 3), value=1) for x in (ids, types))
    mask = torch.nn.functional.pad(torch.ones_like(ids, dtype=torch.bool), (0, 3))
    padded = measure_signals(model, wide_ids, wide_types, mask, loss_of(model, torch.tensor([0, 10])))
    assert_equal(whole, padded, rtol=1e-9)
    # As published, where padding counts, other numbers come out.
    counted = measure_signals(
        model, wide_ids, wide_types, mask, loss_of(model, torch.tensor([0, 10])), counted=torch.ones_like(mask)
    )
    assert not torch.allclose(counted.gradient.second, padded.gradient.second, rtol=1e-3)


def test_hooks_are_gone_and_the_model_is_as_before_also_after_an_error():
    model, (ids, types, mask) = network(), batch()

    def broken(h: Tensor) -> Tensor:
        raise RuntimeError("no loss")

    with pytest.raises(RuntimeError, match="no loss"):
        measure_signals(model, ids, types, mask, broken)
    model.encode(ids, types, mask).sum().backward()
    assert model.layer_list[0].up.weight.grad is not None
    with pytest.raises(ValueError, match=r"has a gradient already"):
        measure_signals(model, ids, types, mask, broken)
    with pytest.raises(ValueError, match="leaves no token"):
        measure_signals(network(), ids, types, torch.zeros_like(mask), broken)


def test_recomputing_is_planned_to_take_less_memory_than_keeping_and_grows_with_the_batch():
    config = network(layers=100).config
    kept, again = (pass_bytes(config, 4, 32, 20, recompute) for recompute in (False, True))
    assert again < kept / 5
    assert pass_bytes(config, 8, 32, 40, recompute=False) > 1.8 * kept
