"""The stage `signals`: one batch forward and backward through a network as it is drawn, and the theory of it.

Dimensions: B sequences, T tokens, H width, N layers.
"""

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from models.deep_bert import DeepBert
from models.deep_bert_signals import Signals, measure_signals, pass_bytes
from orchestrator.experiment import Context
from tasks.deepscale.deep_bert.building import build, spreads_of
from tasks.deepscale.deep_bert.steps import losses
from tasks.deepscale.pretraining_text.batches import Batches, MicroBatch
from tasks.deepscale.pretraining_text.documents import open_documents
from tasks.deepscale.pretraining_text.plan import check_vocabulary
from tasks.deepscale.pretraining_text.random_tokens import RandomTokens
from tasks.deepscale.signal_propagation.stages import MATRICES, THEORIES, SignalParams
from tasks.deepscale.signal_propagation.theory import Array, Ends, Rows, free_ends, theory_rows
from tasks.training.numerics import dropout_stream, exact_numerics, synchronise, usable_bytes

ADAM_BETA2 = 0.999
CLIP = 1.0


def signals(params: SignalParams, context: Context) -> dict[str, Rows]:
    """Rows of both tables for one network and one batch, in training mode.

    The documents are in `context.needs["documents"]` where the source is text.

    Raises:
        ValueError: the vocabulary does not fit, or the pass does not fit into memory.
        DataError: a corpus with too few sequences for the batch.
    """
    batch, same_token, vocab_size = open_batch(params, context)
    with exact_numerics():
        model = build(params, vocab_size, params.length, params.seed, same_token).to(context.device)
        recomputed = fit_memory(model, batch, usable_bytes(context))
        clock = time.perf_counter()
        found = one_pass(model, batch.to(context.device), params)
        synchronise(torch.device(context.device))
        seconds = time.perf_counter() - clock
    shares = batch_shares(batch)
    clock = time.perf_counter()
    measured = measured_curves(found)
    ends = Ends(
        var=float(measured["variance"][0]),
        r=float(measured["correlation"][0]),
        top_g=float(measured["gradient_variance"][-1]),
        top_rg=float(measured["gradient_correlation"][-1]),
    )
    spreads = spreads_of(params, model.config, same_token)
    free = free_ends(model.config, spreads, shares.same_token, shares.same_segment, ends.top_g)
    given = zip(THEORIES, ((ends, False), (free, False), (ends, True)), strict=True)
    theory = {
        name: theory_rows(model.config, spreads, start, shares.tokens_a_sequence, batch.n_tokens, published)
        for name, (start, published) in given
    }
    run = {
        "loss": found.loss,
        "total_norm": found.total_norm,
        "embedding_variance": ends.var,
        "embedding_variance_free": free.var,
        "embedding_correlation": ends.r,
        "embedding_correlation_free": free.r,
        "top_gradient_correlation": ends.top_rg,
        "same_token": shares.same_token,
        "same_segment": shares.same_segment,
        "tokens": batch.n_tokens,
        "tokens_a_sequence": shares.tokens_a_sequence,
        "skip_sq": model.config.skip**2,
        "branch_sq": model.config.branch**2,
        "parameters": sum(p.numel() for p in model.parameters()),
        "recomputed": recomputed,
        "signal_seconds": seconds,
        "theory_seconds": time.perf_counter() - clock,
    }
    return {"layers": layer_rows(measured, theory), "runs": [run]}


def open_batch(params: SignalParams, context: Context) -> tuple[MicroBatch, float, int]:
    """The batch, the probability that two tokens of its source are equal, and the vocabulary's size."""
    if params.source != "text":
        assert params.vocab_size is not None
        sizes = {"vocab_size": params.vocab_size, "length": params.length, "micro_batch": params.batch}
        tokens = RandomTokens(**sizes, law=params.source, seed=params.seed)
        return tokens.batch(0), tokens.same_token, params.vocab_size
    documents = open_documents(context.needs["documents"], "train")
    if params.vocab_size is not None:
        check_vocabulary(documents.meta, params.vocab_size)
    size = params.batch
    batches = Batches(
        documents, length=params.length, global_batch=size, micro_batch=size, seed=params.seed, buckets=False
    )
    batch = next(iter(batches.micro_batches(0)))
    return batch, documents.meta["same_token"], params.vocab_size or documents.meta["vocab_size"]


