"""The stage `mlm_frozen`: readouts of all depths, kinds and seeds on a frozen encoder, in one job (transient_chaos 4).

Every batch passes the encoder once, to the largest depth; the states at its masked positions train the readouts of all
depths there and then, so that nothing is kept but the readouts.

Dimensions: D depths, K readouts a depth, N blocks, P masked positions, H hidden, V vocabulary.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AlbertModel

from models.albert import shared_layer
from models.mlm_head import LEGACY_EPS, MlmHead, fresh_mlm_head, legacy_mlm_head, load_mlm_head, word_table
from orchestrator.experiment import Context
from tasks.data.masking import LegacyMasker, Masking, mask_batch
from tasks.encoders.loading import checkpoint_place, load_encoder
from tasks.training.numerics import exact_numerics, synchronise, usable_bytes
from tasks.training.seeds import torch_stream
from tasks.training.steps import data_orders, is_curve_point, n_steps
from tasks.transient_chaos.counting import CountedLayer
from tasks.transient_chaos.mlm_depth.evaluation import baseline_rows, score_rows
from tasks.transient_chaos.mlm_depth.heads import HeadSettings, HeadStack, HeadTrainer, stack_heads
from tasks.transient_chaos.mlm_depth.inputs import check_memory, open_parts
from tasks.transient_chaos.mlm_depth.params import FrozenParams
from tasks.transient_chaos.mlm_depth.states import first_bad_state, masked_states

Rows = list[dict[str, Any]]
Masker = Callable[[np.ndarray, int, int], tuple[np.ndarray, np.ndarray]]
"""(ids [B, T], epoch, batch) -> input and labels [B, T]."""


def frozen(params: FrozenParams, context: Context) -> dict[str, Rows]:
    """Rows of all tables for one encoder.

    The blocks are in `context.needs["blocks"]`, a checkpoint in `context.paths["model"]`, in `context.needs["model"]`
    (the model small) or on the hub.

    Raises:
        ValueError: blocks or encoder do not fit the parameters or each other, the checkpoint has no readout, or the
            readouts do not fit into memory.
    """
    with exact_numerics():
        parts = open_parts(params, context)
        model = load_encoder(
            params,
            context,
            vocab_size=parts.masking.vocab_size,
            pad_token_id=parts.masking.pad_id,
            longest=params.length,
            pooler=False,
        )
        check_memory(model, params, usable_bytes(context))
        work = Work(params=params, model=model, layer=CountedLayer(layer=shared_layer(model)), masking=parts.masking)
        heads = readouts(params, context, model)
        trained = [key for key in heads if key[0] != "zero_shot"]
        stacks: list[tuple[list[tuple[str, int]], HeadStack]] = []
        curves: Rows = []
        eps = LEGACY_EPS if params.legacy_head_eps else model.config.layer_norm_eps
        for keys in (trained, [key for key in heads if key[0] == "zero_shot"]):
            if keys:
                stack = stack_heads([heads[key] for key in keys], len(params.depths), word_table(model).detach(), eps)
                stacks.append((keys, stack))
        if trained:
            curves = train(work, stacks[0][1], trained, parts.train)
        scores, counts = score_rows(work, stacks, parts.test)
    cost = {
        "n_train": len(parts.train),
        "n_test": len(parts.test),
        **counts,
        "n_heads": len(params.depths) * len(trained),
        "max_depth": params.depths[-1],
        "layer_passes": work.layer.passes,
        "encoder_seconds": work.encoder_seconds,
        "head_seconds": work.head_seconds,
    }
    return {
        "scores": scores,
        "curves": curves,
        "baselines": baseline_rows(work, parts.train, parts.test),
        "costs": [cost],
        "nonfinite": work.nonfinite,
    }


def readouts(params: FrozenParams, context: Context, model: AlbertModel) -> dict[tuple[str, int], MlmHead]:
    """The readouts at step 0 by (kind, seed), the same at all depths.

    Those that begin at the checkpoint's weights are one each, under the first seed. A random encoder's zero_shot is a
    new readout of each seed. With `legacy_readout_init` the word table of `model` is overwritten here.

    Raises:
        ValueError: the checkpoint has no readout.
    """
    dtype = getattr(torch, params.dtype)
    found: dict[tuple[str, int], MlmHead] = {}
    checkpoint: MlmHead | None = None
    for kind in params.readouts:
        if params.encoder == "pretrained" and kind != "new":
            if checkpoint is None:
                place, revision = checkpoint_place(params, context)
                checkpoint = load_mlm_head(place, revision, dtype, pickled="pickled_weights" in context.paths)
            found[kind, params.seeds[0]] = checkpoint
            continue
        for seed in params.seeds:
            stream = torch_stream(seed, "mlm", "readout")
            if params.legacy_readout_init:
                found[kind, seed] = legacy_mlm_head(model, stream)
            else:
                found[kind, seed] = fresh_mlm_head(model.config, stream, dtype)
    return found


@dataclass(kw_only=True)
class Work:
    """One encoder at work: how blocks are masked and passed through it, and what that has cost so far."""

    params: FrozenParams
    model: AlbertModel
    layer: CountedLayer
    masking: Masking
    encoder_seconds: float = 0.0
    head_seconds: float = 0.0
    nonfinite: Rows = field(default_factory=list)

    def masker(self, part: str) -> Masker:
        """Masks of a part, the same for all encoders. The published order begins anew for each part."""
        if self.params.legacy_masking:
            legacy = LegacyMasker(masking=self.masking, seed=self.params.data_seed)
            return lambda ids, epoch, batch: legacy(ids)
        seed = self.params.data_seed
        return lambda ids, epoch, batch: mask_batch(ids, self.masking, seed, part, epoch, batch)

    def states(
        self, part: str, rows_B: np.ndarray, inputs_BT: np.ndarray, labels_BT: np.ndarray
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `masked_states`, timed; the first state of the part that is not finite is noted with depth and block."""
        device, clock = next(self.model.parameters()).device, time.perf_counter()
        x_DPH, labels_P, block_P = masked_states(self.model, self.layer, inputs_BT, labels_BT, self.params.depths)
        if not any(row["part"] == part for row in self.nonfinite):
            bad = first_bad_state(x_DPH, block_P, self.params.depths)
            if bad is not None:
                self.nonfinite.append({"part": part, "depth": bad[0], "block": int(rows_B[bad[1]])})
        synchronise(device)
        self.encoder_seconds += time.perf_counter() - clock
        return x_DPH, labels_P, block_P


