"""Copy networks trained together: each is what it would be alone, whoever else is in the stack.

Dimensions: G stacked models, M heads, B batch, S source positions, T target positions, V symbols.
"""

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.copying import CopyModel, CopyModelConfig, StackedCopyModels
from models.multihead_copying import MultiHeadConfig, MultiHeadCopyModel, StackedMultiHead
from models.stacked import default_tile, keep_members, over_tiles, stack_parameters, tiles

V, G, B, LENGTH = 7, 4, 3, 5
CLOSE: dict[str, Any] = {"rtol": 0, "atol": 1e-11}
KINDS = {
    "learned": (StackedCopyModels, CopyModel, CopyModelConfig(symbols=V, hidden=6)),
    "uniform": (StackedCopyModels, CopyModel, CopyModelConfig(symbols=V, hidden=6, attention="uniform")),
    "none": (StackedCopyModels, CopyModel, CopyModelConfig(symbols=V, hidden=6, attention="none")),
    "bidirectional": (StackedCopyModels, CopyModel, CopyModelConfig(symbols=V, hidden=6, bidirectional=True)),
    "multihead": (StackedMultiHead, MultiHeadCopyModel, MultiHeadConfig(symbols=V, hidden=6, heads=3)),
}


def some(kind: str, n: int = G, seed: int = 0) -> list[Any]:
    torch.manual_seed(seed)
    _, model, config = KINDS[kind]
    return [model(config).double() for _ in range(n)]


def stacked(kind: str, models: list[Any], **how: Any) -> Any:
    return KINDS[kind][0].of(models, **how)


def batch(seed: int, members: int = G) -> tuple[Tensor, Tensor]:
    symbols = torch.randint(V, (members, B, LENGTH), generator=torch.Generator().manual_seed(seed))
    source = F.pad(symbols, (0, 1), value=V)
    return source, F.pad(source, (1, 0), value=V + 1)


def alone(model: nn.Module, source: Tensor, target: Tensor) -> Tensor:
    scores, _ = model(source, target[:, :-1])
    return F.cross_entropy(scores.flatten(0, 1), target[:, 1:].flatten())


def train(together: Any, steps: int, *, first: int = 0, data: Any = batch, optimiser: Any = None) -> Any:
    """Losses of every step, and the optimiser."""
    optimiser = optimiser or torch.optim.Adam(together.parameters(), lr=1e-2)
    losses = []
    for step in range(first, first + steps):
        losses.append(together.backward(*data(step)))
        optimiser.step()
    return losses, optimiser


def equal(first: nn.Module, second: nn.Module) -> None:
    torch.testing.assert_close(dict(first.named_parameters()), dict(second.named_parameters()), **CLOSE)


@pytest.mark.parametrize("kind", KINDS)
def test_training_together_is_training_one_by_one(kind):
    models = some(kind)
    together = stacked(kind, models, together=3)
    losses, _ = train(together, 4)
    for g, model in enumerate(models):
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
        for step in range(4):
            source, target = batch(step)
            loss = alone(model, source[g], target[g])
            assert loss.item() == pytest.approx(losses[step][g].item(), abs=1e-11)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        equal(together.unstack()[g], model)
        source, target = batch(9)
        scores, alpha = model(source[g], target[g, :, :-1])
        tokens, attended = together.predict(source, target[..., :-1])
        assert torch.equal(tokens[g], scores.argmax(-1))
        assert torch.equal(attended[g], torch.zeros_like(attended[g]) if kind == "uniform" else alpha.argmax(-1))


@pytest.mark.parametrize("kind", KINDS)
def test_tiles_and_one_graph_give_the_same_gradients(kind):
    models, data = some(kind), batch(0)
    whole = stacked(kind, models)
    losses = whole.losses(*data)
    losses.sum().backward()
    for together in (1, 3, None):
        tiled = stacked(kind, models, together=together)
        tiled.backward(*data)
        torch.testing.assert_close(tiled.backward(*data), losses.detach(), **CLOSE)  # the second replaces the first
        for name, parameter in tiled.stack.items():
            wanted = whole.stack[name].grad
            wanted = torch.zeros_like(parameter) if wanted is None else wanted
            torch.testing.assert_close(parameter.grad, wanted, **CLOSE)


@pytest.mark.parametrize("kind", ["uniform", "multihead"])
def test_tiles_on_several_cores_give_the_same(kind):
    models, data, threads = some(kind), batch(0), torch.get_num_threads()
    one, several = stacked(kind, models, together=1), stacked(kind, models, together=1)
    try:
        torch.set_num_threads(1)
        expected = one.backward(*data), one.predict(data[0], data[1][..., :-1])
        torch.set_num_threads(3)
        found = several.backward(*data), several.predict(data[0], data[1][..., :-1])
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[0], expected[0])
    assert all(torch.equal(a, b) for a, b in zip(found[1], expected[1], strict=True))
    assert not found[0].requires_grad
    for a, b in zip(several.parameters(), one.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["learned", "multihead"])
def test_a_member_does_not_depend_on_the_others(kind):
    models, others = some(kind), some(kind, seed=1)
    one = stacked(kind, models)
    two = stacked(kind, [others[0], models[1], others[2]])
    (losses, _), (mixed, _) = train(one, 3), train(two, 3, data=lambda step: batch(step, 3))
    source, target = batch(0)
    assert losses[0][1] == pytest.approx(alone(models[1], source[1], target[1]).item(), abs=1e-11)
    short = batch(0, 3)
    assert mixed[0][1].item() == pytest.approx(alone(models[1], short[0][1], short[1][1]).item(), abs=1e-11)
    three = stacked(kind, [models[1]])
    again, _ = train(three, 3, data=lambda step: tuple(x[1:2] for x in batch(step, 3)))
    torch.testing.assert_close(torch.stack(again)[:, 0], torch.stack(mixed)[:, 1], **CLOSE)
    equal(three.unstack()[0], two.unstack()[1])


