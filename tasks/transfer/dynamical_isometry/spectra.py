"""The stage `jacobian_spectra`: singular values of the Jacobian blocks of an encoder's sentences (README 1).

Each sentence is cut to its own tokens, so that no padding enters. Blocks are made and decomposed one after the other;
what is kept of them are their singular values, all of them in safetensors files of bounded size.

Dimensions: W words of a sentence, H hidden, R blocks of a file.
"""

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from safetensors.numpy import save_file
from torch import Tensor
from transformers import PreTrainedModel

from metrics.singular_values import bin_edges, log_counts, singular_values, spectrum
from models.jacobian import Blocks, jacobian_blocks, whole_jacobians
from orchestrator.experiment import Context
from tasks.training.numerics import exact_numerics, synchronise, usable_bytes
from tasks.training.seeds import numpy_stream
from tasks.transfer.diagnostics.inputs import Batch, open_network, open_sentences, published_dropout
from tasks.transfer.dynamical_isometry.stages import SpectraParams

Rows = list[dict[str, Any]]
Made = TypeVar("Made")
SHARD_BYTES = 64 << 20
"""Values that are kept in memory before a file is written."""
LABELS = ("sentence", "position", "word", "tokens", "input_level", "output_level", "nulls")


def spectra(params: SpectraParams, context: Context) -> dict[str, Rows]:
    """Rows of all tables for one encoder; all singular values go into `context.artifact`, where there is one.

    The tokens are in `context.needs["tokens"]`, a checkpoint where `tasks.encoders.transformer_loading` looks for it.

    Raises:
        ValueError: too few sentences; a level that the encoder lacks; tokens or checkpoint do not fit.
    """
    with exact_numerics():
        sentences = open_sentences(params, context, least=params.sentences)
        model = open_network(params, context, sentences, attention="eager")
        if params.legacy_dropout and params.encoder == "random":
            model.train()  # published: a model from a checkpoint was in evaluation mode, a new one was not
        work = Work(params=params, model=model, budget=usable_bytes(context) // 2, shards=ShardWriter(context.artifact))
        for batch in sentences.batches(params.sentences, 1):
            with published_dropout(model, params, params.task, int(batch.sentences[0])):
                work.take(batch)
        work.shards.close()
    return {"spectra": work.rows, "histogram": work.histogram(), "costs": [dataclasses.asdict(work.cost)]}


def output_positions(params: SpectraParams, sentence: int, tokens: int) -> list[int]:
    """Positions t, ascending; they depend on seed, task and sentence alone."""
    share = params.position_share
    count = params.positions if share is None else max(1, int(share * tokens))
    stream = numpy_stream(params.seed, "positions", params.task, sentence)
    return sorted(stream.choice(tokens, size=min(count, tokens), replace=False).tolist())


class ShardWriter:
    """Collects rows and writes a file when they fill it; without a directory it does nothing.

    Files are `singular_values-00000.safetensors`, …: one row a Jacobian block. `values` float32 [R, H], descending,
    structurally null ones too; `sentence`, `position` (t, of the output), `word` (w, of the input), `tokens` (of the
    sentence), `input_level`, `output_level`, `nulls`: int32 [R].
    """

    def __init__(self, directory: Path | None, shard_bytes: int = SHARD_BYTES):
        self.directory, self.shard_bytes, self.written = directory, shard_bytes, 0
        self.values: list[np.ndarray] = []
        self.labels: list[np.ndarray] = []

    def add(self, sentence: int, blocks: Blocks, values_WH: np.ndarray) -> None:
        """The values of one position's blocks, a row a word."""
        if self.directory is None:
            return
        n = len(values_WH)
        labels = np.empty((n, len(LABELS)), dtype=np.int32)
        known = (blocks.input_level, blocks.output_level, blocks.nulls)
        labels[:] = (sentence, blocks.position, 0, n, *known)
        labels[:, LABELS.index("word")] = np.arange(n)
        self.values.append(values_WH.astype(np.float32))
        self.labels.append(labels)
        if sum(part.nbytes for part in self.values) >= self.shard_bytes:
            self.close()

    def close(self) -> None:
        """Write what is left."""
        if self.directory is None or not self.values:
            return
        labels = np.concatenate(self.labels)
        tensors = {name: labels[:, column].copy() for column, name in enumerate(LABELS)}
        tensors["values"] = np.concatenate(self.values)
        save_file(tensors, self.directory / f"singular_values-{self.written:05}.safetensors")
        self.values, self.labels, self.written = [], [], self.written + 1


@dataclass(kw_only=True)
class Cost:
    """The row of `costs`."""

    n_sentences: int = 0
    n_tokens: int = 0
    n_blocks: int = 0
    layer_passes: int = 0
    products: int = 0
    jacobian_seconds: float = 0.0
    svd_seconds: float = 0.0


@dataclass(kw_only=True)
class Work:
    """One encoder at work, and what has come out so far."""

    params: SpectraParams
    model: PreTrainedModel
    budget: int
    """Bytes for blocks and products; as many again for singular values."""
    shards: ShardWriter
    rows: Rows = field(default_factory=list)
    counts: dict[tuple[int, int, str], np.ndarray] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)

    def take(self, batch: Batch) -> None:
        """The rows of one sentence."""
        p, sentence, n = self.params, int(batch.sentences[0]), batch.input_ids.shape[1]
        self.cost.n_sentences += 1
        self.cost.n_tokens += n
        outputs = p.output_levels or None
        blocks = jacobian_blocks(
            self.model,
            batch.inputs,
            positions=output_positions(p, sentence, n),
            input_levels=p.input_levels,
            output_levels=outputs,
            budget_bytes=self.budget,
        )
        for found in self._timed(blocks):
            self.cost.products += found.values.shape[1]
            self._words(sentence, n, found)
        if p.whole:
            whole = whole_jacobians(
                self.model, batch.inputs, input_levels=p.input_levels, output_levels=outputs, budget_bytes=self.budget
            )
            for _, found in self._timed(whole):
                self.cost.products += found.values.shape[1]
                self._row(sentence, n, found, "whole", self._decompose(found.values), found.nulls)

    def _timed(self, made: Iterator[Made]) -> Iterator[Made]:
        """Everything that is made, with the seconds that making takes; one forward pass is made for all."""
        self.cost.layer_passes += self.model.config.num_hidden_layers
        while True:
            clock = time.perf_counter()
            found = next(made, None)
            synchronise(self.model.device)
            self.cost.jacobian_seconds += time.perf_counter() - clock
            if found is None:
                return
            yield found

    def _decompose(self, blocks: Tensor) -> np.ndarray:
        clock = time.perf_counter()
        values = singular_values(blocks, self.budget).cpu().numpy()
        self.cost.svd_seconds += time.perf_counter() - clock
        self.cost.n_blocks += len(values)
        return values

    def _words(self, sentence: int, n: int, found: Blocks) -> None:
        """Rows of the diagonal and the other blocks, together and apart."""
        values_WH = self._decompose(found.values)
        self.shards.add(sentence, found, values_WH)
        own = np.arange(n) == found.position
        kinds = {
            "diagonal": (values_WH[own], found.nulls),
            "off_diagonal": (values_WH[~own], found.nulls),
            "pooled": (values_WH, found.nulls),
            "published": (values_WH, 0),
        }
        for kind, (values, nulls) in kinds.items():
            if len(values):
                self._row(sentence, n, found, kind, values, nulls)

    def _row(self, sentence: int, n: int, found: Blocks, kind: str, values: np.ndarray, nulls: int) -> None:
        key = (found.input_level, found.output_level, kind)
        lead = {"input_level": key[0], "output_level": key[1], "kind": kind}
        self.rows.append(
            {"sentence": sentence, "position": found.position, **lead, "n_tokens": n, "n_blocks": len(values)}
            | {"nulls": nulls, **spectrum(values, nulls)}
        )
        counts = log_counts(values, nulls)
        self.counts[key] = self.counts.get(key, 0) + counts

    def histogram(self) -> Rows:
        """Rows of `histogram`."""
        rows = []
        for (input_level, output_level, kind), counts in self.counts.items():
            bins = np.flatnonzero(counts)
            lows, highs = bin_edges(bins)
            rows += [
                {"input_level": input_level, "output_level": output_level, "kind": kind}
                | {"bin": int(bin), "low": float(low), "high": float(high), "count": int(counts[bin])}
                for bin, low, high in zip(bins, lows, highs, strict=True)
            ]
        return rows
