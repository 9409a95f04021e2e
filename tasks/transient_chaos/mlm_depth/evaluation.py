"""Scores of all readouts on the test part, and what guessing without the context gives.

Logits are never kept: of each masked position its cross entropy and whether the best guess is right.

Dimensions: D depths, K readouts a depth, N blocks, P masked positions, V vocabulary.
"""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from metrics.masked_lm import Accuracy, accuracy_of_counts, perplexity, unigram_loss
from tasks.training.numerics import synchronise
from tasks.transient_chaos.mlm_depth.heads import HeadStack

if TYPE_CHECKING:
    from tasks.transient_chaos.mlm_depth.frozen import Work

EVAL_BLOCKS = 64  # a batch, as published; a constant, since the published perplexity is of batch means
Rows = list[dict[str, Any]]


def _masked_test(work: "Work", ids_NT: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Rows, input and labels of each evaluation batch; the same each time."""
    mask = work.masker("test")
    for batch, start in enumerate(range(0, len(ids_NT), EVAL_BLOCKS)):
        rows = np.arange(start, min(start + EVAL_BLOCKS, len(ids_NT)))
        yield rows, *mask(ids_NT[rows], 0, batch)


def score_rows(
    work: "Work", stacks: Sequence[tuple[Sequence[tuple[str, int]], HeadStack]], ids_NT: np.ndarray
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


def baseline_rows(work: "Work", train_NT: np.ndarray, test_NT: np.ndarray) -> Rows:
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