@pytest.mark.parametrize("kind", ["learned", "multihead"])
def test_permuted_members_give_permuted_results(kind):
    models, order = some(kind), [2, 0, 3, 1]
    one, two = stacked(kind, models), stacked(kind, [models[n] for n in order])
    losses, _ = train(one, 3)
    permuted, _ = train(two, 3, data=lambda step: tuple(x[order] for x in batch(step)))
    torch.testing.assert_close(torch.stack(permuted), torch.stack(losses)[:, order], **CLOSE)
    for n, member in zip(order, two.unstack(), strict=True):
        equal(one.unstack()[n], member)


@pytest.mark.parametrize("kind", ["learned", "multihead"])
def test_taking_members_out_leaves_the_others_on_their_way(kind):
    models, kept = some(kind), [3, 1]
    whole, fewer = stacked(kind, models), stacked(kind, models)
    expected, _ = train(whole, 6)
    _, optimiser = train(fewer, 3)
    before = fewer.parameters()
    fewer.keep(kept, optimiser)
    assert len(fewer) == 2
    assert not {id(p) for p in before} & {id(p) for p in fewer.parameters()}
    losses, _ = train(fewer, 3, first=3, data=lambda step: tuple(x[kept] for x in batch(step)), optimiser=optimiser)
    torch.testing.assert_close(torch.stack(losses), torch.stack(expected[3:])[:, kept], **CLOSE)
    for n, member in zip(kept, fewer.unstack(), strict=True):
        equal(whole.unstack()[n], member)


@pytest.mark.parametrize("kind", KINDS)
def test_data_that_all_see_are_given_once(kind):
    models = some(kind)
    once, often = stacked(kind, models, together=3), stacked(kind, models, together=3)
    source, target = batch(0, 1)
    repeated = source.expand(G, -1, -1), target.expand(G, -1, -1)
    torch.testing.assert_close(once.backward(source, target), often.backward(*repeated), **CLOSE)
    torch.testing.assert_close([p.grad for p in once.parameters()], [p.grad for p in often.parameters()], **CLOSE)
    for a, b in zip(
        once.predict(source, target[..., :-1]), often.predict(repeated[0], repeated[1][..., :-1]), strict=True
    ):
        assert torch.equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_stacking_copies_and_gives_back_what_it_got(kind):
    models = some(kind)
    before = [{name: p.detach().clone() for name, p in model.named_parameters()} for model in models]
    state = torch.random.get_rng_state()
    together = stacked(kind, models)
    for model, member in zip(models, together.unstack(), strict=True):
        equal(model, member)
    assert torch.equal(torch.random.get_rng_state(), state)  # no weight is drawn on the way
    train(together, 1)
    for model, old in zip(models, before, strict=True):
        assert all(torch.equal(p, old[name]) for name, p in model.named_parameters())
    equal(together.unstack()[0], stacked(kind, together.unstack()).unstack()[0])


def test_the_published_sizes():
    copy, several = CopyModel(CopyModelConfig()), MultiHeadCopyModel(MultiHeadConfig())
    assert sum(p.numel() for p in copy.parameters()) == 1_337_130
    assert sum(p.numel() for p in several.heads[0].parameters()) == 131_584
    assert sum(p.numel() for p in several.parameters()) == 953_130 + 8 * 131_584


def test_heads_in_any_order_compute_the_same():
    (model,) = some("multihead", 1)
    source, target = batch(0, 1)
    scores, alpha = model(source[0], target[0, :, :-1])
    model.heads = nn.ModuleList(model.heads[m] for m in (2, 0, 1))
    again, permuted = model(source[0], target[0, :, :-1])
    torch.testing.assert_close(again, scores, **CLOSE)
    torch.testing.assert_close(permuted, alpha[[2, 0, 1]], **CLOSE)


def test_models_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        StackedCopyModels.of([])
    with pytest.raises(ValueError, match=r"model 1 of the stack has .*uniform"):
        StackedCopyModels.of([some("learned", 1)[0], some("uniform", 1)[0]])
    with pytest.raises(ValueError, match=r"weight is \(2, 3\) in model 0 and \(2, 4\) in model 1"):
        stack_parameters([nn.Linear(3, 2), nn.Linear(4, 2)])
    with pytest.raises(ValueError, match="bias is"):
        stack_parameters([nn.Linear(3, 2), nn.Linear(3, 2, bias=False)])
    with pytest.raises(ValueError, match="hidden 0"):
        CopyModelConfig(hidden=0)
    with pytest.raises(ValueError, match="heads 0"):
        MultiHeadConfig(heads=0)


def test_members_that_are_not_there_and_foreign_optimisers_are_refused():
    together = stacked("learned", some("learned"))
    with pytest.raises(IndexError):
        together.keep([4])
    foreign = torch.optim.Adam(CopyModel(CopyModelConfig(symbols=V, hidden=6)).parameters())
    with pytest.raises(ValueError, match="other tensors"):
        keep_members(together.stack, [0], foreign)
    assert len(together) == G


def test_tiles_cover_the_stack_once():
    for members, together in itertools.product(range(1, 8), range(1, 9)):
        parts = [range(members)[part] for part in tiles(members, together)]
        assert list(itertools.chain.from_iterable(parts)) == list(range(members))
        assert max(map(len, parts)) <= together
    assert over_tiles(tiles(7, 3), lambda part: part.stop, torch.device("cpu")) == [3, 6, 7]
    assert default_tile(5, 1 << 40, torch.device("cpu")) == 1
    assert default_tile(5, 1, torch.device("cpu")) == 5
