"""The stage `classifier_embedding_proxy`: a bag of words through averaged embeddings (attention_dynamics 2.6).

The published proxy keeps the epoch with the lowest loss on the very documents that it is judged on; `beta-heldout` is
that of the epoch which half of them chose (quirk C4).

Dimensions: N documents, V vocabulary.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.averaged_embeddings import AveragedEmbeddings
from orchestrator.experiment import Context
from tasks.attention.attention_classification.evaluation import opened
from tasks.attention.attention_classification.params import EmbeddingProxyParams
from tasks.attention.attention_classification.proxy_scores import Chosen, best, mean_of, parts_of, write_proxy
from tasks.attention.ragged import Ragged
from tasks.attention.texts.artifact import Documents, open_texts
from tasks.training.numerics import exact_numerics
from tasks.training.seeds import torch_stream
from tasks.training.steps import data_orders

CELLS = 2**20  # tokens of the documents that are judged together


class Epoch(NamedTuple):
    """What the proxy is after a pass over the training documents."""

    losses_N: np.ndarray
    """float64 [N]: binary cross entropy of each judged document, in nats."""
    beta_V: Tensor


def embedding_proxy(params: EmbeddingProxyParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `proxies`; beta of all items as an artifact of scores. The documents are in `context.needs["data"]`."""
    texts, items = open_texts(context.needs["data"]), opened(context.needs["data"], params.splits)
    parts = parts_of(len(texts.test))
    generator = torch_stream(params.seed, "attention_classification", "px")
    kept: dict[str, Chosen] = {}
    rows = []
    with exact_numerics():
        model = AveragedEmbeddings(len(texts.vocabulary), params.width).initialise(generator).to(context.device)
        orders = (order.numpy() for order in data_orders(params.seed, len(texts.train), params.epochs))
        epochs = train_proxy(model, texts.train, texts.test, orders, params.batch_size, params.learning_rate)
        for number, epoch in enumerate(epochs, start=1):
            for part, chosen_N in parts.items():
                loss = mean_of(epoch.losses_N[chosen_N])
                rows.append({"proxy": "px", "at": float(number), "part": part, "metric": "loss", "value": loss})
                best(kept, part, -loss, float(number), epoch.beta_V)
    return {"proxies": write_proxy(context, items, kept, rows)}


def train_proxy(
    model: AveragedEmbeddings,
    train: Documents,
    judged: Documents,
    orders: Iterable[np.ndarray],
    batch_size: int,
    learning_rate: float,
) -> Iterator[Epoch]:
    """One `Epoch` for each order of the training documents: Adam on the summed loss of consecutive batches."""
    optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
    device = model.linear.weight.device
    for order in orders:
        for start in range(0, len(order), batch_size):
            tokens_L, starts_N, labels_N = bag(train, order[start : start + batch_size], device)
            optimiser.zero_grad(set_to_none=True)
            model.losses(tokens_L, starts_N, labels_N).sum().backward()
            optimiser.step()
        yield Epoch(judge(model, judged), model.beta_V.clone())


@torch.inference_mode()
def judge(model: AveragedEmbeddings, documents: Documents) -> np.ndarray:
    """The loss of each document, float64 [N]."""
    ends = np.searchsorted(documents.tokens.offsets, np.arange(CELLS, documents.tokens.offsets[-1], CELLS))
    device = model.linear.weight.device
    losses = []
    for rows in np.split(np.arange(len(documents)), np.unique(ends)):
        if len(rows):
            losses.append(model.losses(*bag(documents, rows, device)).double().cpu().numpy())
    return np.concatenate(losses)


def bag(documents: Documents, rows: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Some documents as tokens end to end, the start of each, and labels, on the device."""
    tokens: Ragged = documents.tokens.take(rows)
    labels = np.asarray(documents.labels)[rows].astype(np.int64)
    arrays = (tokens.values.astype(np.int64), tokens.offsets[:-1], labels)
    starts = tuple(torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays)
    return starts[0], starts[1], starts[2]
