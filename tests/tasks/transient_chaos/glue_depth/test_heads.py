"""Heads trained together against plain separate training. D depths, S seeds, N examples, H hidden, C outputs."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from tasks.training.loop import data_orders
from tasks.training.optimisers import clip_heads, learning_rate, make_optimiser, take_step
from tasks.training.seeds import torch_stream
from tasks.transient_chaos.glue_depth.features import pooled_prefix
from tasks.transient_chaos.glue_depth.heads import (
    dropout_factors,
    head_weight,
    loss_and_gradient,
    train_heads,
)
from tasks.transient_chaos.glue_depth.stages import Training
from tests.parity.tiny_albert import tiny_albert
from tests.tasks.transient_chaos.glue_depth.glue_fakes import fake_split

DEPTHS = (1, 2, 3, 5, 8, 13)


def old_hf_step(p, g, state, k, lr, wd):
    """The AdamW of transformers before 5.0 for one parameter at step k = 1, 2, …, as it was written there."""
    state["m"] = 0.9 * state["m"] + (1 - 0.9) * g
    state["v"] = 0.999 * state["v"] + (1 - 0.999) * g * g
    size = lr * (1 - 0.999**k) ** 0.5 / (1 - 0.9**k)
    p.data.add_(-size * state["m"] / (state["v"].sqrt() + 1e-8))
    if wd:
        p.data.add_(p.data, alpha=-lr * wd)


def train_alone(features, labels, n_outputs, seed, s: Training):
    """One head, autograd, one example loop: what the published script did. `features(indices)` -> z [B, H]."""
    H = features(torch.arange(1)).shape[1]
    head = nn.Linear(H, n_outputs).double()
    head.weight.data.copy_(head_weight(seed, n_outputs, H))
    head.bias.data.zero_()
    groups = [{"params": [head.weight], "weight_decay": s.weight_decay}, {"params": [head.bias], "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=1.0, eps=1e-8, foreach=False)
    states = [{"m": 0.0, "v": 0.0}, {"m": 0.0, "v": 0.0}]
    total = s.epochs * -(-len(labels) // s.batch_size)
    drop, losses, step = torch_stream(seed, "dropout"), [], 0
    for order in data_orders(seed, len(labels), s.epochs):
        for rows in order.split(s.batch_size):
            z = features(rows)
            if s.dropout:
                z = z * dropout_factors(drop, len(rows), H, s.dropout).double()
            out = head(z)
            if n_outputs == 1:
                loss = functional.mse_loss(out.view(-1), labels[rows])
            else:
                loss = functional.cross_entropy(out, labels[rows])
            head.zero_grad()
            loss.backward()
            if s.clip:
                nn.utils.clip_grad_norm_(head.parameters(), s.clip)
            if s.schedule == "legacy":
                lr = s.learning_rate * 0.9995**step
            else:
                up = step / s.warmup if step < s.warmup else (total - step) / (total - s.warmup)
                lr = s.learning_rate * up
            if s.optimiser == "adamw":
                for group in adamw.param_groups:
                    group["lr"] = lr
                adamw.step()
            else:
                for p, state, wd in zip(head.parameters(), states, (s.weight_decay, 0.0), strict=True):
                    old_hf_step(p, p.grad, state, step + 1, lr, wd)
            losses.append(float(loss.detach()))
            step += 1
    return head.weight.detach(), head.bias.detach(), losses


def random_task(D, N, H, C, seed=0):
    g = torch.Generator().manual_seed(seed)
    z = torch.tanh(torch.randn(D, N, H, dtype=torch.float64, generator=g))
    labels = torch.rand(N, dtype=torch.float64, generator=g) * 5 if C == 1 else torch.randint(0, C, (N,), generator=g)
    return z, labels


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize(
    "kind",
    [
        {"schedule": "legacy", "optimiser": "adamw", "learning_rate": 1e-3},
        {"schedule": "linear", "optimiser": "hf_adamw", "learning_rate": 2e-3, "warmup": 5, "weight_decay": 1e-3},
        {"schedule": "linear", "optimiser": "adamw", "learning_rate": 2e-3, "weight_decay": 0.1, "clip": None},
    ],
    ids=["published frozen", "published trained", "decay, no clip"],
)
@pytest.mark.parametrize("C", [1, 3])
def test_all_heads_together_are_each_head_alone(C, kind, dropout):
    """Against separate n-layer passes of transformers' own model, batch for batch, and separate plain training."""
    split = fake_split(43, seed=1, n_outputs=C)
    labels = torch.tensor(split.labels)
    model = tiny_albert()
    settings = Training(epochs=3, dropout=dropout, curve_points=6, **kind)
    seeds = (0, 7)
    z = pooled_prefix(model, split, DEPTHS, size=16)
    heads = train_heads(z, labels, C, seeds, settings)
    for d, depth in enumerate(DEPTHS):
        model.config.num_hidden_layers = depth

        def features(rows):
            ids, types, mask = split.batch(rows.tolist())
            with torch.no_grad():
                return model(input_ids=ids, token_type_ids=types, attention_mask=mask).pooler_output

        for s, seed in enumerate(seeds):
            weight, bias, losses = train_alone(features, labels, C, seed, settings)
            assert (heads.weight[d, s] - weight).abs().max() < 1e-12
            assert (heads.bias[d, s] - bias).abs().max() < 1e-12
            points = [float(point.loss[d, s]) for point in heads.curve]
            assert points == pytest.approx([sum(losses[i : i + 3]) / 3 for i in range(0, 18, 3)], abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("C", "H"), [(1, 32), (2, 32), (3, 20), (1, 16), (3, 96), (2, 1024), (3, 512)])
