"""The stage `translation_proxy`: word translations learned from bags of words, for each item.

The epoch with the lowest loss on val is kept. `beta` is of the one chosen on all of val, `beta-heldout` of the one
chosen on half a alone (README 3).

Dimensions: S source positions, T target words.
"""

import copy
import math
from typing import Any

import numpy as np
import torch

from models.translation_proxy import TranslationProxy
from orchestrator.experiment import Context
from tasks.attention.attention_translation.items import Sentences, padded_batch, sentences
from tasks.attention.attention_translation.stages import PAIRS, ProxyParams
from tasks.attention.learning.runs import VAL
from tasks.attention.learning.scores import PROXY_PARTS, halves, part_masks, write_scores
from tasks.attention.pairs.stages import PairSplit
from tasks.attention.ragged import artifact_of, length_batches
from tasks.training.loop import data_orders
from tasks.training.numerics import exact_numerics
from tasks.training.seeds import stream_seed

CELLS = 8192  # words of an evaluation batch, padding included
SENTENCES = 256  # whose word translations are looked up together


def translation_proxy(params: ProxyParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `proxies`; the quantities `beta` and `beta-heldout` as scores without performance."""
    artifact = artifact_of(context, "translation_proxy")
    given = sentences(context.needs[PAIRS], params.splits)
    with exact_numerics():
        rows, best = train_proxy(params, given, context.device)
        values = {name: proxy_values(best[part], given) for name, part in PROXY_PARTS.items()}
    write_scores(artifact, given.layout.scores(values, {}))
    return {"proxies": rows}


def train_proxy(
    params: ProxyParams, given: Sentences, device: str
) -> tuple[list[dict[str, Any]], dict[str, TranslationProxy]]:
    """Rows of `proxies`, and the proxy after the best epoch on all of val and on half a."""
    pairs = given.pairs
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(params.seed, "proxy"))
        proxy = TranslationProxy(pairs.vocab_size, params.width).to(device)
    optimiser = torch.optim.Adam(proxy.parameters(), lr=params.learning_rate, fused=True)
    half = halves(len(pairs.val), VAL)
    lowest = dict.fromkeys(PROXY_PARTS.values(), math.inf)
    best = dict.fromkeys(PROXY_PARTS.values(), proxy)
    chosen, rows = dict.fromkeys(PROXY_PARTS.values(), 0), []
    for epoch, order in enumerate(data_orders(params.seed, len(pairs.train), params.epochs), start=1):
        for some in order.split(params.batch_size):
            source, target = padded_batch(pairs.train, some.numpy(), device)
            optimiser.zero_grad(set_to_none=True)
            proxy.loss(source, target, params.legacy_proxy_loss).sum().backward()
            optimiser.step()
        for part, loss in val_losses(proxy, pairs.val, half, device).items():
            rows.append({"epoch": epoch, "part": part, "loss": loss, "chosen": False})
            if part in lowest and loss < lowest[part]:
                lowest[part], chosen[part], best[part] = loss, epoch, copy.deepcopy(proxy)
    for row in rows:
        row["chosen"] = chosen.get(row["part"]) == row["epoch"]
    return rows, best


@torch.no_grad()
def val_losses(proxy: TranslationProxy, val: PairSplit, half: np.ndarray, device: str) -> dict[str, float]:
    """Mean NLL a target word of val and its halves, in nats; NaN of an empty one."""
    summed = np.empty(len(val))
    for rows in length_batches(val.source.lengths + val.target.lengths, CELLS):
        summed[rows] = proxy.loss(*padded_batch(val, rows, device)).double().cpu().numpy()
    words = val.target.lengths - 1
    return {
        part: float(summed[rows].sum() / words[rows].sum()) if rows.any() else math.nan
        for part, rows in part_masks(half).items()
    }


def proxy_values(proxy: TranslationProxy, given: Sentences) -> np.ndarray:
    """M[x_s, y_t] of every sentence, as a flat quantity, float32."""
    device = proxy.output.weight.device
    offsets = given.offsets
    flat = np.empty(offsets[-1], dtype=np.float32)
    for first in range(0, len(given.source), SENTENCES):
        rows = range(first, min(first + SENTENCES, len(given.source)))
        source = np.concatenate([np.tile(given.source[row], given.predicted[row]) for row in rows])
        target = np.concatenate([np.repeat(given.target[row][1:], len(given.source[row])) for row in rows])
        x, y = (torch.from_numpy(side.astype(np.int64)).to(device) for side in (source, target))
        flat[offsets[rows[0]] : offsets[rows[-1] + 1]] = proxy.translations(x, y).cpu().numpy()
    return flat
