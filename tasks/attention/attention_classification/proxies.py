"""The stages of the word-level models: averaged embeddings, and a logistic regression on token frequencies (README 1).

The published proxies keep the epoch, or the strength C, that does best on the very documents that they are judged on,
the first of equals; `beta-heldout` is of the one that half of them chose.

Dimensions: N documents, V tokens that have an id, L tokens of several documents end to end.
"""

import warnings
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from models.averaged_embeddings import AveragedEmbeddings
from orchestrator.experiment import Context
from tasks.attention.attention_classification.items import Items, opened
from tasks.attention.attention_classification.stages import EmbeddingProxyParams, LogisticProxyParams
from tasks.attention.learning.runs import VAL, Proxy
from tasks.attention.learning.scores import PROXY_PARTS, halves, mean_of, part_masks, write_scores
from tasks.attention.ragged import Ragged, artifact_of
from tasks.attention.texts.stages import Documents, open_texts
from tasks.data.errors import DataError
from tasks.training.loop import data_orders
from tasks.training.numerics import exact_numerics
from tasks.training.seeds import torch_stream

CELLS = 2**20  # tokens of the documents that are judged together
ITERATIONS = 1000  # of the logistic regression, as published


class Chosen(NamedTuple):
    """The best of a proxy so far."""

    goodness: float
    """The more the better."""
    at: float
    """Epoch of an embedding proxy, C of a logistic one."""
    beta_V: np.ndarray
    """What each token adds to the log odds."""


def best(kept: dict[str, Chosen], part: str, goodness: float, at: float, beta_V: np.ndarray) -> None:
    """Keep what is strictly better than all before; the first where none is a number."""
    before = kept.get(part)
    if before is None or goodness > before.goodness or (np.isnan(before.goodness) and not np.isnan(goodness)):
        kept[part] = Chosen(goodness, at, beta_V)


def proxy_rows(
    context: Context,
    items: Items,
    candidates: Iterable[tuple[float, np.ndarray, np.ndarray]],
    *,
    proxy: Proxy,
    metric: str,
    n_judged: int,
) -> list[dict[str, Any]]:
    """Rows of `proxies`; the scores of the best candidates are written.

    Args:
        candidates: epoch or C, the metric of each judged document [N], what each token adds to the log odds [V].
    """
    parts, sign = part_masks(halves(n_judged, VAL)), -1 if metric == "loss" else 1
    kept: dict[str, Chosen] = {}
    rows = []
    for at, values_N, beta_V in candidates:
        for part, chosen_N in parts.items():
            value = mean_of(values_N[chosen_N])
            rows.append({"proxy": proxy, "at": at, "part": part, "metric": metric, "value": value})
            best(kept, part, sign * value, at, beta_V)
    values = {quantity: items.of_tokens(kept[part].beta_V) for quantity, part in PROXY_PARTS.items()}
    write_scores(artifact_of(context, "a proxy"), items.scores(values, {}))
    used = set(PROXY_PARTS.values())
    return [{**row, "chosen": row["part"] in used and row["at"] == kept[row["part"]].at} for row in rows]


class Epoch(NamedTuple):
    """What the proxy is after a pass over the training documents."""

    losses_N: np.ndarray
    """float64 [N]: binary cross entropy of each judged document, in nats."""
    beta_V: Tensor


def embedding_proxy(params: EmbeddingProxyParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `proxies`; beta of all items as an artifact of scores. The documents are in `context.needs["data"]`."""
    texts, items = open_texts(context.needs["data"]), opened(context.needs["data"], params.splits)
    generator = torch_stream(params.seed, "attention_classification", "px")
    with exact_numerics():
        model = AveragedEmbeddings(len(texts.vocabulary), params.width).initialise(generator).to(context.device)
        orders = (order.numpy() for order in data_orders(params.seed, len(texts.train), params.epochs))
        epochs = train_proxy(model, texts.train, texts.test, orders, params.batch_size, params.learning_rate)
        fits = ((float(at), epoch.losses_N, epoch.beta_V.cpu().numpy()) for at, epoch in enumerate(epochs, start=1))
        rows = proxy_rows(context, items, fits, proxy="px", metric="loss", n_judged=len(texts.test))
    return {"proxies": rows}


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


def logistic_proxy(params: LogisticProxyParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `proxies`; beta of all items as an artifact of scores. The documents are in `context.needs["data"]`.

    Raises:
        DataError: all training documents have one label.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    texts, items = open_texts(context.needs["data"]), opened(context.needs["data"], params.splits)
    labels, judged = np.asarray(texts.train.labels), np.asarray(texts.test.labels)
    if len(set(labels.tolist())) < 2:
        raise DataError(f"all training documents of {texts.name} have the label {labels[0]}; give documents of both")
    train, test = (frequencies(part.tokens, len(texts.vocabulary)) for part in (texts.train, texts.test))
    fits = []
    for strength in params.strengths:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the published limit; weak penalties reach it
            fitted = LogisticRegression(C=strength, solver="lbfgs", max_iter=ITERATIONS).fit(train, labels)
        fits.append((strength, fitted.predict(test) == judged, fitted.coef_[0]))
    return {"proxies": proxy_rows(context, items, fits, proxy="logistic", metric="accuracy", n_judged=len(judged))}


def frequencies(tokens: Ragged, vocabulary: int) -> csr_matrix:
    """Token counts over the length of the document, begin and end included, float64 [N, V]."""
    rows = np.repeat(np.arange(len(tokens)), tokens.lengths)
    ones = np.ones(len(rows))
    found = csr_matrix((ones, (rows, np.asarray(tokens.values))), shape=(len(tokens), vocabulary))  # sums repetitions
    found.data /= np.repeat(tokens.lengths, np.diff(found.indptr))
    return found