def one_pass(model: DeepBert, batch: MicroBatch, params: SignalParams) -> Signals:
    """Forward and backward, with the dropout of the seed."""

    def loss_of(h_BTH: Tensor) -> Tensor:
        masked, order = losses(model.mlm_logits(h_BTH.flatten(0, 1)[batch.positions]), model.order_logits(h_BTH), batch)
        return masked + order

    counted = torch.ones_like(batch.input_ids, dtype=torch.bool) if params.legacy_padding else None
    with dropout_stream(batch.input_ids.device, params.seed, "signals"):
        return measure_signals(model, batch.input_ids, batch.token_type_ids, batch.mask, loss_of, counted)


def fit_memory(model: DeepBert, batch: MicroBatch, room: int) -> bool:
    """Let layers run again in the backward pass where all they keep does not fit; returns whether they do.

    Raises:
        ValueError: it does not fit then either, with both numbers and what to ask less of.
    """
    B, T = batch.input_ids.shape
    for recompute in (False, True):
        needed = pass_bytes(model.config, B, T, len(batch.positions), recompute)
        if needed <= room:
            model.recompute(recompute)
            return recompute
    raise ValueError(
        f"a pass of {B} sequences of {T} tokens through {model.config.layers} layers of width {model.config.width} "
        f"takes about {needed:,} bytes of {room:,} that may be used; give a smaller --batch or --length, or the job "
        "more memory"
    )


@dataclass(frozen=True, kw_only=True)
class Shares:
    """The statistics of a batch that the theory starts from."""

    same_token: float
    """Share of the pairs of different places in a sequence that have the same token."""
    same_segment: float
    """Share of them that are in the same segment."""
    tokens_a_sequence: float
    """Mean over tokens of how many tokens their sequence has."""


def batch_shares(batch: MicroBatch) -> Shares:
    """Counted on the ids that go in, so masked pieces are all the same token; padding is left out."""
    real_BT = torch.ones_like(batch.input_ids, dtype=torch.bool) if batch.mask is None else batch.mask
    n_B = real_BT.sum(1)
    pairs = int((n_B * (n_B - 1)).sum())

    def equal(values_BT: Tensor) -> float:
        counts = (torch.bincount(values[real]) for values, real in zip(values_BT, real_BT, strict=True))
        return sum(int((c * (c - 1)).sum()) for c in counts) / pairs

    return Shares(
        same_token=equal(batch.input_ids),
        same_segment=equal(batch.token_type_ids),
        tokens_a_sequence=float((n_B * n_B).sum() / n_B.sum()),
    )


def measured_curves(found: Signals) -> dict[str, Array]:
    """Curves by the name of their quantity: of the stream [N + 1], of weights [N]."""
    norms = found.layer_norms.numpy()
    # The mean square is what Adam's second moments hold after one step: (1 - beta2) g^2 of the clipped gradient.
    clipped = (1 - ADAM_BETA2) ** 0.5 * norms / max(1.0, found.total_norm / CLIP)
    return {
        "variance": found.forward.var.numpy(),
        "correlation": (found.forward.cov / found.forward.var).numpy(),
        "gradient_variance": found.gradient.second.numpy(),
        "gradient_correlation": (found.gradient.cov / found.gradient.second).numpy(),
        "weight_norm": norms,
        "weight_profile": norms / norms[-1],
        "published_norm": clipped,
        **{f"weight_norm_{name}": found.weight_norms[name].numpy() for name in MATRICES},
    }


def layer_rows(measured: dict[str, Array], theory: dict[str, dict[str, Array]]) -> Rows:
    """Rows of `layers`; a theory that has no curve of a quantity gives null."""
    rows: Rows = []
    depth = len(measured["variance"])
    for quantity, values in measured.items():
        curves = {form: theory[form].get(quantity) for form in THEORIES}
        for at, value in enumerate(values):
            known = {form: None if curve is None else float(curve[at]) for form, curve in curves.items()}
            rows.append({"layer": at + depth - len(values), "quantity": quantity, "measured": float(value), **known})
    return rows