def test_a_head_does_not_depend_on_its_company(C, H, dtype):
    z, labels = random_task(4, 37, H, C)
    z = z.to(dtype)
    settings = Training(epochs=2)
    together = train_heads(z, labels, C, (3, 1, 4), settings)
    for d in range(4):
        for s, seed in enumerate((3, 1, 4)):
            alone = train_heads(z[d : d + 1].clone(), labels, C, (seed,), settings)
            assert torch.equal(alone.weight[0, 0], together.weight[d, s])
            assert torch.equal(alone.bias[0, 0], together.bias[d, s])
            assert torch.equal(alone.logits(z[d : d + 1], 0, 0), together.logits(z, d, s))
    assert not torch.equal(together.weight[0, 0], together.weight[0, 1])


def test_given_weights_and_orders_are_used():
    z, labels = random_task(2, 20, 16, 3)
    settings = Training(epochs=2, dropout=0)
    seeded = train_heads(z, labels, 3, (5,), settings)
    weights = head_weight(5, 3, 16)[None]
    orders = [epoch[None] for epoch in data_orders(5, 20, 2)]
    assert torch.equal(train_heads(z, labels, 3, (0,), settings, weights=weights, orders=orders).weight, seeded.weight)


def test_dropout_draws_do_not_depend_on_how_many_are_drawn_at_once(monkeypatch):
    whole = dropout_factors(torch_stream(0, "dropout"), 12, 33, 0.1)
    stream = torch_stream(0, "dropout")
    assert torch.equal(torch.cat([dropout_factors(stream, n, 33, 0.1) for n in (5, 5, 2)]), whole)
    assert whole.unique().tolist() == pytest.approx([0, 1 / 0.9])
    many = dropout_factors(torch_stream(0, "dropout"), 100, 1000, 0.1)
    assert float((many == 0).double().mean()) == pytest.approx(0.1, abs=0.005)  # 5 standard errors of 1e5 draws

    z, labels = random_task(1, 37, 16, 2)
    usual = train_heads(z, labels, 2, (0, 1), Training())
    monkeypatch.setattr("tasks.transient_chaos.glue_depth.heads.MASK_DRAWS", 1)
    assert torch.equal(train_heads(z, labels, 2, (0, 1), Training()).weight, usual.weight)


def test_gradients_are_autograds():
    for C in (1, 2, 3):
        g = torch.Generator().manual_seed(C)
        logits = torch.randn(2, 3, 5, C, dtype=torch.float64, generator=g, requires_grad=True)
        labels = (
            torch.rand(3, 5, dtype=torch.float64, generator=g) if C == 1 else torch.randint(0, C, (3, 5), generator=g)
        )
        loss, gradient = loss_and_gradient(logits.detach(), labels)
        for d in range(2):
            for s in range(3):
                one = logits[d, s]
                plain = (
                    functional.mse_loss(one[:, 0], labels[s]) if C == 1 else functional.cross_entropy(one, labels[s])
                )
                assert float(loss[d, s]) == pytest.approx(float(plain.detach()), abs=1e-14)
                assert (torch.autograd.grad(plain, logits)[0][d, s] - gradient[d, s]).abs().max() < 1e-14