def train(work: Work, stack: HeadStack, keys: Sequence[tuple[str, int]], ids_NT: np.ndarray) -> Rows:
    """Train the stack in place; rows of `curves`."""
    p, device = work.params, stack.table.device
    total = n_steps(len(ids_NT), p.batch_size, p.epochs)
    names = [f.name for f in dataclasses.fields(HeadSettings)]
    trainer = HeadTrainer(stack, HeadSettings(**{name: getattr(p, name) for name in names}), total)
    mask, curves = work.masker("train"), []
    sum_DK, since = torch.zeros(stack.bias.shape[:2], dtype=stack.bias.dtype, device=device), 0
    for epoch, order in enumerate(data_orders(p.data_seed, len(ids_NT), p.epochs)):
        for batch, rows in enumerate(order.split(p.batch_size)):
            chosen = rows.numpy()
            x_DPH, labels_P, _ = work.states("train", chosen, *mask(ids_NT[chosen], epoch, batch))
            clock = time.perf_counter()
            losses_DK, rate = trainer.take(x_DPH, labels_P)
            sum_DK, since = sum_DK + losses_DK, since + 1
            if is_curve_point(trainer.step - 1, total, p.curve_points):
                point = {"step": trainer.step, "epoch": trainer.step * p.epochs / total, "learning_rate": rate}
                mean = (sum_DK / since).tolist()
                curves += [
                    {"readout": kind, "depth": depth, "seed": seed, **point, "loss": mean[d][k]}
                    for d, depth in enumerate(p.depths)
                    for k, (kind, seed) in enumerate(keys)
                ]
                sum_DK, since = torch.zeros_like(sum_DK), 0
            synchronise(device)
            work.head_seconds += time.perf_counter() - clock
    return curves
