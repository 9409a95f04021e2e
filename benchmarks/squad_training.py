"""Probes of all levels and learning rates from one frozen pass against a run for each learning rate, as published.

Part of `benchmarks/squad_probes.py`. The plain way is one run a learning rate: every batch of 8 windows passes the
encoder again; a pair of `nn.Linear` a level reads its states; autograd, clipping and the update go module by module. It
pads windows to max_length as published, or, in the row that says so, to the longest of the batch. With dropout it takes
the masks that ours takes, drawn once for all levels, which is less than published (a draw for each level). As built it
is the whole stage, from windows to probes on disk, without loading the encoder. Both must give the same weights. One
process, one thread; seconds are of the processor, so that a busy machine changes them little.

Dimensions: L layers, B windows, T tokens, H hidden.
"""

import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.transformer import hidden_states
from orchestrator.experiment import Context
from tasks.squad.questions.plan import QuestionOptions, windows_job
from tasks.squad.squad_probes.artifacts import read_probes
from tasks.squad.squad_probes.probes import dropout_mask, first_weights
from tasks.squad.squad_probes.stages import AdamParams
from tasks.squad.squad_probes.states import FrozenEncoder, open_frozen
from tasks.squad.squad_probes.training import train_adam, trainable
from tasks.training.loop import data_orders

LENGTHS: dict[str, Any] = {"max_length": 128, "doc_stride": 64, "max_query_length": 32}
RATES, SEED = (3e-5, 3e-4, 1e-3, 3e-3), 1

Row = tuple[str, float, float, float]


def plain_run(encoder: FrozenEncoder, params: AdamParams, rate: float, pad_to: int | None) -> tuple[Tensor, float]:
    """One learning rate: weights [L+1, 2, H], and the seconds of it that went into the encoder."""
    first, spent = first_weights(SEED, encoder.n_levels, encoder.width), 0.0
    heads = [[nn.Linear(encoder.width, 1) for _ in range(2)] for _ in first]
    moments: dict[Tensor, tuple[Tensor, Tensor]] = {}
    for level, pair in enumerate(heads):
        for head, linear in enumerate(pair):
            with torch.no_grad():
                linear.weight[0] = first[level, head]
                linear.bias.zero_()
            moments |= {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in linear.parameters()}
    chosen, loss, step = trainable(encoder), nn.CrossEntropyLoss(), 0
    for order in data_orders(params.data_seed, len(chosen), params.epochs):
        for rows in order.split(params.batch_size):
            batch = encoder.windows.batch(chosen[rows.numpy()], pad_to=pad_to)
            clock = time.process_time()
            with torch.no_grad():
                states = hidden_states(encoder.model, batch.input_ids, batch.token_type_ids, batch.attention_mask)
            spent += time.process_time() - clock
            masks = [_mask(params, head, step, batch.allowed, states[0]) for head in (0, 1)]
            total, step = torch.zeros(()), step + 1
            for h_BTH, pair in zip(states, heads, strict=True):
                for linear, mask, label in zip(pair, masks, (batch.start, batch.end), strict=True):
                    seen = h_BTH if mask is None else h_BTH * mask
                    logits = linear(seen)[..., 0].masked_fill(~batch.allowed, -torch.inf)
                    total = total + loss(logits, label) / 2
            total.backward()
            for pair in heads:
                for linear in pair:
                    nn.utils.clip_grad_norm_(linear.parameters(), params.clip)
                    _update(linear, moments, rate)
    weights = [torch.stack([linear.weight.detach()[0] for linear in pair]) for pair in heads]
    return torch.stack(weights), spent


def _mask(params: AdamParams, head: int, step: int, allowed_BT: Tensor, h_BTH: Tensor) -> Tensor | None:
    if not params.dropout:
        return None
    whole = torch.ones_like(h_BTH)
    given: dict[str, Any] = {"device": h_BTH.device, "dtype": h_BTH.dtype}
    rows = int(allowed_BT.sum())
    whole[allowed_BT] = dropout_mask(SEED, head, step, rows, h_BTH.shape[-1], params.dropout, **given)
    return whole


@torch.no_grad()
def _update(linear: nn.Linear, moments: dict[Tensor, tuple[Tensor, Tensor]], rate: float) -> None:
    for p in linear.parameters():
        assert p.grad is not None  # backward has been through it
        m, v = moments[p]
        m.mul_(0.9).add_(p.grad, alpha=0.1)
        v.mul_(0.999).addcmul_(p.grad, p.grad, value=0.001)
        p.addcdiv_(m, v.sqrt().add_(1e-8), value=-rate)
        p.grad = None


def measure_together(layers: int = 12, width: int = 128, questions: int = 400) -> list[Row]:
    """What, plain seconds, seconds as built, largest difference of the weights."""
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        for name in ("windows", "small", "dropout", "without"):
            (root / name).mkdir()
        job = windows_job(QuestionOptions(dataset="builtin", **LENGTHS, train_limit=questions, dev_limit=1), "builtin")
        job.stage.load()(job.params, Context(artifact=root / "windows", paths=dict(job.paths)))
        without = AdamParams(
            model="scratch", encoder="random", encoder_seed=0, architecture="bert", layers=layers, width=width,
            heads=max(1, width // 64), tokenizer="builtin", dataset="builtin", **LENGTHS,
            learning_rates=RATES, seeds=(SEED,), epochs=1, dropout=0.0,
        )  # fmt: skip
        needs = {"windows": root / "windows"}
        small = dataclasses.replace(without, layers=1, width=64, heads=1)
        train_adam(small, Context(needs=needs, artifact=root / "small"))  # libraries load when they are first used
        for what, params, paddings in (
            ("without", without, (LENGTHS["max_length"], None)),
            ("dropout", dataclasses.replace(without, dropout=0.1), (LENGTHS["max_length"],)),
        ):
            context = Context(needs=needs, artifact=root / what)
            encoder = open_frozen(params, context, "train")
            loading = time.process_time()
            open_frozen(params, context, "train")
            clock = time.process_time()
            (cost,) = train_adam(params, context)["costs"]
            ours = time.process_time() - clock - (clock - loading)
            weights = read_probes(root / what)[0]
            share = cost["encoder_seconds"] / (cost["encoder_seconds"] + cost["probe_seconds"])
            for pad_to in paddings:
                clock = time.process_time()
                runs = [plain_run(encoder, params, rate, pad_to) for rate in RATES]
                plain = time.process_time() - clock
                off = max(float((run - weights[:, g]).abs().max()) for g, (run, _) in enumerate(runs))
                size = f"{encoder.n_levels} levels x {len(RATES)} rates, {len(encoder.windows)} windows, H={width}"
                in_encoder = sum(seconds for _, seconds in runs) / plain
                name = (
                    f"probes, {size}, {'no ' * (not params.dropout)}dropout, plain padded to "
                    f"{pad_to or 'the longest of 8'}; encoder {in_encoder:.0%} of plain, {share:.0%} of ours"
                )
                found.append((name, plain, ours, off))
    return found


def measure() -> list[Row]:
    """Measure on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows = measure_together()
    torch.set_num_threads(threads)
    return rows
