"""The stage `mlm_frozen`: readouts of all depths, kinds and seeds on a frozen encoder, in one job (README 4).

Every batch passes the encoder once, to the largest depth; the states at its masked positions train the readouts of all
depths there and then, so that nothing is kept but the readouts. On the test part too no logits are kept: of each masked
position its cross entropy and whether the best guess is right.

Dimensions: D depths, K readouts a depth, N blocks, P masked positions, H hidden, E embedding, V vocabulary.
"""

import time
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from transformers import AlbertModel

from metrics.masked_lm import Accuracy, accuracy_of_counts, perplexity, unigram_loss
from models.mlm_head import LEGACY_EPS, MlmHead, fresh_mlm_head, legacy_mlm_head, load_mlm_head, word_table
from orchestrator.experiment import Context
from tasks.encoders.loading import checkpoint_place, load_encoder
from tasks.training.loop import data_orders, is_curve_point, n_steps
from tasks.training.numerics import exact_numerics, synchronise, usable_bytes
from tasks.training.seeds import torch_stream
from tasks.transient_chaos.mlm_depth.heads import COPIES, HeadStack, HeadTrainer, piece_rows, stack_heads
from tasks.transient_chaos.mlm_depth.stages import FrozenParams
from tasks.transient_chaos.mlm_depth.states import Rows, Work, open_parts

EVAL_BLOCKS = 64  # a batch, as published; a constant, since the published perplexity is of batch means
LAYER_WIDTHS = 20  # tensors [B, T, H] that one application of a layer has in memory at once, with FFN 4H
OUTPUT_WIDTHS = 8  # tensors [D, K, P, E] between states and outputs, with what autograd keeps


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
        work = Work(params=params, model=model, masking=parts.masking)
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
        "layer_passes": work.layer_passes,
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


def needed_bytes(model: AlbertModel, params: FrozenParams) -> int:
    """Estimated memory beside the encoder's weights: trained readouts, one batch's states, one piece of logits."""
    config, D = model.config, len(params.depths)
    H, E, V = config.hidden_size, config.embedding_size, config.vocab_size
    K = sum(len(params.seeds) if kind == "new" or params.encoder == "random" else 1 for kind in params.readouts)
    masked = params.batch_size * int(params.mask_ratio * params.length)
    heads = COPIES * D * K * (E * H + 3 * E + V)
    widths = LAYER_WIDTHS * max(1.0, config.intermediate_size / (4 * H))
    states = params.batch_size * params.length * H * widths + 2 * D * masked * H
    outputs = OUTPUT_WIDTHS * D * K * masked * E + min(piece_rows(V), masked) * V
    return int((heads + states + outputs) * next(model.parameters()).element_size())


def check_memory(model: AlbertModel, params: FrozenParams, budget_bytes: int) -> None:
    """Refuse a job whose readouts and states cannot be in memory together.

    Raises:
        ValueError: with both numbers and what to ask less of.
    """
    needed = needed_bytes(model, params)
    if needed > budget_bytes:
        raise ValueError(
            f"{len(params.depths)} depths and {len(params.seeds)} seeds of readouts take about {needed:,} bytes of "
            f"{budget_bytes:,} that may be used; give fewer --seeds or --depths at a time, or the job more memory"
        )


def train(work: Work, stack: HeadStack, keys: Sequence[tuple[str, int]], ids_NT: np.ndarray) -> Rows:
    """Train the stack in place; rows of `curves`."""
    p, device = work.params, stack.table.device
    total = n_steps(len(ids_NT), p.batch_size, p.epochs)
    trainer = HeadTrainer(stack, p, total)
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