def test_each_head_is_clipped_by_its_own_norm():
    g = torch.Generator().manual_seed(0)
    big, small = (
        torch.randn(2, 3, 4, dtype=torch.float64, generator=g),
        torch.randn(2, 1, 3, dtype=torch.float64, generator=g),
    )
    big[1] *= 1e-3
    small[1] *= 1e-3
    clipped = (big.clone(), small.clone())
    clip_heads(clipped, 0.5)
    for head in range(2):
        parameters = [nn.Parameter(torch.zeros_like(t[head])) for t in (big, small)]
        for parameter, t in zip(parameters, (big, small), strict=True):
            parameter.grad = t[head].clone()
        nn.utils.clip_grad_norm_(parameters, 0.5)
        for parameter, t in zip(parameters, clipped, strict=True):
            assert parameter.grad is not None
            assert (parameter.grad - t[head]).abs().max() < 1e-15
    assert torch.equal(clipped[0][1], big[1])  # below the limit nothing changes


@pytest.mark.parametrize("wd", [0.0, 0.1])
def test_hf_adamw_is_the_old_one(wd):
    p = torch.randn(50, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    q = p.detach().clone()
    optimiser, state = make_optimiser([p], [], "hf_adamw", wd), {"m": 0.0, "v": 0.0}
    for step in range(30):
        p.grad = torch.sin(p.detach() * (step + 1)) * 10.0 ** -(step % 9)  # down to where eps matters
        old_hf_step(q, p.grad.clone(), state, step + 1, 0.01, wd)
        take_step(optimiser, "hf_adamw", 0.01, step, [p], wd)
        assert (p.detach() - q).abs().max() < 1e-12


def test_schedules_at_their_ends():
    assert learning_rate("legacy", 1e-3, 0, 7190) == 1e-3
    assert learning_rate("legacy", 1e-3, 7190, 7190) == pytest.approx(2.7e-5, rel=0.02)  # README 3
    assert learning_rate("linear", 2.0, 0, 10) == 2
    assert learning_rate("linear", 2.0, 9, 10) == pytest.approx(0.2)
    assert [learning_rate("linear", 1.0, k, 10, 4) for k in (0, 2, 4, 7)] == [0, 0.5, 1, 0.5]
    with pytest.raises(ValueError, match="choose legacy or linear"):
        learning_rate("cosine", 1.0, 0, 10)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="choose adamw or hf_adamw"):
        make_optimiser([], [], "sgd", 0)  # pyright: ignore[reportArgumentType]


def test_seeds_shape_everything():
    assert head_weight(0, 2, 64).abs().max() <= 0.04
    assert float(head_weight(0, 8, 4096).std()) == pytest.approx(0.0176, rel=0.02)  # sd 0.02 cut at 2 sd
    first, second = data_orders(0, 30, 2)
    assert sorted(first.tolist()) == list(range(30))
    assert not torch.equal(first, second)
    assert not torch.equal(next(data_orders(1, 30, 1)), first)


@pytest.mark.parametrize(
    ("labels", "C", "message"),
    [
        (torch.tensor([0, 1]), 2, "do not fit 3 examples"),
        (torch.tensor([0, 1, 2]), 2, "do not fit 2 outputs"),
        (torch.tensor([0.5, 1, 2]), 2, "scores need 1 output"),
        (torch.tensor([0, 0, 0]), 1, "do not fit 1 outputs"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, C, message):
    with pytest.raises(ValueError, match=message):
        train_heads(torch.zeros(1, 3, 4), labels, C, (0,), Training())


def test_a_curve_has_at_most_the_points_asked_for():
    z, labels = random_task(1, 10, 8, 2)
    for points, steps in ((100, list(range(1, 7))), (4, [2, 3, 5, 6]), (1, [6]), (0, [])):
        curve = train_heads(z, labels, 2, (0,), Training(curve_points=points, batch_size=5)).curve
        assert [point.step for point in curve] == steps
    assert curve == ()


def test_what_can_be_learnt_is_learnt():
    z, _ = random_task(2, 400, 16, 2)
    labels = (z[0] @ torch.linspace(-1, 1, 16, dtype=torch.float64) > 0).long()  # the other depth knows nothing of them
    heads = train_heads(z, labels, 2, (0, 1), Training(epochs=10, learning_rate=1e-2))
    right = [[float((heads.logits(z, d, s).argmax(1) == labels).double().mean()) for s in (0, 1)] for d in (0, 1)]
    assert min(right[0]) > 0.95
    assert max(right[1]) < 0.75