def _masked_test(work: Work, ids_NT: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Rows, input and labels of each evaluation batch; the same each time."""
    mask = work.masker("test")
    for batch, start in enumerate(range(0, len(ids_NT), EVAL_BLOCKS)):
        rows = np.arange(start, min(start + EVAL_BLOCKS, len(ids_NT)))
        yield rows, *mask(ids_NT[rows], 0, batch)


def score_rows(
    work: Work, stacks: Sequence[tuple[Sequence[tuple[str, int]], HeadStack]], ids_NT: np.ndarray
) -> tuple[Rows, dict[str, int]]:
    """Rows of `scores` of all stacks, from one pass; and the counts of masked tokens and of blocks without one."""
    depths, N = work.params.depths, len(ids_NT)
    keys = [key for own, _ in stacks for key in own]
    D, K = len(depths), len(keys)
    right_DKN, hidden_N = np.zeros((D, K, N), dtype=np.int32), np.zeros(N, dtype=np.int64)
    sum_DK, means_DK, batches = np.zeros((D, K)), np.zeros((D, K)), 0
    for rows, inputs, labels in _masked_test(work, ids_NT):
        x_DPH, labels_P, block_P = work.states("test", rows, inputs, labels)
        hidden_N[rows] = (labels >= 0).sum(axis=1)
        if not len(labels_P):
            continue
        clock = time.perf_counter()
        judged = [stack.judge(x_DPH, labels_P) for _, stack in stacks]
        losses_DKP = torch.cat([losses for losses, _ in judged], dim=1).double()
        hits_DKP = torch.cat([right for _, right in judged], dim=1).to(torch.int32)
        counts = hits_DKP.new_zeros(D, K, len(rows)).index_add_(2, block_P, hits_DKP)
        right_DKN[:, :, rows] = counts.cpu().numpy()
        sum_DK += losses_DKP.sum(dim=2).cpu().numpy()
        means_DK += losses_DKP.mean(dim=2).cpu().numpy()
        batches += 1
        synchronise(x_DPH.device)
        work.head_seconds += time.perf_counter() - clock
    found = []
    for d, depth in enumerate(depths):
        for k, (kind, seed) in enumerate(keys):
            # Not finite: a state or the readout was not. An accuracy of it would be a number without meaning.
            loss = sum_DK[d, k] / hidden_N.sum() if hidden_N.any() and np.isfinite(sum_DK[d, k]) else np.nan
            accuracy = accuracy_of_counts(right_DKN[d, k], hidden_N)
            values = {
                **_accuracies("accuracy", accuracy, missing=bool(np.isnan(loss))),
                "loss": loss,
                "perplexity": perplexity(loss),
                "perplexity_batch_means": np.nan if np.isnan(loss) else perplexity(means_DK[d, k] / batches),
            }
            found += [
                {"readout": kind, "depth": depth, "seed": seed, "metric": metric, "value": float(value)}
                for metric, value in values.items()
            ]
    return found, {"n_masked": int(hidden_N.sum()), "n_empty": int((hidden_N == 0).sum())}


def baseline_rows(work: Work, train_NT: np.ndarray, test_NT: np.ndarray) -> Rows:
    """Rows of `baselines`: the training part's frequencies as a prediction, on the masks that the readouts get."""
    counts_V = np.bincount(np.asarray(train_NT).ravel(), minlength=work.masking.vocab_size)
    counts_V[list(work.masking.special_ids)] = 0  # never masked
    labels_NT = np.concatenate([labels for _, _, labels in _masked_test(work, test_NT)])
    guessed = (labels_NT == counts_V.argmax()).sum(axis=1)
    loss = unigram_loss(labels_NT, counts_V)
    values = {
        **_accuracies("guess_accuracy", accuracy_of_counts(guessed, (labels_NT >= 0).sum(axis=1))),
        "unigram_loss": loss,
        "unigram_perplexity": perplexity(loss),
    }
    return [{"metric": metric, "value": float(value)} for metric, value in values.items()]


def _accuracies(name: str, found: Accuracy, missing: bool = False) -> dict[str, float]:
    return {name: np.nan if missing else found.macro, f"{name}_micro": np.nan if missing else found.micro}
